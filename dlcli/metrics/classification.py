"""Metrics of told classes, as scikit-learn defines them; knows no task and no loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import torch
from torch import Tensor

from dlcli.config.metric import (
    ClassificationMetricOptions,
    ClassScoreOptions,
    MetricOptions,
    TopKOptions,
)
from dlcli.errors import ConfigError


class RowMean:
    """The mean of one number per row.

    Args:
        options: Which direction is better.
        function: Answers (N, K), targets (N,) -> one number per row, (N,) bool or floating point.
    """

    def __init__(
        self, options: MetricOptions, function: Callable[[Tensor, Tensor], Tensor]
    ) -> None:
        self.higher_is_better = options.higher_is_better
        self._function = function
        self._sum: Tensor | None = None
        self._rows = 0

    def update(self, answers: Tensor, targets: Tensor) -> None:
        """Take in answers (N, K) and targets (N,)."""
        values = self._function(answers, targets)
        self._add(values.sum(dtype=torch.float64 if values.is_floating_point() else torch.int64))
        self._rows += len(targets)

    def merge(self, other: Self) -> None:
        """Take in what another one has seen."""
        if other._sum is not None:
            self._add(other._sum)
        self._rows += other._rows

    def value(self) -> float | None:
        """Return the mean over all rows; None of no rows."""
        return None if self._sum is None or not self._rows else self._sum.item() / self._rows

    def _add(self, total: Tensor) -> None:
        self._sum = total.clone() if self._sum is None else self._sum + total.to(self._sum.device)


class ClassMean:
    """A mean over classes of a score made of each class's hits, told rows and own rows.

    As in scikit-learn with `zero_division=0`, a class that neither occurs nor is told does not
    count, and a share of nothing is 0.

    Args:
        options: Which direction is better.
        size: Number of classes.
        score: Hits, told, own (K,) float64 -> the score of each class (K,).
        is_weighted: Whether a class counts by its own rows.
    """

    def __init__(
        self,
        options: MetricOptions,
        size: int,
        score: Callable[[Tensor, Tensor, Tensor], Tensor],
        *,
        is_weighted: bool,
    ) -> None:
        self.higher_is_better = options.higher_is_better
        self._size, self._score, self._is_weighted = size, score, is_weighted
        self._counts: Tensor | None = None  # (3, K): hits, told, own

    def update(self, answers: Tensor, targets: Tensor) -> None:
        """Take in answers (N, K) and targets (N,)."""
        told = answers.argmax(-1)
        # Not bincount: it waits for the accelerator. A miss counts in a class of its own, dropped.
        hits = torch.where(told == targets, targets, self._size)
        self._add(torch.stack([self._count(codes) for codes in (hits, told, targets)]))

    def merge(self, other: Self) -> None:
        """Take in what another one has seen."""
        if other._counts is not None:
            self._add(other._counts)

    def value(self) -> float | None:
        """Return the mean over the classes that occur or are told; None of no rows."""
        if self._counts is None or not self._counts.any():
            return None
        hits, told, own = self._counts.cpu().double()
        weights = own if self._is_weighted else ((told + own) > 0).double()
        return float((self._score(hits, told, own) * weights).sum() / weights.sum())

    def _count(self, codes: Tensor) -> Tensor:
        counts = codes.new_zeros(self._size + 1)
        return counts.scatter_add_(0, codes, torch.ones_like(codes))[: self._size]

    def _add(self, counts: Tensor) -> None:
        known = self._counts
        self._counts = counts.clone() if known is None else known + counts.to(known.device)


def accuracy(options: ClassificationMetricOptions, *, size: int) -> RowMean:  # noqa: ARG001
    """Return the share of rows whose class is told right."""
    return RowMean(options, lambda answers, targets: answers.argmax(-1) == targets)


def top_k(options: TopKOptions, *, size: int) -> RowMean:
    """Return the share of rows in which fewer than k classes score higher than the right one.

    Raises:
        ConfigError: There are no more than k classes.
    """
    if options.k >= size:
        raise ConfigError(
            f"`top_k` with `k: {options.k}` is always 1: the target has {size} classes",
            path=("metrics",),
            suggestion=f"give `k` below {size}" if size > 2 else "use `accuracy`",
        )

    def is_among(answers: Tensor, targets: Tensor) -> Tensor:
        right = answers.gather(1, targets.unsqueeze(1))  # (N, 1)
        return (answers > right).sum(1) < options.k

    return RowMean(options, is_among)


def log_loss(options: ClassificationMetricOptions, *, size: int) -> RowMean:  # noqa: ARG001
    """Return the mean of -log p(right class), p kept off 0 and 1 by its type's epsilon."""

    def minus_log(answers: Tensor, targets: Tensor) -> Tensor:
        epsilon = torch.finfo(answers.dtype).eps
        right = answers.gather(1, targets.unsqueeze(1)).squeeze(1)
        return -right.clamp(epsilon, 1 - epsilon).double().log()

    return RowMean(options, minus_log)


def class_score(options: ClassScoreOptions, *, size: int) -> ClassMean:
    """Return precision, recall or f1 as a mean over classes, plain or weighted by their rows."""
    score, _, average = options.name.rpartition("_")
    return ClassMean(options, size, _SCORES[score], is_weighted=average == "weighted")


def _precision(hits: Tensor, told: Tensor, own: Tensor) -> Tensor:  # noqa: ARG001
    return hits / told.clamp(min=1)


def _recall(hits: Tensor, told: Tensor, own: Tensor) -> Tensor:  # noqa: ARG001
    return hits / own.clamp(min=1)


def _f1(hits: Tensor, told: Tensor, own: Tensor) -> Tensor:
    return 2 * hits / (told + own).clamp(min=1)


_SCORES = {"precision": _precision, "recall": _recall, "f1": _f1}
