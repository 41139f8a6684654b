"""Encoded rows behind one `take(index)`; knows not where they came from."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dlcli.data.spec import Batch


@dataclass(frozen=True)
class ResidentExamples:
    """Rows held as one tensor per block.

    Attributes:
        inputs: Block name to tensor (N, ...); see `DataSpec.blocks`.
        targets: See `Batch.targets`.
    """

    inputs: dict[str, Tensor]
    targets: Tensor

    def __len__(self) -> int:
        return len(self.targets)

    def take(self, index: Tensor) -> Batch:
        """Return the rows at `index` (N,), int64 on the same device, in that order."""
        blocks = {name: block.index_select(0, index) for name, block in self.inputs.items()}
        return Batch(blocks, self.targets.index_select(0, index))

    def slice(self, start: int, stop: int) -> Batch:
        """Return the rows from start up to stop, as views."""
        blocks = {name: block[start:stop] for name, block in self.inputs.items()}
        return Batch(blocks, self.targets[start:stop])

    def to(self, device: torch.device | str) -> ResidentExamples:
        """Return the rows on a device; the same tensors where they are there already."""
        blocks = {name: block.to(device) for name, block in self.inputs.items()}
        return ResidentExamples(blocks, self.targets.to(device))

    @property
    def nbytes(self) -> int:
        """Bytes of all tensors."""
        return sum(tensor.nbytes for tensor in (*self.inputs.values(), self.targets))
