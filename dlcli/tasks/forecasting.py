"""Forecasting: one number or several at each step of a horizon, told from the steps before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import torch
from torch import Tensor

from dlcli.data.examples import Examples, WindowExamples
from dlcli.data.spec import Window
from dlcli.rounding import rounded
from dlcli.tasks.regression import NumberTarget
from dlcli.tasks.task import Baseline, Report


@dataclass(frozen=True)
class Forecasting:
    """What comes next. Answers (N, H, D) are in the targets' units, in float64.

    Attributes:
        names: Names of the D target columns.
        horizon: Steps H that are told.
        season: Steps from a value to the one of a season before; 0 where there is none.
        scale: Units per one of the encoded target (D,).
        shift: What an encoded target of 0 is in units (D,).
    """

    names: tuple[str, ...]
    horizon: int
    season: int
    scale: Tensor
    shift: Tensor

    name: ClassVar[str] = "forecasting"
    padding: ClassVar[int | None] = None
    report: ClassVar[Report] = "forecast"
    metrics: ClassVar[tuple[str, ...]] = ("scaled_mse", "scaled_mae", "rmse", "mae")
    classes: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def of(cls, targets: Mapping[str, NumberTarget], window: Window | None = None) -> Self:
        """Return the task of these target columns over a window's horizon."""
        assert window is not None
        pairs = torch.tensor(
            [(target.scale, target.shift) for target in targets.values()], dtype=torch.float64
        )
        scale, shift = pairs.T.contiguous()
        return cls(tuple(targets), window.horizon, window.season, scale, shift)

    @property
    def shape(self) -> tuple[int, ...]:
        """(H, D)."""
        return (self.horizon, self.size)

    @property
    def size(self) -> int:
        """Number of target columns."""
        return len(self.names)

    def answers(self, linked: Tensor) -> Tensor:
        """Encoded numbers (N, H, D) -> units."""
        return linked.to(self.scale.dtype) * self.scale + self.shift

    def truths(self, targets: Tensor) -> Tensor:
        """Encoded targets (N, H, D) -> units."""
        return self.answers(targets)

    def baselines(self, train: Examples) -> dict[str, Baseline]:  # noqa: ARG002
        """Return the last value over and over, and the values of the season before."""
        found: dict[str, Baseline] = {"naive": self._repeated(1)}
        if self.season > 1:
            found[f"seasonal naive ({self.season})"] = self._repeated(self.season)
        return found

    def _repeated(self, count: int) -> Baseline:
        """Return the baseline that goes on with the last `count` values, over and over."""

        def answers(examples: WindowExamples, start: int, stop: int) -> Tensor:
            last = examples.past_targets(start, stop)[:, -count:]  # (N, count, D)
            ahead = torch.arange(self.horizon, device=last.device) % count
            return self.truths(last[:, ahead])

        return answers

    def decode(self, answers: Tensor) -> list[list[float]]:
        """Return for each target the numbers of all steps, row by row, to 7 significant digits."""
        return [rounded(column) for column in answers.reshape(-1, self.size).unbind(1)]

    def predictions(self, answers: Tensor) -> list[list[float]] | list[list[list[float]]]:
        """Return for each row a number per step, or per step a list of the targets' numbers."""
        columns = [[rounded(steps) for steps in column.unbind(0)] for column in answers.unbind(-1)]
        if self.size == 1:
            return columns[0]
        rows = zip(*columns, strict=True)
        return [[list(step) for step in zip(*row, strict=True)] for row in rows]

    def to(self, device: torch.device | str) -> Self:
        """Return the task with its tensors on a device."""
        return replace(self, scale=self.scale.to(device), shift=self.shift.to(device))
