"""Metrics of tokens told one by one; padding counts for nothing. Knows no task and no loss."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, log
from typing import Self

import torch
from torch import Tensor

from dlcli.config.metric import MetricOptions
from dlcli.data.spec import PADDING


class TokenMean:
    """A mean over tokens.

    Args:
        options: Which direction is better.
        function: Answers (R, V), targets (R,) int64 -> a number (R,) for each.
        finish: What makes the value of the mean.
    """

    def __init__(
        self,
        options: MetricOptions,
        function: Callable[[Tensor, Tensor], Tensor],
        finish: Callable[[float], float] = float,
    ) -> None:
        self.higher_is_better = options.higher_is_better
        self._function, self._finish = function, finish
        self._sums: Tensor | None = None  # (2,): of the numbers, of the tokens

    def update(self, answers: Tensor, targets: Tensor) -> None:
        """Take in answers (N, T, V) and targets (N, T)."""
        targets = targets.flatten().long()
        counts = targets != PADDING
        numbers = self._function(answers.flatten(0, -2), targets).double()
        # Not a selection: its size would have to come from the accelerator.
        self._add(torch.stack([numbers.where(counts, 0).sum(), counts.sum(dtype=torch.float64)]))

    def merge(self, other: Self) -> None:
        """Take in what another one has seen."""
        if other._sums is not None:
            self._add(other._sums)

    def value(self) -> float | None:
        """Return the value over all tokens; None of no tokens."""
        if self._sums is None:
            return None
        total, count = self._sums.tolist()
        return self._finish(total / count) if count else None

    def _add(self, sums: Tensor) -> None:
        self._sums = sums.clone() if self._sums is None else self._sums + sums.to(self._sums.device)


def perplexity(options: MetricOptions, *, size: int) -> TokenMean:  # noqa: ARG001
    """Return the exponential of the mean of -ln p(right token)."""
    return TokenMean(options, _minus_log, exp)


def bits_per_token(options: MetricOptions, *, size: int) -> TokenMean:  # noqa: ARG001
    """Return the mean of -log2 p(right token)."""
    return TokenMean(options, _minus_log, lambda nats: nats / log(2))


def token_accuracy(options: MetricOptions, *, size: int) -> TokenMean:  # noqa: ARG001
    """Return the share of tokens that are the likeliest one."""
    return TokenMean(options, lambda answers, targets: answers.argmax(-1) == targets)


def _minus_log(answers: Tensor, targets: Tensor) -> Tensor:
    """Probabilities (R, V), targets (R,) -> -ln p (R,), at most that of the smallest number."""
    right = answers.gather(1, targets.unsqueeze(1)).squeeze(1)
    return -right.clamp(min=torch.finfo(answers.dtype).tiny).double().log()
