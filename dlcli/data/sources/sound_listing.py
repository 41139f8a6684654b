"""Which sound files there are, and what folders, file names or a table say of each."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from dlcli.config.data import AudioOptions
from dlcli.data.pictures import find_files
from dlcli.data.sounds import ENDINGS
from dlcli.data.sources.cells import texts
from dlcli.data.sources.dialect import Dialect
from dlcli.data.sources.files import expanded, is_file, nearest
from dlcli.data.sources.reader import open_reader
from dlcli.data.sources.scan import ColumnScan
from dlcli.data.sources.source import ColumnKind
from dlcli.data.sources.table import read_cells
from dlcli.data.wording import counted
from dlcli.errors import ConfigError, DataError, Fault, KeyPath

_SHOWN = 10


@dataclass(frozen=True)
class Listing:
    """Sound files and what is known of each.

    Attributes:
        files: The files.
        columns: Texts, null where missing; a row per file.
        numbers: Of these rows among all (N,), 0-based.
        kinds: Kind of every column.
        place: What messages call the whole.
        warnings: What the user should know.
    """

    files: list[Path]
    columns: pa.Table
    numbers: np.ndarray
    kinds: Mapping[str, ColumnKind]
    place: str
    warnings: tuple[str, ...] = ()

    def rows(self, mask: np.ndarray) -> Listing:
        """Return the files where the mask (N,) is true; warnings stay behind."""
        files = [file for file, is_kept in zip(self.files, mask, strict=True) if is_kept]
        columns, numbers = self.columns.filter(pa.array(mask)), self.numbers[mask]
        return replace(self, files=files, columns=columns, numbers=numbers, warnings=())


def find_sounds(options: AudioOptions, folder: Path, given: str, path: KeyPath) -> Listing:
    """Return the sound files that a path of the config stands for, with what is known of each.

    Args:
        options: The `data` section.
        folder: What relative paths start from.
        given: Folder or table, as in the config.
        path: The config key that names it, for messages.

    Raises:
        ConfigError: A table lacks a column, or there is a `pattern` for a table.
        DataError: There is no such file or folder, or no sound in it.
    """
    place = folder / expanded(given)
    if not place.is_dir():
        return _from_table(options, place, given, path)
    found, others = find_files(place, ENDINGS)
    if not found:
        raise DataError(
            f"{place} holds no sound file",
            path=path,
            suggestion=f"the names of sound files end in {', '.join(sorted(ENDINGS))}",
        )
    warnings = []
    if others:
        warnings.append(
            f"{counted(len(others), 'file')} without the ending of a sound left out: "
            f"{listed(list(map(str, others)))}"
        )
    labels = _from_names if options.pattern else _from_folders
    rows, strange = labels(options, place, found)
    if not rows:
        raise _no_labels(options, place, found, path)
    if strange:
        why = "do not match the `pattern`" if options.pattern else "are in no folder of a class"
        warnings.append(f"{counted(len(strange), 'sound')} left out that {why}: {listed(strange)}")
    names = list(next(iter(rows.values())))
    columns = pa.table(
        {name: pa.array([row[name] for row in rows.values()], pa.string()) for name in names}
    )
    kinds: dict[str, ColumnKind] = dict.fromkeys(names, "categorical")
    return Listing(list(rows), columns, np.arange(len(rows)), kinds, given, tuple(warnings))


_Rows = tuple[dict[Path, dict[str, str]], list[str]]


def _from_folders(options: AudioOptions, place: Path, found: Sequence[Path]) -> _Rows:
    """Return each file's label, the folder it is in below `place`; and the files in none."""
    parts = {file: file.relative_to(place).parts for file in found}
    rows = {file: {options.target: names[0]} for file, names in parts.items() if len(names) > 1}
    return rows, [str(file) for file in found if file not in rows]


def _from_names(options: AudioOptions, place: Path, found: Sequence[Path]) -> _Rows:
    """Return what each file's name says; and the files whose names do not match."""
    pattern = name_pattern(options.pattern or "")
    has_folders = "/" in (options.pattern or "")
    rows: dict[Path, dict[str, str]] = {}
    strange: list[str] = []
    for file in found:
        name = file.relative_to(place).as_posix() if has_folders else file.name
        if match := pattern.fullmatch(name):
            rows[file] = match.groupdict()
        else:
            strange.append(name)
    return rows, strange


def name_pattern(pattern: str) -> re.Pattern[str]:
    """Return what matches file names like `{label}_{speaker}.wav`, each name a group."""
    parts = re.split(r"\{(\w+)\}", pattern)
    parts[::2] = map(re.escape, parts[::2])
    parts[1::2] = [f"(?P<{name}>[^/]+?)" for name in parts[1::2]]
    return re.compile("".join(parts), re.IGNORECASE)


def _no_labels(
    options: AudioOptions, place: Path, found: Sequence[Path], path: KeyPath
) -> DataError:
    if options.pattern:
        return DataError(
            f"none of {counted(len(found), 'sound')} in {place} matches `{options.pattern}`; the "
            f"first is {found[0].name}",
            path=("data", "pattern"),
        )
    return DataError(
        f"{place} holds {counted(len(found), 'sound')}, but no folder of a class does",
        path=path,
        suggestion="put them in a folder per class, or say by `pattern` what their names mean: "
        "`{label}_{speaker}.wav`",
    )


def _from_table(options: AudioOptions, place: Path, given: str, path: KeyPath) -> Listing:
    """Return the files that a table names, their paths relative to it."""
    if not is_file(place, path=path, name=given):
        beside = [other.name for other in place.parent.iterdir()] if place.parent.is_dir() else []
        raise DataError(f"there is no {place}", path=path, suggestion=nearest(place.name, beside))
    if options.pattern is not None or place.suffix.lower() in ENDINGS:
        raise ConfigError(
            f"{given} is a file: labels are read from the names of sounds in a folder, or from a "
            "table (CSV, TSV, JSON lines, Parquet)",
            path=path,
        )
    dialect = Dialect()
    reader = open_reader(place, dialect)
    wanted = _mentions(options, with_split=path == ("data", "path"))
    _check_names(wanted, reader.names, place.name)
    names = [name for name in dict.fromkeys(wanted.values()) if name != options.audio]
    scan = ColumnScan()
    paths: list[str | None] = []
    columns: dict[str, list[str | None]] = {name: [] for name in names}
    for batch in read_cells(reader, dialect, [options.audio, *names]):
        scan.add(batch.column(options.target))
        paths += texts(batch.column(options.audio)).to_pylist()
        for name in names:
            columns[name] += texts(batch.column(name)).to_pylist()
    if None in paths:
        row = paths.index(None) + 1
        raise DataError(f"{place.name}, row {row}, column `{options.audio}`: a path is missing")
    kinds: dict[str, ColumnKind] = dict.fromkeys(names, "categorical")
    if scan.kind in ("numeric", "boolean"):
        kinds[options.target] = scan.kind
    files = [place.parent / expanded(str(one)) for one in paths]
    table = pa.table({name: pa.array(cells, pa.string()) for name, cells in columns.items()})
    return Listing(files, table, np.arange(len(files)), kinds, given, reader.warnings)


def _mentions(options: AudioOptions, *, with_split: bool = True) -> dict[KeyPath, str]:
    """Return the columns that the config names, by the key that does."""
    named: dict[KeyPath, str | None] = {
        ("data", "audio"): options.audio,
        ("data", "target"): options.target,
    }
    if with_split:
        named[("data", "split", "column")] = options.split.column
        named[("data", "split", "group")] = options.split.group
        named |= {("data", "test_where", name): name for name in options.test_where or {}}
    return {path: name for path, name in named.items() if name is not None}


def check_columns(options: AudioOptions, listing: Listing) -> None:
    """Raise one ConfigError with every column that the config names and no file has."""
    names = [options.audio, *listing.columns.column_names]
    _check_names(_mentions(options), names, listing.place)


def _check_names(mentions: Mapping[KeyPath, str], names: Sequence[str], place: str) -> None:
    """Raise one ConfigError with every column that is named and not there."""
    note = f"its columns: {', '.join(names)}"
    faults = [
        Fault(f"{place} has no column `{name}`", path, nearest(name, names), note)
        for path, name in mentions.items()
        if name not in names
    ]
    if faults:
        raise ConfigError(faults)


def listed(names: Sequence[str]) -> str:
    """Return the first names as one text."""
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
