"""What every kind of data is to the rest of the program: record batches; knows no statistics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import pyarrow as pa

ColumnKind = Literal["numeric", "categorical", "boolean", "date", "text", "image", "steps", "sound"]
Task = Literal["classification", "regression", "forecasting", "language_modeling"]


class Source(Protocol):
    """Records in file order, as often as asked for, in flat memory."""

    @property
    def kinds(self) -> Mapping[str, ColumnKind]:
        """Kind of every usable column, targets included."""

    def chunks(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Yield record batches of these columns (all of them by default), in this order.

        A cell is null, a text, a number, a truth value, a time or a list; each batch says where
        it starts, see `origin`.
        """


@dataclass(frozen=True)
class Sources:
    """An opened data set.

    Attributes:
        train: The rows that are split, or trained on as they are.
        val: Validation rows of their own, if any.
        test: Test rows of their own, if any.
        targets: Columns to predict.
        inputs: Columns to predict from; the group and split columns are in neither.
        fingerprint: sha256 over the bytes that were opened.
        files: A hash of each file's bytes by its path, from the folder where it is below that; none
            where the data are in no files of the user's.
        task: What the data set is known for; None leaves it to the target.
        warnings: What the user should know about these data.
        folder: What paths in the options start from.
        numbers: By `train`, `val` and `test`: which rows of the data (N,) theirs are, 0-based; not
            there where these are all, in order.
    """

    train: Source
    val: Source | None
    test: Source | None
    targets: tuple[str, ...]
    inputs: tuple[str, ...]
    fingerprint: str
    task: Task | None = None
    warnings: tuple[str, ...] = ()
    folder: Path = Path()
    numbers: Mapping[str, np.ndarray] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)


def with_origin(batch: pa.RecordBatch, place: str, row: int) -> pa.RecordBatch:
    """Return the batch with a note of its file and of its first row there, 0-based."""
    return batch.replace_schema_metadata({"place": place, "row": str(row)})


def origin(batch: pa.RecordBatch) -> tuple[str, int]:
    """Return the file of a batch ("" if unknown) and its first row there, 0-based."""
    notes = batch.schema.metadata or {}
    return notes.get(b"place", b"").decode(), int(notes.get(b"row", b"0"))
