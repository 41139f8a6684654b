"""Optimizers as one table over torch's functional forms; knows no model and no schedule.

The classes of `torch.optim` are never built: that imports `torch._dynamo`, about a second and
140 MB (torch 2.15). The functional forms are what those classes call, so the bits are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from dlcli.config.optimizer import AdamWOptions, MuonOptions, OptimizerOptions
from dlcli.errors import CheckpointError, ConfigError


class Optimizer:
    """Updates parameters in place from their gradients; build it after moving them to a device.

    Attributes:
        lr: The base learning rate, which a schedule multiplies.
    """

    def __init__(self, options: OptimizerOptions, parameters: Mapping[str, nn.Parameter]) -> None:
        self.lr = options.lr
        trained = {name: value for name, value in parameters.items() if value.requires_grad}
        self._groups = [_Group(part, named) for part, named in _groups(options, trained) if named]

    @torch.no_grad()
    def step(self, lr: float) -> None:
        """Make one step with this learning rate; parameters without a gradient stay as they are."""
        for group in self._groups:
            group.step(lr)

    def zero_grad(self) -> None:
        """Drop all gradients."""
        for group in self._groups:
            for parameter in group.parameters:
                parameter.grad = None

    def state(self) -> dict[str, Tensor]:
        """Return what the next step depends on, as `STATE/PARAMETER` to tensor; no copies."""
        return {
            name: value
            for group in self._groups
            for name, values, i in group.cells()
            if (value := values[i]) is not None
        }

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take over copies of a state that `state` returned, from any device.

        Raises:
            CheckpointError: It belongs to another optimizer, other options or another model.
        """
        found = set()
        for group in self._groups:
            found |= group.load(state)
        if unknown := sorted(set(state) - found):
            raise CheckpointError(
                f"the saved optimizer state does not fit: `{unknown[0]}` has no place here"
            )


@dataclass(frozen=True)
class _Slot:
    """One kind of state: an argument of the functional form, a list with one entry per parameter.

    Attributes:
        argument: Its name there.
        name: Its name in the saved state, as in `torch.optim`.
        only_if: The option without which the list stays empty.
        start: First value; the name of an option that holds it; None where torch makes the entry
            at the first step.
        is_scalar: Whether an entry is one number rather than shaped as its parameter.
    """

    argument: str
    name: str
    only_if: str = ""
    start: float | str | None = 0.0
    is_scalar: bool = False


_STEP = _Slot("state_steps", "step", is_scalar=True)
_AVERAGES = (_Slot("exp_avgs", "exp_avg"), _Slot("exp_avg_sqs", "exp_avg_sq"), _STEP)
_ADAM = (*_AVERAGES, _Slot("max_exp_avg_sqs", "max_exp_avg_sq", only_if="amsgrad"))

_SLOTS: dict[str, tuple[_Slot, ...]] = {
    "sgd": (_Slot("momentum_buffer_list", "momentum_buffer", start=None),),
    "adam": _ADAM,
    "adamw": _ADAM,
    "rmsprop": (
        _Slot("square_avgs", "square_avg"),
        _Slot("grad_avgs", "grad_avg", only_if="centered"),
        _Slot("momentum_buffer_list", "momentum_buffer", only_if="momentum"),
        _STEP,
    ),
    "adagrad": (_Slot("state_sums", "sum", start="initial_accumulator_value"), _STEP),
    "adadelta": (_Slot("square_avgs", "square_avg"), _Slot("acc_deltas", "acc_delta"), _STEP),
    "adamax": (_Slot("exp_avgs", "exp_avg"), _Slot("exp_infs", "exp_inf"), _STEP),
    "nadam": (*_AVERAGES, _Slot("mu_products", "mu_product", start=1.0, is_scalar=True)),
    "radam": _AVERAGES,
    "muon": (_Slot("muon_momentum_bufs", "momentum_buffer"),),
}

_NOT_ARGUMENTS = {"name", "lr", "betas", "fused", "initial_accumulator_value"}


class _Group:
    """Parameters that one functional form updates, and their state."""

    def __init__(self, options: OptimizerOptions, named: Mapping[str, nn.Parameter]) -> None:
        self.parameters = list(named.values())
        self._names = list(named)
        self._function = _functional(options.name)
        self._arguments, is_fused = _arguments(options, self.parameters)
        self._slots = _SLOTS[options.name]
        self._values = {
            slot.argument: _start(slot, options, self.parameters, is_fused) for slot in self._slots
        }

    def step(self, lr: float) -> None:
        gradients = [parameter.grad for parameter in self.parameters]
        if any(gradient is None for gradient in gradients):
            self._step_some(lr, [i for i, g in enumerate(gradients) if g is not None])
        else:
            self._function(self.parameters, gradients, **self._values, **self._arguments, lr=lr)

    def _step_some(self, lr: float, chosen: list[int]) -> None:
        parameters = [self.parameters[i] for i in chosen]
        gradients = [parameter.grad for parameter in parameters]
        values = {
            argument: [entries[i] for i in chosen] if entries else []
            for argument, entries in self._values.items()
        }
        self._function(parameters, gradients, **values, **self._arguments, lr=lr)
        for argument, entries in values.items():  # torch may have made some of them just now
            for i, entry in zip(chosen, entries, strict=False):
                self._values[argument][i] = entry

    def cells(self) -> Iterator[tuple[str, list[Tensor | None], int]]:
        """Yield where each piece of state stands: its saved name, a list and a place in it."""
        for slot in self._slots:
            values = self._values[slot.argument]
            for i in range(len(values)):
                yield f"{slot.name}/{self._names[i]}", values, i

    def load(self, state: Mapping[str, Tensor]) -> set[str]:
        """Copy what belongs to this group, and return its names."""
        found = set()
        for name, values, i in self.cells():
            own = values[i]
            if name in state:
                values[i] = _copied(
                    name, state[name], own if own is not None else self.parameters[i]
                )
                found.add(name)
            elif own is not None:
                raise CheckpointError(
                    f"the saved optimizer state does not fit: `{name}` is missing"
                )
        return found


def _groups(
    options: OptimizerOptions, named: Mapping[str, nn.Parameter]
) -> list[tuple[OptimizerOptions, dict[str, nn.Parameter]]]:
    """Split parameters by the functional form that updates them."""
    if not isinstance(options, MuonOptions):
        return [(options, dict(named))]
    # Muon is made for the matrices that multiply; embeddings are matrices only by their shape.
    muon = {n: p for n, p in named.items() if p.ndim == 2 and "embedding" not in n}
    rest = {n: p for n, p in named.items() if n not in muon}
    return [
        (options, muon),
        (AdamWOptions(lr=options.lr, weight_decay=options.weight_decay), rest),
    ]


def _functional(name: str) -> Callable[..., None]:
    try:
        module = import_module("torch.optim.functional")  # torch 2.15
    except ModuleNotFoundError:
        # By path: `torch.optim.adam` as an attribute is another thing in older versions.
        module = import_module(f"torch.optim.{'_muon' if name == 'muon' else name}")
    function: Callable[..., None] = getattr(module, name)
    return function


def _arguments(
    options: OptimizerOptions, parameters: list[nn.Parameter]
) -> tuple[dict[str, Any], bool]:
    """Return the arguments that no step changes, and whether the fused form is used."""
    arguments = options.model_dump(exclude=_NOT_ARGUMENTS)
    if options.name == "muon":
        return arguments | {"has_complex": False}, False
    arguments["maximize"] = False
    if betas := getattr(options, "betas", None):
        arguments["beta1"], arguments["beta2"] = betas
    if not hasattr(options, "fused"):
        return arguments, False
    is_fused = _is_fused(options.name, options.fused, parameters)
    return arguments | {"fused": is_fused or None}, is_fused


def _is_fused(name: str, wanted: bool | None, parameters: list[nn.Parameter]) -> bool:
    if wanted is False:
        return False
    kernel = f"aten::_fused_{name}_"
    possible = all(
        torch._C._dispatch_has_kernel_for_dispatch_key(
            kernel, torch._C._dispatch_key_for_device(device)
        )
        for device in {parameter.device.type for parameter in parameters}
    ) and all(parameter.is_floating_point() for parameter in parameters)
    if wanted and not possible:
        raise ConfigError(
            f"torch has no fused {name} for {parameters[0].dtype} on {parameters[0].device.type}",
            path=("optimizer", "fused"),
            suggestion="leave `fused` out",
        )
    return possible


def _start(
    slot: _Slot, options: OptimizerOptions, parameters: list[nn.Parameter], is_fused: bool
) -> list[Tensor | None]:
    """Return a slot's entries before the first step, as torch's classes make them."""
    if slot.only_if and not getattr(options, slot.only_if):
        return []
    start = getattr(options, slot.start) if isinstance(slot.start, str) else slot.start
    if start is None:
        return [None] * len(parameters)
    if not slot.is_scalar:
        return [torch.full_like(parameter, start, requires_grad=False) for parameter in parameters]
    if is_fused:
        return [torch.tensor(start, dtype=torch.float32, device=p.device) for p in parameters]
    return [torch.tensor(start) for _ in parameters]  # on the CPU: reading it must not wait


def _copied(name: str, value: Tensor, like: Tensor) -> Tensor:
    if value.shape != like.shape:
        raise CheckpointError(
            f"the saved optimizer state does not fit: `{name}` has shape {tuple(value.shape)}, "
            f"expected {tuple(like.shape)}"
        )
    return torch.empty_like(like.detach()).copy_(value)
