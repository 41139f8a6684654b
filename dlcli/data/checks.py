"""What may be wrong with data that can be trained on: each finding is one warning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b

import numpy as np
import pyarrow as pa

from dlcli.data.encoders.tokens import TokensEncoder
from dlcli.data.examples import Examples
from dlcli.data.preprocessor import Preprocessor
from dlcli.data.sources.cells import texts
from dlcli.data.wording import counted

_ROWS_AT_ONCE = 1 << 14
_BYTES_AT_ONCE = 32 << 20
_WIDE = 1 << 12  # bytes of a row
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # 2**64 over the golden ratio, odd


class TwinCheck:
    """Finds inputs whose every training cell equals the target's.

    Args:
        inputs: Columns to compare.
        targets: Columns to compare with.
    """

    def __init__(self, inputs: Sequence[str], targets: Sequence[str]) -> None:
        self._pairs = [(name, target) for target in targets for name in inputs]
        self._rows = 0

    def watch(self, batch: pa.RecordBatch) -> None:
        """Take in the next training rows."""
        self._rows += batch.num_rows
        self._pairs = [
            (name, target)
            for name, target in self._pairs
            if _equal(batch.column(name), batch.column(target))
        ]

    def warnings(self, *, has_drop: bool = True) -> list[str]:
        """Say which inputs give the answer away, and how to leave them out where `drop` does."""
        if self._rows < 3:
            return []
        return [
            f"input `{name}` equals the target `{target}` in every training row"
            + (f": `drop: [{name}]` leaves it out" if has_drop else "")
            for name, target in self._pairs
        ]


def constant_warnings(preprocessor: Preprocessor, *, remedy: str | None = None) -> list[str]:
    """Say which inputs and targets are the same in every training row.

    Args:
        preprocessor: Fitted.
        remedy: How this kind of data leaves a column out; empty if it cannot, None for `drop`.
    """
    constant = [name for name, encoder in preprocessor.inputs.items() if encoder.is_constant]
    found = [
        f"the target `{name}` is the same in every training row: there is nothing to learn"
        for name, encoder in preprocessor.targets.items()
        if encoder.is_constant
    ]
    if not constant:
        return found
    names = ", ".join(constant)
    remedy = f"`drop: [{names}]` leaves them out" if remedy is None else remedy
    said = f"the same in every training row, so of no use: {names}"
    return [*found, f"{said} ({remedy})" if remedy else said]


def text_warnings(preprocessor: Preprocessor) -> list[str]:
    """Say which texts are empty, cut, or without a known token: a line each."""
    found = []
    for name, encoder in preprocessor.inputs.items():
        if not isinstance(encoder, TokensEncoder):
            continue
        if encoder.empty:
            found.append(f"`{name}` is empty in {counted(encoder.empty, 'training row')}")
        if encoder.cut:
            found.append(
                f"`{name}` is longer than {encoder.length:,} tokens in "
                f"{counted(encoder.cut, 'training row')}, {encoder.longest:,} at most: the first "
                f"{encoder.length:,} are kept (`text: {{max_length: ...}}` keeps more)"
            )
        if not encoder.vocabulary:
            found.append(
                f"every token of `{name}` is unknown, since none is frequent enough: lower "
                f"`text: {{min_count: ...}}`"
            )
    return found


def duplicate_warnings(examples: Mapping[str, Examples]) -> list[str]:
    """Say how many val and test rows are, to the model, the same as a training row."""
    others = [part for part in ("val", "test") if part in examples]
    if not others:
        return []
    trained = row_hashes(examples["train"])
    trained.sort()
    found = []
    for part in others:
        hashes = row_hashes(examples[part])
        place = np.searchsorted(trained, hashes).clip(max=len(trained) - 1)
        count = int((trained[place] == hashes).sum())
        if count:
            found.append(f"{count:,} of {len(hashes):,} {part} rows")
    if not found:
        return []
    return [f"duplicates: {' and '.join(found)} have the inputs and target of a training row"]


def row_hashes(examples: Examples) -> np.ndarray:
    """Return a 64-bit hash of each row (N,), inputs and targets; 8 bytes a row."""
    hashes = np.zeros(len(examples), np.uint64)
    size = max(1, min(_ROWS_AT_ONCE, _BYTES_AT_ONCE * len(examples) // examples.nbytes))
    for start in range(0, len(examples), size):
        stop = min(start + size, len(examples))
        rows = examples.slice(start, stop)
        for tensor in (*rows.inputs.values(), rows.targets):
            values = tensor.numpy().reshape(len(tensor), -1)
            if values.dtype.kind in "iu" and values.shape[1] * values.itemsize > _WIDE:
                values = _digests(values)
            if values.dtype.kind in "iu" and values.shape[1] * values.itemsize % 8 == 0:
                values = values.view(np.uint64)  # eight pixels or four samples at a time
            _mix(hashes[start:stop], values)
    return hashes


def _digests(values: np.ndarray) -> np.ndarray:
    """Return 8 bytes (N, 1) for each row (N, D): faster than cell by cell where rows are wide."""
    rows = (blake2b(row, digest_size=8).digest() for row in np.ascontiguousarray(values))
    return np.frombuffer(b"".join(rows), np.uint64)[:, None]


def _mix(hashes: np.ndarray, values: np.ndarray) -> None:
    """Take cells (N, D) into the hashes (N,) of their rows, in place."""
    unsigned = np.dtype(f"u{values.dtype.itemsize}")
    for column in values.T:
        # adding zero makes -0.0 the same as 0.0
        hashes ^= (column + values.dtype.type(0)).view(unsigned)
        hashes *= _MULTIPLIER
        hashes ^= hashes >> np.uint64(29)


def _equal(one: pa.Array, other: pa.Array) -> bool:
    if one.type == other.type:
        return bool(one.equals(other))
    head = slice(1)  # nearly always tells: turning cells into texts is slow
    if not texts(one[head]).equals(texts(other[head])):
        return False
    return bool(texts(one).equals(texts(other)))
