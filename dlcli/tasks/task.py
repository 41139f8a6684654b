"""What every task offers; knows no architecture and no encoder."""

from __future__ import annotations

from typing import Any, Protocol, Self

import torch
from torch import Tensor

from dlcli.config.loss import LossOptions
from dlcli.config.options import components


class Task(Protocol):
    """What is learned; immutable."""

    @property
    def name(self) -> str:
        """Its name, as in the config."""
        ...

    @property
    def baseline_name(self) -> str:
        """What its constant answer is called."""
        ...

    @property
    def losses(self) -> tuple[str, ...]:
        """Names of the losses it allows; the first is the default."""
        ...

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics that it is measured by unless others are asked for."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the target columns."""
        ...

    @property
    def size(self) -> int:
        """Number of classes, or of numbers per row: losses and metrics are built with it."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes in the order of their codes; empty where there are none."""
        ...

    def answers(self, linked: Tensor) -> Tensor:
        """What a loss's link makes of outputs -> answers: (N, K) classes, (N,) or (N, D) units."""
        ...

    def truths(self, targets: Tensor) -> Tensor:
        """Targets as trained on -> targets as metrics compare them with answers."""
        ...

    def baseline(self, targets: Tensor) -> Tensor:
        """Return a constant answer to the training targets, for one row: (K,), () or (D,)."""
        ...

    def decode(self, answers: Tensor) -> list[list[Any]]:
        """Return for each target column N classes as the data has them, or N numbers."""
        ...

    def predictions(self, answers: Tensor) -> list[Any]:
        """Return for each row a class as the data has it, a number, or a list of numbers."""
        ...

    def to(self, device: torch.device | str) -> Self:
        """Return the task with its tensors on a device."""
        ...


def losses_of(task: str) -> tuple[str, ...]:
    """Return the names of the losses that a task allows, the default first."""
    return tuple(name for name, options in components(LossOptions).items() if task in options.tasks)
