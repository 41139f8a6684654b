"""Checks the columns that a config names, and those of several files, against what is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from dlcli.config.data import ColumnType, SplitOptions, TableOptions
from dlcli.data.sources.files import nearest
from dlcli.data.sources.reader import Reader
from dlcli.errors import ConfigError, DataError, Fault, KeyPath


class Columned(Protocol):
    """What a `data` section says about columns, wherever the rows are from."""

    @property
    def target(self) -> str | list[str]:
        """Columns to predict."""
        ...

    @property
    def types(self) -> Mapping[str, ColumnType]:
        """Types that are not to be told from the cells."""
        ...

    @property
    def drop(self) -> Sequence[str]:
        """Columns to leave out."""
        ...

    @property
    def split(self) -> SplitOptions:
        """How rows are given to the parts."""
        ...


def target_names(options: Columned) -> tuple[str, ...]:
    """Return the columns to predict."""
    return (options.target,) if isinstance(options.target, str) else tuple(options.target)


def check_config(options: TableOptions, reader: Reader) -> None:
    """Raise one ConfigError with every name in the config that is no column."""
    replaced: list[tuple[KeyPath, str]] = [
        (("data", "replace", name), name) for name in options.replace
    ]
    check_names(options, reader.names, reader.path.name, more=replaced)


def check_names(
    options: Columned,
    names: Sequence[str],
    place: str,
    *,
    more: Sequence[tuple[KeyPath, str]] = (),
) -> None:
    """Raise one ConfigError with every name in the config that is no column.

    Args:
        options: The `data` section.
        names: The columns.
        place: What messages call the rows.
        more: Other names, and where they stand.
    """
    one = isinstance(options.target, str)
    mentions: list[tuple[KeyPath, str]] = [
        (("data", "target") if one else ("data", "target", index), name)
        for index, name in enumerate(target_names(options))
    ]
    mentions += [(("data", "drop", index), name) for index, name in enumerate(options.drop)]
    mentions += more
    mentions += [(("data", "types", name), name) for name in options.types]
    for key, value in (("column", options.split.column), ("group", options.split.group)):
        if value is not None:
            mentions.append((("data", "split", key), value))
    faults = [
        Fault(
            f"{place} has no column `{name}`",
            path=path,
            suggestion=nearest(name, names),
            note=columns_note(names),
        )
        for path, name in mentions
        if name not in names
    ]
    targets = set(target_names(options))
    taken = targets & {*options.drop, options.split.column, options.split.group}
    faults += [
        Fault(f"`{name}` is the target and cannot be left out as well", path=("data", "target"))
        for name in sorted(filter(None, taken))
    ]
    if faults:
        raise ConfigError(faults)


def columns_note(names: Sequence[str]) -> str:
    """Return what columns there are, for a message."""
    if len(names) == 1:
        return f"its only column is `{names[0]}`: is `separator` right?"
    shown = ", ".join(names[:30])
    return f"its columns: {shown}{f', ... ({len(names)} in all)' if len(names) > 30 else ''}"


def check_files(
    readers: Mapping[str, Sequence[Reader]], needed: Sequence[str], outside: set[str | None]
) -> None:
    """Raise one DataError with every file that lacks columns of the first one."""
    faults = []
    for key, group in readers.items():
        wanted = [name for name in needed if key == "path" or name not in outside]
        for reader in group:
            missing = [name for name in wanted if name not in reader.names]
            if missing:
                found = ", ".join(f"`{name}`" for name in missing)
                faults.append(
                    Fault(
                        f"{reader.path.name} lacks {found}, which "
                        f"{readers['path'][0].path.name} has",
                        path=("data", key),
                        note=columns_note(reader.names),
                    )
                )
    if faults:
        raise DataError(faults)
