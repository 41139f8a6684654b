"""What every kind of data becomes before training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from torch import Tensor

from dlcli.data.examples import Examples
from dlcli.data.preprocessor import Preprocessor
from dlcli.data.sources.source import Task


def listed(numbers: np.ndarray) -> str:
    """Return whole numbers (N,) as text, a comma between two: 30 ns for each."""
    texts = pa.array(numbers).cast(pa.string())
    whole = pa.ListArray.from_arrays(pa.array([0, len(texts)], pa.int32()), texts)
    return str(pc.binary_join(whole, ",")[0])


@dataclass(frozen=True)
class Prepared:
    """A data set ready to train on.

    Attributes:
        task: What is learned.
        task_reason: Why, in words.
        preprocessor: Fitted on the training rows.
        examples: Encoded rows by part; a part without rows is not there.
        rows: Per part, rows of its file (of all its files, one after the other; those left out
            are counted), its tokens, or its sequences in the order of their first rows, 0-based.
        fingerprint: sha256 over what was read.
        files: A hash of each file; see `Sources`.
        warnings: What the user should know, each once.
        class_counts: Training rows per class (K,) int64; None where there are no classes.
    """

    task: Task
    task_reason: str
    preprocessor: Preprocessor
    examples: Mapping[str, Examples]
    rows: Mapping[str, np.ndarray | range]
    fingerprint: str
    files: Mapping[str, str]
    warnings: tuple[str, ...]
    class_counts: Tensor | None
