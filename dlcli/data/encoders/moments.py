"""Count, mean, deviation and range of a stream of numbers, in one pass."""

from __future__ import annotations

import math

import numpy as np


class Moments:
    """Running moments in float64, merged chunk by chunk.

    Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample
    variances", 1979: exact where summing squares would cancel.
    """

    def __init__(self) -> None:
        self.count = 0
        self.mean = 0.0
        self.low = math.inf
        self.high = -math.inf
        self._squares = 0.0  # sum of squared deviations from the mean

    def add(self, values: np.ndarray) -> None:
        """Take in numbers (N,), none of them missing."""
        count = len(values)
        if not count:
            return
        with np.errstate(over="ignore", invalid="ignore"):  # not finite then, which fits refuse
            mean = float(values.mean())
            squares = float(np.square(values - mean).sum())
        step = mean - self.mean
        total = self.count + count
        self._squares += squares + step * step * self.count * count / total
        self.mean += step * count / total
        self.count = total
        self.low = min(self.low, float(values.min()))
        self.high = max(self.high, float(values.max()))

    @property
    def deviation(self) -> float:
        """Standard deviation of all that was seen, dividing by the count."""
        return math.sqrt(self._squares / self.count) if self.count else 0.0

    @property
    def is_constant(self) -> bool:
        """No two values differ."""
        return not self.low < self.high
