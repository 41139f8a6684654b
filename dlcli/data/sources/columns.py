"""Checks the columns that a config names, and those of several files, against what is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dlcli.config.data import TableOptions
from dlcli.data.sources.files import nearest
from dlcli.data.sources.reader import Reader
from dlcli.errors import ConfigError, DataError, Fault, KeyPath


def target_names(options: TableOptions) -> tuple[str, ...]:
    """Return the columns to predict."""
    return (options.target,) if isinstance(options.target, str) else tuple(options.target)


def check_config(options: TableOptions, reader: Reader) -> None:
    """Raise one ConfigError with every name in the config that is no column."""
    one = isinstance(options.target, str)
    mentions: list[tuple[KeyPath, str]] = [
        (("data", "target") if one else ("data", "target", index), name)
        for index, name in enumerate(target_names(options))
    ]
    mentions += [(("data", "drop", index), name) for index, name in enumerate(options.drop)]
    mentions += [(("data", "replace", name), name) for name in options.replace]
    mentions += [(("data", "types", name), name) for name in options.types]
    for key, value in (("column", options.split.column), ("group", options.split.group)):
        if value is not None:
            mentions.append((("data", "split", key), value))
    faults = [
        Fault(
            f"{reader.path.name} has no column `{name}`",
            path=path,
            suggestion=nearest(name, reader.names),
            note=columns_note(reader.names),
        )
        for path, name in mentions
        if name not in reader.names
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
