"""The gradients of one batch: in parts, shared among ranks, and again in more parts if need be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dlcli.errors import MachineError
from dlcli.training.distributed import Distribution
from dlcli.training.precision import Precision
from dlcli.training.protocols import Batch, Loss
from dlcli.training.state import State


@dataclass(frozen=True)
class Gradients:
    """Computes gradients by forward and backward.

    Attributes:
        model: Whose parameters get them, and whose buffers the forward pass may move.
        network: What is called in the model's place; the model itself unless it is wrapped.
        loss: Of the outputs.
        precision: In which to compute.
        distribution: Whose gradients are added up.
        rescues: Whether a batch that memory does not hold is tried again in twice the parts.
        whole: Does for a whole batch what forward and backward do, and returns the loss; None where
            they do it.
    """

    model: nn.Module
    network: nn.Module
    loss: Loss
    precision: Precision
    distribution: Distribution
    rescues: bool
    whole: Callable[[Batch], Tensor] | None = None

    def compute(
        self, batch: Batch, state: State, *, of_rows: int, is_idle: bool = False
    ) -> tuple[Tensor, Tensor | float]:
        """Put the gradient of the whole batch's mean loss into every parameter's `grad`.

        Args:
            batch: This rank's rows.
            state: `parts` is raised where memory runs out.
            of_rows: Rows of the whole batch, over all ranks.
            is_idle: The rows count for nothing: there were fewer of them than ranks.

        Returns:
            The mean loss over all ranks' rows, and what that mean divides by.

        Raises:
            MachineError: Memory does not hold even one row, or not under several ranks.
        """
        if not self.rescues:
            return self._compute(batch, state.parts, of_rows, is_idle=is_idle)
        while True:
            before = self._position()
            try:
                return self._compute(batch, state.parts, of_rows, is_idle=is_idle)
            except torch.OutOfMemoryError as error:
                if self.distribution.world_size > 1 or state.parts >= len(batch):
                    raise _out_of_memory(batch) from error
            self._go_back(before)  # here the error, and what its frames hold, is gone
            state.parts *= 2

    def _compute(
        self, batch: Batch, parts: int, of_rows: int, *, is_idle: bool
    ) -> tuple[Tensor, Tensor | float]:
        if parts == 1 and self.distribution.world_size == 1:
            return self._whole(batch), self.loss.weight(batch.targets)
        whole = self._weight_over_ranks(batch, of_rows, is_idle=is_idle)
        cut = [*batch.parts(parts)]
        # Ranks may meet in each part, so those of fewer rows repeat their last, for nothing.
        count = self.distribution.agree(len(cut))[0] if parts > 1 else 1
        losses: list[Tensor] = []
        for number in range(count):
            part, is_last = cut[min(number, len(cut) - 1)], number == count - 1
            counts = not is_idle and number < len(cut)
            with self.distribution.backward(self.network, is_last=is_last):
                mean = self._forward(part)
                loss = mean * (self.loss.weight(part.targets) / whole() * counts)
                losses.append(loss.detach())
                if is_last:  # sent while backward goes on
                    total = self.distribution.begin_sum(torch.stack(losses).sum())
                self._backward(loss)
        return total(), whole()

    def _weight_over_ranks(
        self, batch: Batch, of_rows: int, *, is_idle: bool
    ) -> Callable[[], Tensor]:
        """Return what waits for the weight of the whole batch; a number of rows is known here."""
        weight = self.loss.weight(batch.targets)
        if isinstance(weight, Tensor):
            return self.distribution.begin_sum(weight * (not is_idle))
        rows = torch.full((), of_rows, dtype=torch.float64, device=batch.targets.device)
        return lambda: rows

    def _whole(self, batch: Batch) -> Tensor:
        """Run forward and backward, or what does the same; return the mean loss."""
        if self.whole is not None:
            with self.precision.forward():
                return self.whole(batch)
        loss = self._forward(batch)
        self._backward(loss)
        return loss.detach()

    def _forward(self, part: Batch) -> Tensor:
        with self.precision.forward():
            return self.loss(self.network(part.inputs), part.targets)

    def _backward(self, loss: Tensor) -> None:
        # Wrapped, the network takes the mean of the ranks' gradients, and their sum is wanted.
        ranks = self.distribution.world_size
        self.precision.backward(loss if ranks == 1 else loss * ranks)

    def _position(self) -> Mapping[str, Tensor]:
        """Return what the forward pass moves, beside gradients: generators and buffers."""
        device = next(self.model.parameters()).device
        moved = {name: buffer.clone() for name, buffer in self.model.named_buffers()}
        moved["generator/cpu"] = torch.get_rng_state()
        if device.type == "cuda":
            moved["generator/cuda"] = torch.cuda.get_rng_state(device)  # kept by the host
        return moved

    def _go_back(self, position: Mapping[str, Tensor]) -> None:
        for parameter in self.model.parameters():
            parameter.grad = None
        for name, buffer in self.model.named_buffers():
            buffer.copy_(position[name])
        torch.set_rng_state(position["generator/cpu"])
        if "generator/cuda" in position:
            device = next(self.model.parameters()).device
            torch.cuda.set_rng_state(position["generator/cuda"], device)
            torch.cuda.empty_cache()


def _out_of_memory(batch: Batch) -> MachineError:
    return MachineError(
        f"out of memory: a step of {len(batch)} rows does not fit, however it is cut",
        path=("data", "batch_size"),
        suggestion="lower `data.batch_size`, or a smaller model",
    )
