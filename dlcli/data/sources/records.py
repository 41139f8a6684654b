"""Records to predict, from a file, a stream or memory, treated cell by cell as in training."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from dlcli.data.sources.cells import clean, records_batch
from dlcli.data.sources.dialect import Dialect
from dlcli.data.sources.files import nearest
from dlcli.data.sources.reader import open_reader
from dlcli.data.sources.source import with_origin
from dlcli.data.sources.table import read_cells
from dlcli.errors import DataError, Fault

_RECORDS = 1 << 14


def read_records(
    given: Path | BinaryIO | Sequence[Mapping[str, object]] | pa.Table,
    dialect: Dialect,
    *,
    needed: Sequence[str],
    optional: Sequence[str] = (),
) -> Iterator[pa.RecordBatch]:
    """Yield the columns that a model needs, in flat memory, in the order of the records.

    Args:
        given: A CSV, TSV, JSON lines or Parquet file; a stream of CSV or JSON; records; or a table.
        dialect: How the training files were read, `dialect_of(options)`.
        needed: Columns that must be there; others are ignored, their order does not matter.
        optional: Columns to yield where they are there (the target).

    Raises:
        DataError: Needed columns are missing, all named; or the file cannot be read.
    """
    if isinstance(given, Path):
        return _from_file(given, dialect, needed, optional, given.name)
    if isinstance(given, pa.Table):
        return _from_table(given, dialect, needed, optional)
    if isinstance(given, Sequence):
        return _from_memory(given, dialect, needed, optional)
    return _from_stream(given, dialect, needed, optional)


def _from_file(
    path: Path, dialect: Dialect, needed: Sequence[str], optional: Sequence[str], place: str
) -> Iterator[pa.RecordBatch]:
    reader = open_reader(path, dialect, needed=needed, optional=optional)
    columns = _columns(reader.names, needed, optional, f"{place} has")
    rows = 0
    for batch in read_cells(reader, dialect, columns):
        yield with_origin(batch, place, rows)
        rows += batch.num_rows
    if reader.records is not None and rows != reader.records:
        raise DataError(
            f"{place}: {rows:,} rows were parsed where {reader.records:,} were counted",
            suggestion='if `"` is plain text in this file, set `quoting: none`',
        )


def _from_memory(
    records: Sequence[Mapping[str, object]],
    dialect: Dialect,
    needed: Sequence[str],
    optional: Sequence[str],
) -> Iterator[pa.RecordBatch]:
    if not records:
        return
    names = list(dict.fromkeys(name for record in records for name in record))
    place = "the records have" if len(records) > 1 else "the record has"
    columns = _columns(names, needed, optional, place)
    for start in range(0, len(records), _RECORDS):
        raw = records_batch(records[start : start + _RECORDS], columns)
        cells = [
            clean(array, name, dialect) for name, array in zip(columns, raw.columns, strict=True)
        ]
        yield with_origin(pa.record_batch(cells, names=columns), "records", start)


def _from_table(
    table: pa.Table, dialect: Dialect, needed: Sequence[str], optional: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    columns = _columns(table.column_names, needed, optional, "the table has")
    row = 0
    for batch in table.select(columns).to_batches(max_chunksize=_RECORDS):
        cells = [
            clean(array, name, dialect) for name, array in zip(columns, batch.columns, strict=True)
        ]
        yield with_origin(pa.record_batch(cells, names=columns), "records", row)
        row += batch.num_rows


def _from_stream(
    stream: BinaryIO, dialect: Dialect, needed: Sequence[str], optional: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """Keep the stream in a temporary file, whose records can be counted before they are used."""
    head = stream.read(1 << 16)
    is_json = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "stdin.jsonl" if is_json else "stdin.csv")  # messages name it
        with path.open("wb") as file:
            file.write(head)
            shutil.copyfileobj(stream, file, 1 << 20)
        yield from _from_file(path, dialect, needed, optional, path.name)


def _columns(
    names: Sequence[str], needed: Sequence[str], optional: Sequence[str], subject: str
) -> list[str]:
    missing = [name for name in needed if name not in names]
    if missing:
        shown = ", ".join(f"`{name}`" for name in missing)
        close = nearest(missing[0], [name for name in names if name not in needed])
        note = f"found: {', '.join(names[:30])}{', ...' if len(names) > 30 else ''}"
        raise DataError([Fault(f"{subject} no column {shown}", suggestion=close, note=note)])
    return [*needed, *(name for name in optional if name in names and name not in needed)]
