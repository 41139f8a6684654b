"""A source over a small table in memory; knows not where it came from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from dlcli.data.sources.source import ColumnKind, with_origin


@dataclass(frozen=True)
class MemorySource:
    """Rows held in memory.

    Attributes:
        table: The rows.
        kinds: Kind of every column.
        place: What messages call the data.
    """

    table: pa.Table
    kinds: Mapping[str, ColumnKind]
    place: str

    def chunks(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Yield the rows; see `Source.chunks`."""
        names = list(self.table.column_names if columns is None else columns)
        row = 0
        for batch in self.table.select(names).to_batches(max_chunksize=1 << 16):
            yield with_origin(batch, self.place, row)
            row += batch.num_rows

    def fingerprint(self) -> str:
        """Return sha256 over the columns' names and values."""
        return hashlib.sha256(repr(self.table.to_pydict()).encode()).hexdigest()
