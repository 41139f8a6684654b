"""Encoded rows behind one `take(index)`; knows not where they came from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, Self

import torch
from torch import Tensor

from dlcli.data.spec import KNOWN, PADDING, Batch
from dlcli.training.randomness import Order, derived_seed, epoch_order, sized_order


class Examples(Protocol):
    """Examples of one part."""

    def __len__(self) -> int: ...

    @property
    def targets(self) -> Tensor:
        """Every target of the part, each at least once: for counts and means."""

    @property
    def nbytes(self) -> int:
        """Bytes of all tensors."""

    def take(self, index: Tensor) -> Batch:
        """Return the examples at `index` (N,), int64 on the same device, in that order."""

    def slice(self, start: int, stop: int) -> Batch:
        """Return the examples from start up to stop."""

    def for_epoch(self, seed: int, epoch: int) -> Examples:
        """Return the examples as an epoch trains on them; pure. `epoch` is 0-based."""

    def order(self, seed: int, epoch: int) -> Order:
        """Return the order in which an epoch (0-based) visits all of them; pure."""

    def to(self, device: torch.device | str) -> Self:
        """Return the examples on a device; the same tensors where they are there already."""


@dataclass(frozen=True)
class ResidentExamples:
    """Rows held as one tensor per block, in memory or mapped from files.

    Attributes:
        inputs: Block name to tensor (N, ...); see `DataSpec.blocks`.
        targets: See `Batch.targets`.
        mapped: What keeps the files in use that the tensors are mapped from; None in memory.
    """

    inputs: dict[str, Tensor]
    targets: Tensor
    mapped: object | None = None

    def __len__(self) -> int:
        return len(self.targets)

    def take(self, index: Tensor) -> Batch:
        """Return the rows at `index`; see `Examples`."""
        blocks = {name: block.index_select(0, index) for name, block in self.inputs.items()}
        return Batch(blocks, self.targets.index_select(0, index))

    def slice(self, start: int, stop: int) -> Batch:
        """Return the rows from start up to stop, as views."""
        blocks = {name: block[start:stop] for name, block in self.inputs.items()}
        return Batch(blocks, self.targets[start:stop])

    def for_epoch(self, seed: int, epoch: int) -> ResidentExamples:  # noqa: ARG002
        """Return itself: every epoch trains on the same rows."""
        return self

    def order(self, seed: int, epoch: int) -> Order:
        """Return an order that depends on the size of the rows, not on where they lie."""
        return sized_order(seed, epoch, len(self), self.nbytes / len(self))

    def to(self, device: torch.device | str) -> ResidentExamples:
        """Return the rows on a device; the same tensors where they are there already."""
        blocks = {name: block.to(device) for name, block in self.inputs.items()}
        return replace(self, inputs=blocks, targets=self.targets.to(device))

    @property
    def nbytes(self) -> int:
        """Bytes of all tensors."""
        return sum(tensor.nbytes for tensor in (*self.inputs.values(), self.targets))


@dataclass(frozen=True)
class WindowExamples:
    """Windows over rows in order of time; the rows are held once, a batch is one gather.

    Attributes:
        inputs: Block name to all rows (R, ...): a window has `past` of them.
        known: Rows (R, K) of which a window has `horizon`, beginning after its past; or None.
        rows: Targets of all rows: (R, D) numbers, or (R,) tokens.
        first: Row at which the first window begins, 0-based.
        count: Number of windows.
        past: Rows of a window.
        horizon: Target rows of a window.
        lead: Rows from a window's beginning to its first target.
        stride: Rows from one window to the next.
        is_jittered: Each epoch begins up to a stride later, drawn anew; the rows reach that far.
        overlap: First tokens of every window's targets but the first one's that the window before
            has told: in a batch they are padding.
        chosen: Numbers (count,) of the windows that count, ascending; None takes every one.
    """

    inputs: dict[str, Tensor]
    known: Tensor | None
    rows: Tensor
    first: int
    count: int
    past: int
    horizon: int
    lead: int
    stride: int = 1
    is_jittered: bool = False
    overlap: int = 0
    chosen: Tensor | None = None

    def __len__(self) -> int:
        return self.count

    @property
    def targets(self) -> Tensor:
        """Target rows from the first window's to the last one's, each once."""
        start = self.first + self.lead
        last = self.count - 1 if self.chosen is None else int(self.chosen[-1])
        return self.rows[start : start + last * self.stride + self.horizon]

    @property
    def nbytes(self) -> int:
        """Bytes of all rows, those of other parts among them."""
        known = () if self.known is None else (self.known,)
        return sum(tensor.nbytes for tensor in (*self.inputs.values(), *known, self.rows))

    def take(self, index: Tensor) -> Batch:
        """Return the windows at `index`; see `Examples`."""
        starts = self._starts(index)
        past = starts[:, None] + torch.arange(self.past, device=index.device)
        ahead = starts[:, None] + self.lead + torch.arange(self.horizon, device=index.device)
        blocks = {name: rows[past] for name, rows in self.inputs.items()}
        if self.known is not None:
            blocks[KNOWN] = self.known[ahead]
        targets = self.rows[ahead]
        if self.overlap:
            is_shared = torch.arange(self.horizon, device=index.device) < self.overlap
            is_told = (starts > self.first)[:, None] & is_shared  # (N, T)
            targets = targets.masked_fill(is_told, PADDING)
        return Batch(blocks, targets)

    def slice(self, start: int, stop: int) -> Batch:
        """Return the windows from start up to stop."""
        return self.take(torch.arange(start, stop, device=self.rows.device))

    def past_targets(self, start: int, stop: int) -> Tensor:
        """Return what the targets were within the windows from start up to stop (N, past, D)."""
        index = torch.arange(start, stop, device=self.rows.device)
        starts = self._starts(index)
        return self.rows[starts[:, None] + torch.arange(self.past, device=index.device)]

    def of(self, chosen: Tensor) -> WindowExamples:
        """Return the windows with these numbers (N,), ascending."""
        chosen = chosen if self.chosen is None else self.chosen[chosen]
        return replace(self, chosen=chosen, count=len(chosen))

    def for_epoch(self, seed: int, epoch: int) -> WindowExamples:
        """Return windows that begin a little later, drawn from seed and epoch; or itself."""
        if not self.is_jittered:
            return self
        return replace(self, first=self.first + derived_seed(seed, "jitter", epoch) % self.stride)

    def order(self, seed: int, epoch: int) -> Order:
        """Return all windows, shuffled together."""
        return epoch_order(seed, epoch, len(self))

    def to(self, device: torch.device | str) -> WindowExamples:
        """Return the rows on a device; the same tensors where they are there already."""
        return replace(
            self,
            inputs={name: rows.to(device) for name, rows in self.inputs.items()},
            known=None if self.known is None else self.known.to(device),
            rows=self.rows.to(device),
            chosen=None if self.chosen is None else self.chosen.to(device),
        )

    def _starts(self, index: Tensor) -> Tensor:
        number = index if self.chosen is None else self.chosen[index]
        return self.first + number * self.stride
