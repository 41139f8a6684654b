"""What state each optimizer keeps, as one table; knows no update."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dlcli.config.optimizer import OptimizerOptions


@dataclass(frozen=True)
class Slot:
    """One kind of state: an argument of the functional form, a list with one entry per parameter.

    Attributes:
        argument: Its name there.
        name: Its name in the saved state, as in `torch.optim`.
        only_if: The option without which the list stays empty.
        start: First value, or the name of an option that holds it.
        is_scalar: Whether an entry is one number rather than shaped as its parameter.
        late_if: The option with which no first value will do: torch makes the entry at the first
            step, and before it the saved state has none.
    """

    argument: str
    name: str
    only_if: str = ""
    start: float | str = 0.0
    is_scalar: bool = False
    late_if: str = ""

    def is_late(self, options: OptimizerOptions) -> bool:
        """Say whether torch makes the entries at the first step."""
        return bool(self.late_if and getattr(options, self.late_if) and self.is_kept(options))

    def is_kept(self, options: OptimizerOptions) -> bool:
        """Say whether there are entries at all."""
        return not self.only_if or bool(getattr(options, self.only_if))


_STEP = Slot("state_steps", "step", is_scalar=True)
_AVERAGES = (Slot("exp_avgs", "exp_avg"), Slot("exp_avg_sqs", "exp_avg_sq"), _STEP)
_ADAM = (*_AVERAGES, Slot("max_exp_avg_sqs", "max_exp_avg_sq", only_if="amsgrad"))
_MOMENTUM = Slot(
    "momentum_buffer_list",
    "momentum_buffer",
    only_if="momentum",
    start=-0.0,  # adding to it gives the other number in every bit, as torch's first step does
    late_if="dampening",
)

SLOTS: dict[str, tuple[Slot, ...]] = {
    "sgd": (_MOMENTUM,),
    "adam": _ADAM,
    "adamw": _ADAM,
    "rmsprop": (
        Slot("square_avgs", "square_avg"),
        Slot("grad_avgs", "grad_avg", only_if="centered"),
        Slot("momentum_buffer_list", "momentum_buffer", only_if="momentum"),
        _STEP,
    ),
    "adagrad": (Slot("state_sums", "sum", start="initial_accumulator_value"), _STEP),
    "adadelta": (Slot("square_avgs", "square_avg"), Slot("acc_deltas", "acc_delta"), _STEP),
    "adamax": (Slot("exp_avgs", "exp_avg"), Slot("exp_infs", "exp_inf"), _STEP),
    "nadam": (*_AVERAGES, Slot("mu_products", "mu_product", start=1.0, is_scalar=True)),
    "radam": _AVERAGES,
    "muon": (Slot("muon_momentum_bufs", "momentum_buffer"),),
}


def entries_of(
    slot: Slot, options: OptimizerOptions, parameters: list[nn.Parameter], *, is_fused: bool
) -> list[Tensor | None]:
    """Return a slot's entries before the first step, as torch's classes make them."""
    if not slot.is_kept(options):
        return []
    if slot.is_late(options):
        return [None] * len(parameters)
    start = getattr(options, slot.start) if isinstance(slot.start, str) else slot.start
    if not slot.is_scalar:
        return [torch.full_like(parameter, start, requires_grad=False) for parameter in parameters]
    if is_fused:
        return _counters(parameters, start)
    return [torch.tensor(start) for _ in parameters]  # on the CPU: reading it must not wait


def _counters(parameters: list[nn.Parameter], start: float) -> list[Tensor | None]:
    """Return a number for each parameter, on its device; where that is one, views of one tensor.

    Adding to all of them at once takes a third of the time then, of four on a CPU.
    """
    (device, *others) = {parameter.device for parameter in parameters}
    if others:
        return [torch.full((), start, dtype=torch.float32, device=p.device) for p in parameters]
    return [*torch.full((len(parameters),), start, dtype=torch.float32, device=device)]
