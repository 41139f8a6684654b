"""Adult by the shortest way that gives the inputs of `adult.py`: Arrow reads, numpy spreads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from benchmarks.peers.terms import Arrays
from benchmarks.works import ADULT_COLUMNS


def prepared(folder: Path) -> Arrays:
    """Read the tables and turn them into inputs (N, F) float32 and classes (N,)."""
    train, test = (_read(folder / f"adult-{part}.csv") for part in ("train", "test"))
    inputs: list[list[np.ndarray]] = [[], []]
    for name in ADULT_COLUMNS[:-1]:
        spread = _one_hot if pa.types.is_string(train[name].type) else _standard
        for block, part in zip(spread(train[name], test[name]), inputs, strict=True):
            part.append(block)
    targets = [
        pc.match_substring(table["income"], ">50K").to_numpy().astype(np.int64)
        for table in (train, test)
    ]
    return Arrays(np.hstack(inputs[0]), targets[0], np.hstack(inputs[1]), targets[1])


def _read(path: Path) -> pa.Table:
    return pa_csv.read_csv(path, read_options=pa_csv.ReadOptions(column_names=ADULT_COLUMNS))


def _standard(train: pa.ChunkedArray, test: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """Return both parts (N, 1) at the training part's mean 0 and deviation 1."""
    numbers = train.to_numpy()
    mean, std = numbers.mean(), numbers.std(ddof=1)
    return tuple(
        ((part.to_numpy() - mean) / std)[:, None].astype(np.float32) for part in (train, test)
    )


def _one_hot(train: pa.ChunkedArray, test: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """Return both parts (N, K), a column for each category of the training part."""
    names = pc.unique(train)
    codes = (pc.index_in(part, value_set=names).fill_null(len(names)) for part in (train, test))
    eye = np.eye(len(names) + 1, len(names), dtype=np.float32)
    return tuple(eye[part.to_numpy()] for part in codes)
