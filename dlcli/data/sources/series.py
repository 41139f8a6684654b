"""A series in a file: finds it, tells its time and its columns apart; knows no window."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from dlcli.config.data import SeriesOptions
from dlcli.data.calendar import circle_names
from dlcli.data.encoders.encoder import CellError
from dlcli.data.encoders.parse import numbers
from dlcli.data.preprocessor import located
from dlcli.data.sources.columns import columns_note
from dlcli.data.sources.dates import ACCEPTED_DATES
from dlcli.data.sources.dialect import dialect_of
from dlcli.data.sources.files import find_files, fingerprints, nearest
from dlcli.data.sources.reader import Reader, open_reader
from dlcli.data.sources.scan import ColumnScan
from dlcli.data.sources.source import ColumnKind, Sources
from dlcli.data.sources.table import TableSource, plain_columns, scan_columns
from dlcli.errors import ConfigError, DataError, Fault, KeyPath

_USABLE = ("numeric", "categorical", "boolean")


@dataclass(frozen=True)
class SeriesSource:
    """Rows of a file in order of time; see `Source`.

    Attributes:
        table: The file as a table.
        rows: Their number.
        time: Columns that tell the time; none where rows are counted.
        are_numbers: The one time column holds plain numbers, not dates.
    """

    table: TableSource
    rows: int
    time: tuple[str, ...]
    are_numbers: bool

    @property
    def kinds(self) -> Mapping[str, ColumnKind]:
        """Kind of every usable column."""
        return self.table.kinds

    @property
    def place(self) -> str:
        """What messages call the file."""
        return self.table.readers[0].path.name

    def chunks(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Yield the rows; see `Source.chunks`."""
        return self.table.chunks(columns)


def open_series(options: SeriesOptions, folder: Path) -> Sources:
    """Open the file that the options name and tell what its columns are.

    Raises:
        ConfigError: The config names columns that are not there or of no use; all at once.
        DataError: The file is missing or damaged, or a column is empty.
    """
    path, *more = find_files(options.path, folder, ("data", "path"))
    if more:
        raise ConfigError(
            f"{options.path} names {len(more) + 1} files, and a series is one",
            path=("data", "path"),
        )
    dialect = dialect_of(options)
    reader = open_reader(path, dialect)
    _check_names(options, reader)
    scans = scan_columns([reader], dialect, _looked_at(options, reader))
    time = _time(options, scans)
    inputs, warnings = _inputs(options, scans, time)
    kinds = {name: kind for name, scan in scans.items() if (kind := scan.kind)}
    table = TableSource((reader,), dialect, kinds, plain_columns(scans, dialect))
    _check_kinds(options, table, scans, inputs, time)
    source = SeriesSource(
        table,
        next(iter(scans.values())).rows,
        time,
        are_numbers=len(time) == 1 and kinds[time[0]] == "numeric",
    )
    fingerprint, hashes = fingerprints([path], folder)
    return Sources(
        train=source,
        val=None,
        test=None,
        targets=tuple(options.targets),
        inputs=inputs,
        fingerprint=fingerprint,
        files=hashes,
        task="forecasting",
        warnings=(*reader.warnings, *warnings),
        folder=folder,
    )


def _named(options: SeriesOptions) -> list[tuple[KeyPath, str]]:
    """Return every column that the config names, with the place where it does."""
    time = [options.time] if isinstance(options.time, str) else options.time or []
    lists = {
        "target": options.targets,
        "inputs": options.inputs or [],
        "known": options.known,
        "time": time,
    }
    return [
        (("data", key) if isinstance(getattr(options, key), str) else ("data", key, index), name)
        for key, names in lists.items()
        for index, name in enumerate(names)
    ]


def _check_names(options: SeriesOptions, reader: Reader) -> None:
    faults = [
        Fault(
            f"{reader.path.name} has no column `{name}`",
            path=path,
            suggestion=nearest(name, reader.names),
            note=columns_note(reader.names),
        )
        for path, name in _named(options)
        if name not in reader.names
    ]
    faults += [
        Fault(
            f"`calendar` adds the input `{name}`, which is a column already", ("data", "calendar")
        )
        for name in circle_names(options.calendar)
        if name in reader.names
    ]
    if faults:
        raise ConfigError(faults)


def _looked_at(options: SeriesOptions, reader: Reader) -> list[str]:
    """Return the columns to scan: all, unless the config names every one that is used."""
    if options.time is None or (options.inputs is None and not options.per_channel):
        return list(reader.names)
    return list(dict.fromkeys(name for _, name in _named(options)))


def _time(options: SeriesOptions, scans: Mapping[str, ColumnScan]) -> tuple[str, ...]:
    if options.time is not None:
        return (options.time,) if isinstance(options.time, str) else tuple(options.time)
    dates = [name for name, scan in scans.items() if scan.kind == "date"]
    if len(dates) > 1:
        raise ConfigError(
            f"several columns hold dates: {', '.join(dates)}",
            path=("data",),
            suggestion=f"say which one orders the rows: `time: {dates[0]}`",
        )
    return tuple(dates)


def _inputs(
    options: SeriesOptions, scans: Mapping[str, ColumnScan], time: Sequence[str]
) -> tuple[tuple[str, ...], list[str]]:
    """Return the columns that are used beside the targets, known ones last, and what to say."""
    own = {*options.targets, *options.known, *time}
    if options.inputs is not None or options.per_channel:
        given = [name for name in options.inputs or [] if name not in own]
        return (*dict.fromkeys(given), *options.known), []
    rest = [name for name in scans if name not in own]
    usable = [name for name in rest if scans[name].kind in _USABLE]
    unlike = [name for name in usable if scans[name].is_id and scans[name].kind == "categorical"]
    usable = [name for name in usable if name not in unlike]
    warnings = []
    if unlike:
        counted = "" if time else "; no column holds dates, so that rows are counted"
        warnings.append(
            f"left out, another text in each row: {', '.join(unlike)}{counted} (dates are written "
            f"{ACCEPTED_DATES})"
        )
    if left := [name for name in rest if name not in (*usable, *unlike)]:
        warnings.append(f"left out, neither numbers nor categories: {', '.join(left)}")
    if ids := [name for name in usable if scans[name].is_id]:
        warnings.append(
            f"may be row numbers, of which a model learns nothing: {', '.join(ids)} (`inputs` "
            "names the columns to use)"
        )
    return (*usable, *options.known), warnings


def _check_kinds(
    options: SeriesOptions,
    table: TableSource,
    scans: Mapping[str, ColumnScan],
    inputs: Sequence[str],
    time: Sequence[str],
) -> None:
    faults = []
    empty = []
    for path, name in _named(options):
        kind = scans[name].kind
        if kind is None:
            empty.append(name)
        elif path[1] in ("target", "known") and kind != "numeric":
            what = "a target" if path[1] == "target" else "a column that is known ahead"
            message = f"{what} holds numbers, and `{name}` is {kind}"
            remedy = "another column, or say by `na_values` which cells mean missing"
            faults.append(Fault(message, path, remedy, _first_text(table, name)))
        elif path[1] == "inputs" and name in inputs and kind not in _USABLE:
            faults.append(Fault(f"`{name}` is {kind}, which is no input of a series", path))
        elif path[1] != "time" and name in time:
            faults.append(Fault(f"`{name}` tells the time, and is nothing else beside", path))
    dated = any(scans[name].kind == "date" for name in time) or len(time) > 1
    if options.calendar and not dated:
        why = f"`{time[0]}` holds plain numbers" if time else "no column holds dates"
        faults.append(Fault(f"`calendar` needs dates, and {why}", ("data", "calendar")))
    if faults:
        raise ConfigError(faults)
    if empty:
        raise DataError(f"every cell of `{empty[0]}` is missing")


def _first_text(table: TableSource, name: str) -> str:
    """Say where the first cell stands that is no number."""
    for batch in table.chunks([name]):
        try:
            numbers(batch.column(name), name)
        except CellError as error:
            return str(located(error, batch))
    return ""
