"""Rows that stay in main memory while a device trains on them; each batch is sent there."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from dlcli.data.examples import Examples, ResidentExamples
from dlcli.data.spec import Batch
from dlcli.training.randomness import Order

_SHARE = 0.5
"""Of a device's free memory that a part may take; the rest is for the training."""
_AHEAD = 4
"""Steps that the host may be ahead of the device: each holds a batch in both their memories."""


def placed(examples: Examples, device: torch.device) -> Examples:
    """Return examples on a device; where they do not fit, such whose batches go there.

    Args:
        examples: In main memory, or mapped from files.
        device: Where a model computes.
    """
    if device.type != "cuda" or not isinstance(examples, ResidentExamples):
        return examples.to(device)
    free, _ = torch.cuda.mem_get_info(device)
    if examples.nbytes <= _SHARE * free:
        return examples.to(device)
    return StagedExamples(examples, Sender(device))


@dataclass(frozen=True)
class StagedExamples:
    """Rows that are stored in one place and taken in another.

    Their numbers are wanted where they are stored; numbers on the device, as those of
    `sampling: balanced` are, cost a wait for it.

    Attributes:
        rows: As they are stored.
        send: Copies the tensors of a batch to where it is wanted, without waiting for the device.
    """

    rows: Examples
    send: Callable[[Sequence[Tensor]], list[Tensor]]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def targets(self) -> Tensor:
        """Every target, as stored."""
        return self.rows.targets

    @property
    def nbytes(self) -> int:
        """Bytes of all tensors as stored."""
        return self.rows.nbytes

    def take(self, index: Tensor) -> Batch:
        """Return the rows at `index` (N,) on the device."""
        return self._sent(self.rows.take(index.to(self.targets.device)))

    def slice(self, start: int, stop: int) -> Batch:
        """Return the rows from start up to stop on the device."""
        return self._sent(self.rows.slice(start, stop))

    def for_epoch(self, seed: int, epoch: int) -> StagedExamples:
        """Return the rows as an epoch trains on them."""
        return replace(self, rows=self.rows.for_epoch(seed, epoch))

    def order(self, seed: int, epoch: int) -> Order:
        """Return the order of the stored rows, which stays where they are."""
        return _StayingOrder(self.rows.order(seed, epoch))

    def to(self, device: torch.device | str) -> StagedExamples:  # noqa: ARG002
        """Return itself: the rows are too many for another place."""
        return self

    def _sent(self, batch: Batch) -> Batch:
        *inputs, targets = self.send([*batch.inputs.values(), batch.targets])
        return Batch(dict(zip(batch.inputs, inputs, strict=True)), targets)


@dataclass(frozen=True)
class _StayingOrder:
    """An order whose rows stay where they are."""

    order: Order

    def __getitem__(self, places: slice, /) -> Tensor:
        return self.order[places]

    def to(self, device: torch.device, /) -> _StayingOrder:  # noqa: ARG002
        return self


class Sender:
    """Copies tensors to a CUDA device through page-locked memory, on a stream of its own.

    The host runs ahead of the device, so while that computes one batch the next ones are gathered
    and on their way. More than a few steps ahead it waits for the device, which has enough to do.

    https://docs.pytorch.org/docs/stable/notes/cuda.html#use-pinned-memory-buffers

    Args:
        device: Where to.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream: torch.cuda.Stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._begun: deque[torch.cuda.Event] = deque()

    def __call__(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Return the tensors on the device, for what its current stream does next."""
        computing = torch.cuda.current_stream(self._device)
        if len(self._begun) == _AHEAD:
            self._begun.popleft().synchronize()
        self._begun.append(computing.record_event())
        with torch.cuda.stream(self._stream):
            sent = [t.pin_memory().to(self._device, non_blocking=True) for t in tensors]
        computing.wait_stream(self._stream)
        for tensor in sent:
            tensor.record_stream(computing)  # or its memory is used again too early
        return sent
