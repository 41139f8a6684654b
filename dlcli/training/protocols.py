"""What the engine asks of the parts that it drives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from torch import Tensor

from dlcli.training.randomness import Order
from dlcli.training.state import EpochReport

Schedule = Callable[[int, Sequence[EpochReport]], float]
"""(step 0-based, history) -> factor of the optimizer's learning rate; pure."""


class Batch(Protocol):
    """Rows that go through the model together."""

    @property
    def inputs(self) -> dict[str, Tensor]:
        """Tensors (N, ...) by name, what the model's forward takes."""
        ...

    @property
    def targets(self) -> Tensor:
        """Targets (N, ...), what the loss takes."""
        ...

    def __len__(self) -> int: ...

    def parts(self, count: int) -> Iterable[Batch]:
        """Yield up to `count` parts of nearly equal size."""
        ...


class Examples(Protocol):
    """Rows that can be taken by number."""

    def __len__(self) -> int: ...

    def take(self, index: Tensor) -> Batch:
        """Return the rows with these numbers, in this order."""
        ...

    def slice(self, start: int, stop: int) -> Batch:
        """Return the rows from start up to stop; views where possible."""
        ...

    def for_epoch(self, seed: int, epoch: int) -> Examples:
        """Return the rows as an epoch (0-based) trains on them, as many as ever; pure."""
        ...

    def order(self, seed: int, epoch: int) -> Order:
        """Return the order in which an epoch (0-based) visits all rows; pure."""
        ...


class Loss(Protocol):
    """A mean over `weight(targets)`."""

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean loss, a scalar."""
        ...

    def weight(self, targets: Tensor) -> Tensor | float:
        """Return what the mean divides by: tokens, the sum of class weights, or, a number, rows."""
        ...


class Optimizer(Protocol):
    """Turns gradients into a step."""

    lr: float

    def step(self, lr: float, skip: Tensor | None = None) -> None:
        """Update the parameters in place from their gradients.

        Args:
            lr: The learning rate.
            skip: (1,) on their device, 1.0 for no update after all; None, like 0.0, makes it.
        """
        ...

    def zero_grad(self) -> None:
        """Forget the gradients."""
        ...

    def state(self) -> dict[str, Tensor]:
        """Return the state by name."""
        ...

    def load(self, state: dict[str, Tensor]) -> None:
        """Take up a state that `state` returned."""
        ...
