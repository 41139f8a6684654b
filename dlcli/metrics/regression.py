"""Metrics of told numbers, as scikit-learn defines them; sums in float64, knows no task."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from dlcli.config.metric import MetricOptions


class MeanError:
    """The mean of an error; of several targets, the mean over them.

    Args:
        options: Which direction is better.
        error: Answers, targets (N, D) float64 -> the error of each (N, D).
        finish: What makes the value of a target's mean error, (D,) -> (D,).
    """

    def __init__(
        self,
        options: MetricOptions,
        error: Callable[[Tensor, Tensor], Tensor],
        finish: Callable[[Tensor], Tensor],
    ) -> None:
        self.higher_is_better = options.higher_is_better
        self._error, self._finish = error, finish
        self._sum: Tensor | None = None  # (D,)
        self._rows = 0

    def update(self, answers: Tensor, targets: Tensor) -> None:
        """Take in answers and targets, (N,), (N, D) or (N, H, D)."""
        errors = self._error(_wide(answers), _wide(targets))
        self._add(errors.sum(0))
        self._rows += len(errors)

    def merge(self, other: Self) -> None:
        """Take in what another one has seen."""
        if other._sum is not None:
            self._add(other._sum)
        self._rows += other._rows

    def value(self) -> float | None:
        """Return the mean over all rows; None of no rows."""
        if self._sum is None or not self._rows:
            return None
        return float(self._finish(self._sum / self._rows).mean())

    def _add(self, total: Tensor) -> None:
        self._sum = total.clone() if self._sum is None else self._sum + total.to(self._sum.device)


def mean_error(options: MetricOptions, *, size: int) -> MeanError:  # noqa: ARG001
    """Return mse, rmse, mae or mape."""
    return MeanError(options, *_ERRORS[options.name])


def scaled_error(options: MetricOptions, *, size: int, scale: Tensor) -> MeanError:  # noqa: ARG001
    """Return the error of numbers over their scale, () or (D,): scaled_mse or scaled_mae."""
    error, finish = _ERRORS[options.name.removeprefix("scaled_")]
    return MeanError(options, lambda told, true: error(told / scale, true / scale), finish)


class R2:
    """One minus the squared errors over the targets' squared distances from their mean.

    As in scikit-learn: of several targets the mean over them; where all targets are equal, 1 for
    no error and else 0; undefined below two rows.
    """

    def __init__(self, options: MetricOptions, *, size: int) -> None:  # noqa: ARG002
        self.higher_is_better = options.higher_is_better
        self._errors: Tensor | None = None  # (D,) sum of squared errors
        self._spread: _Spread | None = None

    def update(self, answers: Tensor, targets: Tensor) -> None:
        """Take in answers and targets, (N,), (N, D) or (N, H, D)."""
        if not len(targets):
            return
        wide = _wide(targets)
        self._add((_wide(answers) - wide).square().sum(0), _Spread.of(wide))

    def merge(self, other: Self) -> None:
        """Take in what another one has seen."""
        if other._errors is not None and other._spread is not None:
            self._add(other._errors, other._spread)

    def value(self) -> float | None:
        """Return the score over all rows; None below two rows."""
        if self._errors is None or self._spread is None or self._spread.rows < 2:
            return None
        errors, squares = self._errors, self._spread.squares
        varied = 1 - errors / squares.where(squares > 0, 1)
        return float(varied.where(squares > 0, (errors == 0).to(errors.dtype)).mean())

    def _add(self, errors: Tensor, spread: _Spread) -> None:
        if self._errors is None or self._spread is None:
            self._errors, self._spread = errors, spread
        else:
            self._errors = self._errors + errors.to(self._errors.device)
            self._spread = self._spread.joined(spread)


@dataclass(frozen=True)
class _Spread:
    """Rows, their mean and their squared distances from it, each (D,)."""

    rows: int
    mean: Tensor
    squares: Tensor

    @staticmethod
    def of(values: Tensor) -> _Spread:
        # Off the first row, so that equal values have no spread at all, whatever their size.
        shifted = values - values[0]
        mean = shifted.mean(0)
        return _Spread(len(values), values[0] + mean, (shifted - mean).square().sum(0))

    def joined(self, other: _Spread) -> _Spread:
        """Chan, Golub, LeVeque: Updating formulae and a pairwise algorithm (1979), eq. 2.1."""
        rows = self.rows + other.rows
        apart = other.mean.to(self.mean.device) - self.mean
        squares = self.squares + other.squares.to(self.squares.device)
        return _Spread(
            rows,
            self.mean + apart * (other.rows / rows),
            squares + apart.square() * (self.rows * other.rows / rows),
        )


def _wide(values: Tensor) -> Tensor:
    """(N,) -> (N, 1) float64; (N, D) as it is; (N, H, D) -> (N * H, D)."""
    return (values.flatten(0, -2) if values.ndim > 1 else values.unsqueeze(1)).double()


def _squared(answers: Tensor, targets: Tensor) -> Tensor:
    return (answers - targets).square()


def _absolute(answers: Tensor, targets: Tensor) -> Tensor:
    return (answers - targets).abs()


def _relative(answers: Tensor, targets: Tensor) -> Tensor:
    return (answers - targets).abs() / targets.abs().clamp(min=torch.finfo(torch.float64).eps)


def _as_it_is(means: Tensor) -> Tensor:
    return means


_ERRORS: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "mse": (_squared, _as_it_is),
    "rmse": (_squared, torch.sqrt),
    "mae": (_absolute, _as_it_is),
    "mape": (_relative, _as_it_is),
}
