"""How processes share a training, as one object."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor, nn


class Distribution(Protocol):
    """One process's place among those that train together."""

    rank: int
    world_size: int

    def share(self, order: Tensor) -> Tensor:
        """Return this rank's part of a batch's row numbers."""
        ...

    def synchronize(self, model: nn.Module) -> None:
        """Make every rank's gradients those of the whole batch."""
        ...

    def sum(self, totals: Tensor) -> Tensor:
        """Return the sum of a tensor over all ranks."""
        ...


class SingleProcess:
    """One process alone."""

    rank = 0
    world_size = 1

    def share(self, order: Tensor) -> Tensor:
        """Return all row numbers."""
        return order

    def synchronize(self, model: nn.Module) -> None:
        """Do nothing: the gradients are whole."""

    def sum(self, totals: Tensor) -> Tensor:
        """Return the totals as they are."""
        return totals
