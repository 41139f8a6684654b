"""One file as raw record batches, whatever its format."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from dlcli.data.sources.delimited import open_delimited
from dlcli.data.sources.dialect import Dialect
from dlcli.data.sources.jsonl import open_jsonl
from dlcli.data.sources.parquet import open_parquet


class Reader(Protocol):
    """An opened file.

    Attributes:
        path: The file.
        names: Its columns, in order.
        records: Rows by a count that is not the parser's; None where the format leaves no doubt.
        nulled: Its batches already have null for missing values.
        warnings: What the user should know about the file.
    """

    @property
    def path(self) -> Path: ...  # noqa: D102 - see above
    @property
    def names(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def records(self) -> int | None: ...  # noqa: D102
    @property
    def nulled(self) -> bool: ...  # noqa: D102
    @property
    def warnings(self) -> tuple[str, ...]: ...  # noqa: D102

    def batches(
        self, columns: Sequence[str], floats: Collection[str] = ()
    ) -> Iterator[pa.RecordBatch]:
        """Yield these columns from the start of the file.

        Args:
            columns: Names among `names`.
            floats: Columns known to hold plain numbers, which a text format may parse at once.
        """


def open_reader(
    path: Path, dialect: Dialect, *, needed: Collection[str] = (), optional: Collection[str] = ()
) -> Reader:
    """Open a file by its name's ending: .parquet, .jsonl, .ndjson, .json; else CSV or TSV.

    Args:
        path: The file.
        dialect: How its cells are read.
        needed: Columns that a CSV file without a header may have alone (the inputs, to predict).
        optional: Columns that it may lack (the target, to predict).

    Raises:
        DataError: The file is missing, empty, damaged, or has two columns of one name.
    """
    endings = {suffix.lower() for suffix in path.suffixes[-2:]}
    if endings & {".parquet", ".pq"}:
        return open_parquet(path)
    if endings & {".jsonl", ".ndjson", ".json"}:
        return open_jsonl(path, dialect.encoding)
    return open_delimited(path, dialect, needed=needed, optional=optional)
