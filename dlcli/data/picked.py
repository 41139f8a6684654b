"""Rows of one part, picked from blocks that the parts share; knows not what is in them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from dlcli.data.spec import Batch
from dlcli.training.randomness import Order, sized_order


@dataclass(frozen=True)
class PickedExamples:
    """Examples whose inputs lie among those of other parts; see `Examples`.

    Attributes:
        inputs: Block name to tensor (R, ...) of all parts, mapped from a file.
        rows: Which of its rows (N,) int64 are those of the part, ascending.
        targets: See `Batch.targets`; of the part alone.
        mapped: What keeps the file in use.
    """

    inputs: dict[str, Tensor]
    rows: Tensor
    targets: Tensor
    mapped: object

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def nbytes(self) -> int:
        """Bytes of the part's own rows."""
        blocks = sum(block[:1].nbytes for block in self.inputs.values())
        return len(self) * blocks + self.targets.nbytes

    def take(self, index: Tensor) -> Batch:
        """Return the examples at `index` (N,)."""
        rows = self.rows.index_select(0, index)
        blocks = {name: block.index_select(0, rows) for name, block in self.inputs.items()}
        return Batch(blocks, self.targets.index_select(0, index))

    def slice(self, start: int, stop: int) -> Batch:
        """Return the examples from start up to stop."""
        rows = self.rows[start:stop]
        blocks = {name: block.index_select(0, rows) for name, block in self.inputs.items()}
        return Batch(blocks, self.targets[start:stop])

    def for_epoch(self, seed: int, epoch: int) -> PickedExamples:  # noqa: ARG002
        """Return itself: every epoch trains on the same rows."""
        return self

    def order(self, seed: int, epoch: int) -> Order:
        """Return an order that depends on the size of the rows; see `sized_order`."""
        return sized_order(seed, epoch, len(self), self.nbytes / len(self))

    def to(self, device: torch.device | str) -> PickedExamples:
        """Return the part's rows, and no others, on a device; itself where they are there."""
        if torch.device(device).type == "cpu" and self.targets.device.type == "cpu":
            return self
        blocks = {
            name: block.index_select(0, self.rows).to(device) for name, block in self.inputs.items()
        }
        every = torch.arange(len(self), device=device)
        return replace(self, inputs=blocks, rows=every, targets=self.targets.to(device))
