"""Regression: each row has one number or several."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Protocol, Self

import torch
from torch import Tensor

from dlcli.data.examples import Examples
from dlcli.data.spec import Window
from dlcli.rounding import rounded
from dlcli.tasks.task import Baseline, Report, constant


class NumberTarget(Protocol):
    """What the task needs to know of a target's encoder: `units = encoded * scale + shift`."""

    @property
    def scale(self) -> float:
        """Units per one of the encoded target."""
        ...

    @property
    def shift(self) -> float:
        """What an encoded target of 0 is in units."""
        ...


@dataclass(frozen=True)
class Regression:
    """How large one or several numbers are. Answers are in the targets' units, in float64.

    Attributes:
        names: Names of the target columns.
        scale: Units per one of the encoded target, () for one target, (D,) for several.
        shift: What an encoded target of 0 is in units, likewise.
    """

    names: tuple[str, ...]
    scale: Tensor
    shift: Tensor

    name: ClassVar[str] = "regression"
    padding: ClassVar[int | None] = None
    report: ClassVar[Report] = "numbers"
    metrics: ClassVar[tuple[str, ...]] = ("rmse", "mae", "r2")
    classes: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def of(cls, targets: Mapping[str, NumberTarget], window: Window | None = None) -> Self:  # noqa: ARG003
        """Return the task of these target columns; each scaling is affine."""
        pairs = torch.tensor(
            [(target.scale, target.shift) for target in targets.values()], dtype=torch.float64
        )
        scale, shift = pairs[0] if len(pairs) == 1 else pairs.T.contiguous()
        return cls(tuple(targets), scale, shift)

    @property
    def shape(self) -> tuple[int, ...]:
        """() for one number, (D,) for several."""
        return () if self.size == 1 else (self.size,)

    @property
    def size(self) -> int:
        """Number of target columns."""
        return len(self.names)

    def answers(self, linked: Tensor) -> Tensor:
        """Encoded numbers (N,) or (N, D) -> units."""
        return linked.to(self.scale.dtype) * self.scale + self.shift

    def truths(self, targets: Tensor) -> Tensor:
        """Encoded targets (N,) or (N, D) -> units."""
        return self.answers(targets)

    def baselines(self, train: Examples) -> dict[str, Baseline]:
        """Return the mean of the targets in units, () or (D,)."""
        return {"mean": constant(self.truths(train.targets).mean(0))}

    def decode(self, answers: Tensor) -> list[list[float]]:
        """Return the numbers of each target column, in units, to 7 significant digits."""
        return [rounded(column) for column in answers.reshape(len(answers), self.size).unbind(1)]

    def predictions(self, answers: Tensor) -> list[float] | list[list[float]]:
        """Return for each row its number, or a list of its numbers; see `decode`."""
        columns = self.decode(answers)
        return columns[0] if self.size == 1 else [list(row) for row in zip(*columns, strict=True)]

    def to(self, device: torch.device | str) -> Self:
        """Return the task with its tensors on a device."""
        return replace(self, scale=self.scale.to(device), shift=self.shift.to(device))
