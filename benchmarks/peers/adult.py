"""Adult as pandas users prepare it: one column for each category, numbers at deviation 1."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.peers.terms import Arrays
from benchmarks.works import ADULT_COLUMNS


def read(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the training and the test table; the target's names lose the test part's point."""
    train, test = (
        pd.read_csv(folder / f"adult-{part}.csv", names=ADULT_COLUMNS, skipinitialspace=True)
        for part in ("train", "test")
    )
    test["income"] = test["income"].str.rstrip(".")
    return train, test


def prepared(folder: Path) -> Arrays:
    """Read the tables and turn them into inputs (N, F) float32 and classes (N,)."""
    train, test = read(folder)
    targets = [(table.pop("income") == ">50K").to_numpy(np.int64) for table in (train, test)]
    train_inputs = pd.get_dummies(train)
    test_inputs = pd.get_dummies(test).reindex(columns=train_inputs.columns, fill_value=0)
    numbers = train.select_dtypes("number").columns
    mean, std = train[numbers].mean(), train[numbers].std()
    for inputs in (train_inputs, test_inputs):
        inputs[numbers] = (inputs[numbers] - mean) / std
    return Arrays(
        train_inputs.to_numpy(np.float32), targets[0], test_inputs.to_numpy(np.float32), targets[1]
    )
