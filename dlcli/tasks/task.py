"""What every task offers; knows no architecture and no encoder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol, Self

import torch
from torch import Tensor

from dlcli.config.loss import LossOptions
from dlcli.config.options import components
from dlcli.data.examples import Examples

Baseline = Callable[[Any, int, int], Tensor]
"""(examples, start, stop) -> answers (N, ...) as a model's are."""
Report = Literal["classes", "numbers", "forecast", "scores"]
"""What an evaluation shows: the scores with intervals and each class, told against true numbers or
forecasts beside the truth; or the scores alone."""


class Task(Protocol):
    """What is learned; immutable."""

    @property
    def name(self) -> str:
        """Its name, as in the config."""
        ...

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics that it is measured by unless others are asked for."""
        ...

    @property
    def report(self) -> Report:
        """What an evaluation shows of it."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the target columns."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """What is told of an example: (K,) classes, () or (D,) numbers, (H, D) over a horizon."""
        ...

    @property
    def size(self) -> int:
        """Number of classes, or of targets: metrics are built with it."""
        ...

    @property
    def padding(self) -> int | None:
        """Where every step is told, the target code that counts for nothing; else None."""
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

    def baselines(self, train: Examples) -> Mapping[str, Baseline]:
        """Return answers that need no model, by what they are called, the best known first."""
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


def constant(answer: Tensor) -> Baseline:
    """Return the baseline that answers every example alike: with (K,), () or (D,)."""

    def answers(_examples: Examples, start: int, stop: int) -> Tensor:
        return answer.expand(stop - start, *answer.shape)

    return answers


def losses_of(task: str) -> tuple[str, ...]:
    """Return the names of the losses that a task allows, the default first."""
    return tuple(name for name, options in components(LossOptions).items() if task in options.tasks)
