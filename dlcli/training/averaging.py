"""Averages of the weights over training, as one object."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from torch import Tensor, nn


class Averaging(Protocol):
    """Follows the weights and lends its averages for evaluation."""

    def update(self, model: nn.Module) -> None:
        """Take in the weights after an optimizer step."""
        ...

    def applied(self, model: nn.Module) -> AbstractContextManager[None]:
        """Return a context in which the model has the averaged weights."""
        ...

    def state(self) -> dict[str, Tensor]:
        """Return the averages by parameter name."""
        ...

    def load(self, state: dict[str, Tensor]) -> None:
        """Take up the averages that `state` returned."""
        ...


class NoAveraging:
    """The weights as they are."""

    def update(self, model: nn.Module) -> None:
        """Do nothing."""

    def applied(self, model: nn.Module) -> AbstractContextManager[None]:  # noqa: ARG002
        """Return a context that changes nothing."""
        return nullcontext()

    def state(self) -> dict[str, Tensor]:
        """Return nothing: there are no averages."""
        return {}

    def load(self, state: dict[str, Tensor]) -> None:
        """Do nothing: there are no averages."""
