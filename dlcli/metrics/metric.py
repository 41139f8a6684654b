"""What every metric offers; knows no metric by name."""

from __future__ import annotations

from typing import Protocol, Self

from torch import Tensor


class Metric(Protocol):
    """A fold over batches: however the rows are cut, and in whatever order, its value is the same.

    It is built as `metric(options, size=...)`, with the number of classes or of numbers per row.

    Attributes:
        higher_is_better: Whether a larger value is a better one.
    """

    higher_is_better: bool

    def update(self, answers: Tensor, targets: Tensor) -> None:
        """Take in a batch; on an accelerator nothing waits for it.

        Args:
            answers: (N, K) probabilities or scores of classes; (N,) or (N, D) numbers.
            targets: (N,) int64 classes; (N,) or (N, D) numbers in the same units.
        """

    def merge(self, other: Self) -> None:
        """Take in what another metric of the same options has seen."""

    def value(self) -> float | None:
        """Return the value over all rows so far; None where it is not defined."""
