"""Tables in files: finds them, looks through every cell once, and says what may not be meant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from dlcli.config.data import TableOptions
from dlcli.data.cache.hashing import Stamps
from dlcli.data.sources.cells import clean
from dlcli.data.sources.columns import Columned, check_config, check_files, target_names
from dlcli.data.sources.dialect import Dialect, dialect_of
from dlcli.data.sources.files import file_hashes, find_files
from dlcli.data.sources.files import hashes as short_hashes
from dlcli.data.sources.reader import Reader, open_reader
from dlcli.data.sources.scan import ColumnScan
from dlcli.data.sources.source import ColumnKind, Sources, with_origin
from dlcli.data.sources.table_scan import Files, TableScan, recalled_scan, remember_scan
from dlcli.errors import DataError, Fault


@dataclass(frozen=True)
class TableSource:
    """Rows of one or several files with the same columns; see `Source`.

    Attributes:
        readers: The files, in order.
        dialect: How their cells are read.
        kinds: Kind of every usable column.
        plain: Columns that the parser may read as numbers at once.
    """

    readers: tuple[Reader, ...]
    dialect: Dialect
    kinds: Mapping[str, ColumnKind]
    plain: frozenset[str]

    def chunks(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Yield the rows; see `Source.chunks`."""
        names = list(self.kinds if columns is None else columns)
        floats = {name for name in self.plain & set(names) if self.kinds[name] == "numeric"}
        for reader in self.readers:
            yield from read_cells(reader, self.dialect, names, floats=frozenset(floats))


def read_cells(
    reader: Reader,
    dialect: Dialect,
    columns: Sequence[str],
    *,
    floats: frozenset[str] = frozenset(),
) -> Iterator[pa.RecordBatch]:
    """Yield a file's columns with every cell stripped, null where missing, and replaced."""
    row = 0
    for batch in reader.batches(columns, floats):
        if not batch.num_rows:
            continue
        cells = [
            array if name in floats else clean(array, name, dialect, nulled=reader.nulled)
            for name, array in zip(columns, batch.columns, strict=True)
        ]
        yield with_origin(pa.record_batch(cells, names=list(columns)), reader.path.name, row)
        row += batch.num_rows


def open_table(options: TableOptions, folder: Path) -> Sources:
    """Open the files that the options name and infer what their columns are.

    Args:
        options: The `data` section.
        folder: What relative paths start from.

    Raises:
        ConfigError: The config names columns that are not there; all such faults at once.
        DataError: A file is missing or damaged, or the files do not agree.
    """
    given = {"path": options.path, "val_path": options.val_path, "test_path": options.test_path}
    files = {
        key: find_files(paths, folder, ("data", key))
        for key, paths in given.items()
        if paths is not None
    }
    dialect = dialect_of(options)
    every = [path for paths in files.values() for path in paths]
    stamps = Stamps.of(every)
    scan = recalled_scan(files, dialect, options, stamps)
    if scan is None:
        scan = _scan(options, files, dialect)
        remember_scan(scan, files, options, stamps)
    outside = {options.split.column, options.split.group}
    targets = target_names(options)
    inputs = tuple(name for name in scan.kinds if name not in outside and name not in targets)
    if not inputs:
        fault = "no column is left to predict from"
        raise DataError([Fault(fault, path=("data",), note="; ".join(scan.warnings))])
    sources = {
        key: TableSource(readers, dialect, scan.kinds, scan.plain[key])
        for key, readers in scan.readers.items()
    }
    fingerprint, *hashes = scan.hashes
    return Sources(
        train=sources["path"],
        val=sources.get("val_path"),
        test=sources.get("test_path"),
        targets=targets,
        inputs=inputs,
        fingerprint=fingerprint,
        files=short_hashes(every, map(bytes.fromhex, hashes), folder),
        warnings=scan.warnings,
        folder=folder,
    )


def _scan(options: TableOptions, files: Files, dialect: Dialect) -> TableScan:
    """Open the files and look through every cell."""
    readers = {
        key: tuple(open_reader(path, dialect) for path in paths) for key, paths in files.items()
    }
    names = readers["path"][0].names
    check_config(options, readers["path"][0])
    needed = [name for name in names if name not in options.drop]
    outside = {options.split.column, options.split.group}
    check_files(readers, needed, outside)
    scans = scan_columns(readers["path"], dialect, needed)
    kinds, warnings = kinds_of(options, scans)
    plain = {"path": plain_columns(scans, dialect)}
    for key in [key for key in readers if key != "path"]:
        columns = [name for name in kinds if name not in outside]
        plain[key] = plain_columns(scan_columns(readers[key], dialect, columns), dialect)
    said = [warning for group in readers.values() for one in group for warning in one.warnings]
    every = [path for paths in files.values() for path in paths]
    return TableScan(readers, kinds, plain, (*said, *warnings), file_hashes(every))


def scan_columns(
    readers: Sequence[Reader], dialect: Dialect, columns: Sequence[str]
) -> dict[str, ColumnScan]:
    """Look at every cell of these columns once, and check that no row got lost."""
    scans = {name: ColumnScan() for name in columns}
    for reader in readers:
        rows = 0
        for batch in reader.batches(columns):
            rows += batch.num_rows
            for name, array in zip(columns, batch.columns, strict=True):
                cells = clean(array, name, dialect, nulled=reader.nulled)
                scans[name].add(cells)
                if cells.null_count != array.null_count:
                    scans[name].is_plain = False
        if reader.records is not None and rows != reader.records:
            raise DataError(
                f"{reader.path.name}: {rows:,} rows were parsed where "
                f"{reader.records:,} were counted",
                suggestion='if `"` is plain text in this file, set `quoting: none`',
            )
    return scans


def plain_columns(scans: Mapping[str, ColumnScan], dialect: Dialect) -> frozenset[str]:
    """Return the columns that a parser may read as numbers at once."""
    return frozenset(
        name
        for name, scan in scans.items()
        if scan.is_plain and scan.kind == "numeric" and name not in dialect.replace
    )


def kinds_of(
    options: Columned, scans: Mapping[str, ColumnScan]
) -> tuple[dict[str, ColumnKind], list[str]]:
    """Return the kinds of the columns to use, and why others are left out.

    Free text is an input where `types` says so, or where there is nothing else to learn from.
    """
    kinds = {name: kind for name, scan in scans.items() if (kind := _kind(name, scan, options))}
    special = {*target_names(options), options.split.column, options.split.group}
    warnings = []
    texts = [name for name in kinds if kinds[name] == "text" and name not in options.types]
    if texts and all(scans[name].is_id for name in kinds.keys() - special - {*texts}):
        said = ", ".join(f"{name}: text" for name in texts)
        warnings.append(f"free text, taken as such (`types: {{{said}}}` says that it is meant)")
    elif texts:
        kinds = {name: kind for name, kind in kinds.items() if name not in texts}
        warnings.append(_left_out(texts, scans))
    if empty := [name for name in scans if name not in {*kinds, *texts}]:
        warnings.append(f"left out, every cell missing: {', '.join(empty)}")
    ids = [name for name in kinds if name not in {*special, *options.types} and scans[name].is_id]
    if ids:
        warnings.append(
            f"may be row ids, of which a model learns nothing: {', '.join(ids)} "
            f"(`drop: [{', '.join(ids)}]` leaves them out)"
        )
    return kinds, warnings


def _kind(name: str, scan: ColumnScan, options: Columned) -> ColumnKind | None:
    """Return what a column is taken for; None where every cell is missing."""
    if scan.unsupported:
        raise DataError(
            f"column `{name}` holds {scan.unsupported} values, which no input takes",
            suggestion=f"leave it out: `drop: [{name}]`",
        )
    kind = options.types.get(name) or scan.kind
    targets = target_names(options)
    if kind is None and name in targets:
        raise DataError(f"every cell of the target `{name}` is missing")
    if kind == "text" and name in (*targets, options.split.column, options.split.group):
        return "categorical"
    return kind


def _left_out(texts: Sequence[str], scans: Mapping[str, ColumnScan]) -> str:
    offers = [f"`types: {{{texts[0]}: text}}` makes it an input"]
    if repeating := next((name for name in texts if scans[name].repeats), None):
        offers.append(f"`types: {{{repeating}: categorical}}` takes each text for a category")
    offers.append(f"`drop: [{', '.join(texts)}]` says that it is meant")
    return f"left out, free text: {', '.join(texts)} ({'; '.join(offers)})"
