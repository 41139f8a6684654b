"""What one look at every cell of a table tells; kept in the cache where the files are large."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dlcli.config.data import TableOptions
from dlcli.data.cache.hashing import Stamps, recall, remember
from dlcli.data.cache.notes import read_note, write_note
from dlcli.data.cache.seals import key_of
from dlcli.data.sources.counting import RecordCount
from dlcli.data.sources.delimited import DelimitedReader
from dlcli.data.sources.dialect import Dialect
from dlcli.data.sources.jsonl import JsonLinesReader
from dlcli.data.sources.parquet import ParquetReader
from dlcli.data.sources.reader import Reader
from dlcli.data.sources.source import ColumnKind

_LARGE_BYTES = 64 << 20
"""Files below are read in a moment."""

Files = Mapping[str, Sequence[Path]]
"""By the option that names them: `path`, `val_path`, `test_path`."""


@dataclass(frozen=True)
class TableScan:
    """What is known of tables without reading them again.

    Attributes:
        readers: The files as opened, by the option that names them.
        kinds: Kind of every usable column, in the order of the first file.
        plain: Columns that the parser may read as numbers at once, by option.
        warnings: What the user should know.
        hashes: sha256 over the bytes of all files, then of each, in hexadecimal digits.
    """

    readers: Mapping[str, tuple[Reader, ...]]
    kinds: Mapping[str, ColumnKind]
    plain: Mapping[str, frozenset[str]]
    warnings: tuple[str, ...]
    hashes: Sequence[str]


def recalled_scan(
    files: Files, dialect: Dialect, options: TableOptions, stamps: Stamps
) -> TableScan | None:
    """Return what was found when the same files were read with the same options; or None."""
    hashes = None if options.cache == "never" else recall(stamps)
    note = None if hashes is None else read_note(_key(files, options, hashes))
    if hashes is None or note is None:
        return None
    readers = {
        key: tuple(
            _reader(path, dialect, state)
            for path, state in zip(files[key], note["readers"][key], strict=True)
        )
        for key in files
    }
    return TableScan(
        readers,
        dict(note["kinds"]),
        {key: frozenset(names) for key, names in note["plain"].items()},
        tuple(note["warnings"]),
        hashes,
    )


def remember_scan(scan: TableScan, files: Files, options: TableOptions, stamps: Stamps) -> None:
    """Keep what was found, if that took long and the files did not change meanwhile."""
    is_worth_it = options.cache == "always" or stamps.size >= _LARGE_BYTES
    if options.cache == "never" or not is_worth_it or not remember(stamps, scan.hashes):
        return
    write_note(
        _key(files, options, scan.hashes),
        {
            "readers": {key: list(map(_state, group)) for key, group in scan.readers.items()},
            "kinds": [list(pair) for pair in scan.kinds.items()],
            "plain": {key: sorted(names) for key, names in scan.plain.items()},
            "warnings": list(scan.warnings),
        },
    )


def _key(files: Files, options: TableOptions, hashes: Sequence[str]) -> str:
    return key_of(
        what="scan",
        hashes=hashes,
        files={key: [path.name for path in paths] for key, paths in files.items()},
        options=options.model_dump(mode="json", exclude={"augment", "batch_size", "cache"}),
    )


def _state(reader: Reader) -> dict[str, Any]:
    """Return a reader as plain data, without its file and how that is read."""
    if isinstance(reader, DelimitedReader):
        count = asdict(reader.count)
        return {"names": reader.names, "count": count, "header_lines": reader.header_lines}
    kind = "parquet" if isinstance(reader, ParquetReader) else "json lines"
    return {"kind": kind, "names": reader.names, "records": reader.records}


def _reader(path: Path, dialect: Dialect, state: Mapping[str, Any]) -> Reader:
    names = tuple(state["names"])
    if "count" in state:
        count = RecordCount(**state["count"])
        return DelimitedReader(path, names, dialect, count, state["header_lines"])
    if state["kind"] == "parquet":
        return ParquetReader(path, names, state["records"])
    return JsonLinesReader(path, names, dialect.encoding, state["records"])
