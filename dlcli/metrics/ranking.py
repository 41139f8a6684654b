"""Metrics of how scores rank the rows; knows no task and no loss."""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor

from dlcli.config.metric import MetricOptions


class ROCAUC:
    """Area under the ROC curve: of two classes the second's, of more the mean of one against rest.

    It is exact, and so keeps all scores: 4 bytes per row and class, of two classes per row. Rows
    that tie count half. A class that no row has, or every row, does not count; without any other
    the area is undefined.
    """

    def __init__(self, options: MetricOptions, *, size: int) -> None:
        self.higher_is_better = options.higher_is_better
        self._classes = (1,) if size == 2 else tuple(range(size))
        self._scores: list[Tensor] = []  # (N, K), or (N, 1) of two classes
        self._targets: list[Tensor] = []  # (N,)

    def update(self, answers: Tensor, targets: Tensor) -> None:
        """Take in answers (N, K) and targets (N,)."""
        self._scores.append(answers[:, self._classes[0] :].clone())
        self._targets.append(targets.clone())

    def merge(self, other: Self) -> None:
        """Take in what another one has seen."""
        self._scores += other._scores
        self._targets += other._targets

    def value(self) -> float | None:
        """Return the area; None where no class has both rows of its own and others."""
        if not self._targets:
            return None
        scores = torch.cat([part.cpu() for part in self._scores])
        targets = torch.cat([part.cpu() for part in self._targets])
        areas = [
            _area(column, targets == code)
            for code, column in zip(self._classes, scores.unbind(1), strict=True)
        ]
        defined = [area for area in areas if area is not None]
        return sum(defined) / len(defined) if defined else None


def _area(scores: Tensor, is_positive: Tensor) -> float | None:
    """Return the share of (positive, negative) pairs in which the positive scores higher.

    Counted in whole numbers, each pair twice: a tie is one of two.
    """
    positives, negatives = scores[is_positive], scores[~is_positive].sort().values
    if not len(positives) or not len(negatives):
        return None
    positives = positives.sort().values  # neighbours then search in the same places
    twice_wins = sum(
        int(torch.searchsorted(negatives, positives, right=right).sum()) for right in (False, True)
    )
    return twice_wins / (2 * len(positives) * len(negatives))
