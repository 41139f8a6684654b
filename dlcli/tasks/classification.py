"""Classification: each row is of one class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, Self

import torch
from torch import Tensor

from dlcli.data.examples import Examples
from dlcli.data.spec import Window
from dlcli.tasks.task import Baseline, Report, constant

Label = str | int | float | bool
"""A class as the data has it."""


class ClassTarget(Protocol):
    """What the task needs to know of its target's encoder."""

    @property
    def classes(self) -> Sequence[Label]:
        """The classes, in the order of their codes."""
        ...


@dataclass(frozen=True)
class Classification:
    """Which of several classes a row belongs to. Answers are (N, K), the largest wins.

    Attributes:
        names: Name of the target column, alone.
        labels: The classes as the data has them, in the order of their codes.
    """

    names: tuple[str, ...]
    labels: tuple[Label, ...]

    name: ClassVar[str] = "classification"
    padding: ClassVar[int | None] = None
    report: ClassVar[Report] = "classes"
    metrics: ClassVar[tuple[str, ...]] = ("accuracy", "f1_macro")

    @classmethod
    def of(cls, targets: Mapping[str, ClassTarget], window: Window | None = None) -> Self:  # noqa: ARG003
        """Return the task of one target column, of windows too."""
        ((name, target),) = targets.items()
        return cls((name,), tuple(target.classes))

    @property
    def shape(self) -> tuple[int, ...]:
        """(K,)."""
        return (self.size,)

    @property
    def size(self) -> int:
        """Number of classes."""
        return len(self.labels)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes as a config has them: `true` and `1` are texts here."""
        return tuple(str(x).lower() if isinstance(x, bool) else str(x) for x in self.labels)

    def answers(self, linked: Tensor) -> Tensor:
        """Return probabilities or scores (N, K) as they are."""
        return linked

    def truths(self, targets: Tensor) -> Tensor:
        """Return the codes (N,) as they are."""
        return targets

    def baselines(self, train: Examples) -> dict[str, Baseline]:
        """Return the share of each class (K,), whose largest is the majority class."""
        counts = train.targets.bincount(minlength=self.size).double()
        return {"majority class": constant(counts / counts.sum())}

    def decode(self, answers: Tensor) -> list[list[Label]]:
        """Return the likeliest class of each row, as the one target column."""
        return [self.predictions(answers)]

    def predictions(self, answers: Tensor) -> list[Label]:
        """Return the likeliest class of each row."""
        return [self.labels[code] for code in answers.argmax(-1).tolist()]

    def to(self, device: torch.device | str) -> Self:  # noqa: ARG002
        """Return itself: it holds no tensors."""
        return self
