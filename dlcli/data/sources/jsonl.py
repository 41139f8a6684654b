"""JSON lines: each block is parsed with types of its own, so columns may mix types."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.json as pa_json

from dlcli.data.sources.cells import records_batch
from dlcli.data.sources.files import blocks, check_width, open_text
from dlcli.errors import DataError


@dataclass(frozen=True)
class JsonLinesReader:
    """A file of one JSON object per line, or of one list of objects; see `Reader`."""

    path: Path
    names: tuple[str, ...]
    encoding: str
    records: int
    nulled: bool = False
    warnings: tuple[str, ...] = ()

    def batches(
        self,
        columns: Sequence[str],
        floats: Collection[str] = (),  # noqa: ARG002 - the values have types already
    ) -> Iterator[pa.RecordBatch]:
        """Yield these columns; see `Reader.batches`."""
        for batch in _batches(self.path, self.encoding):
            arrays = [
                batch.column(name)
                if name in batch.schema.names
                else pa.nulls(batch.num_rows, pa.string())
                for name in columns
            ]
            yield pa.record_batch(arrays, names=list(columns))


def open_jsonl(path: Path, encoding: str) -> JsonLinesReader:
    """Open a file of JSON records; its columns are the keys of all its lines.

    Raises:
        DataError: The file is missing or empty, or a line is not a JSON object.
    """
    check_width(path, encoding)
    names: dict[str, None] = {}
    rows = 0
    for batch in _batches(path, encoding):
        names |= dict.fromkeys(batch.schema.names)
        rows += batch.num_rows
    if not rows:
        raise DataError(f"{path.name} is empty")
    return JsonLinesReader(path, tuple(names), encoding, rows)


def _batches(path: Path, encoding: str) -> Iterator[pa.RecordBatch]:
    lines = 0
    try:
        with open_text(path, encoding) as stream:
            for block in blocks(stream):
                if lines == 0 and block.lstrip().startswith(b"["):
                    yield _list_batch(path, block + stream.read())
                    return
                yield from _parse(path, block, lines)
                lines += block.count(b"\n")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path.name} is not {encoding} text", suggestion="set `encoding`"
        ) from error


def _parse(path: Path, block: bytes, lines: int) -> Iterator[pa.RecordBatch]:
    if not block.strip():
        return
    try:
        table = pa_json.read_json(
            pa.BufferReader(block), pa_json.ReadOptions(use_threads=False, block_size=len(block))
        )
    except pa.ArrowInvalid:
        yield _slow_parse(path, block, lines)
        return
    if any(pa.types.is_timestamp(field.type) for field in table.schema):
        yield _slow_parse(path, block, lines)  # pyarrow would turn texts that look like dates
    else:
        yield from table.combine_chunks().to_batches()


def _slow_parse(path: Path, block: bytes, lines: int) -> pa.RecordBatch:
    """Parse line by line: mixed types, dates that must stay texts, faults to be named."""
    records: list[dict[str, object]] = []
    for number, line in enumerate(block.split(b"\n"), lines + 1):
        if line.strip():
            records.append(_record(path, line, number))
    return _of_records(records)


def _record(path: Path, line: bytes, number: int) -> dict[str, object]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path.name}, line {number}: not JSON ({error})") from error
    if not isinstance(record, dict):
        raise DataError(
            f"{path.name}, line {number}: found a {type(record).__name__} where an object "
            '`{"column": value, ...}` was expected'
        )
    return record


def _list_batch(path: Path, content: bytes) -> pa.RecordBatch:
    try:
        records = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path.name}: not JSON ({error})") from error
    if not all(isinstance(record, dict) for record in records):
        raise DataError(f"{path.name}: a list of objects was expected")
    return _of_records(records)


def _of_records(records: list[dict[str, object]]) -> pa.RecordBatch:
    names = dict.fromkeys(name for record in records for name in record)
    return records_batch(records, list(names))
