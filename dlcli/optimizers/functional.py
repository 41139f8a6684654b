"""Torch's functional forms: which function, with which arguments, fused or not.

The classes of `torch.optim` are never built: that imports `torch._dynamo`, about a second and
140 MB (torch 2.15). The functional forms are what those classes call, so the bits are the same.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from dlcli.config.optimizer import OptimizerOptions
from dlcli.errors import ConfigError

_NOT_ARGUMENTS = {"name", "lr", "betas", "fused", "initial_accumulator_value", "decay_bias"}

_FUSED_IF_SHARDED = {"adam", "adamw"}
"""Fused forms that torch (2.15) can split over ranks."""


def functional(name: str) -> Callable[..., None]:
    """Return the functional form of an optimizer."""
    try:
        module = import_module("torch.optim.functional")  # torch 2.15
    except ModuleNotFoundError:
        # By path: `torch.optim.adam` as an attribute is another thing in older versions.
        module = import_module(f"torch.optim.{'_muon' if name == 'muon' else name}")
    function: Callable[..., None] = getattr(module, name)
    return function


def fused_kernel(name: str, parameters: list[nn.Parameter]) -> Callable[..., None] | None:
    """Return what the fused functional form calls, with the same arguments; None if it is another.

    What that does beside takes longer than a small step: it groups parameters by device and type.
    """
    is_one_group = len({(p.device, p.dtype, hasattr(p, "placements")) for p in parameters}) == 1
    return _KERNELS.get(name) if is_one_group else None


def _adam(kernel: Callable[..., None]) -> Callable[..., None]:
    def update(
        parameters: list[Tensor],
        gradients: list[Tensor],
        *,
        exp_avgs: list[Tensor],
        exp_avg_sqs: list[Tensor],
        max_exp_avg_sqs: list[Tensor],
        state_steps: list[Tensor],
        fused: bool,  # noqa: ARG001
        **arguments: Any,
    ) -> None:
        _count(state_steps)
        averages = (exp_avgs, exp_avg_sqs, max_exp_avg_sqs)
        kernel(parameters, gradients, *averages, state_steps, **arguments)

    return update


def _count(steps: list[Tensor]) -> None:
    """Add 1 to counters; those of a whole group are views of one tensor, see `slots.entries_of`."""
    whole = steps[0]._base
    if whole is not None and len(whole) == len(steps):
        whole.add_(1)
    else:
        torch._foreach_add_(steps, 1)


def _sgd(
    parameters: list[Tensor],
    gradients: list[Tensor],
    *,
    momentum_buffer_list: list[Tensor],
    fused: bool,  # noqa: ARG001
    **arguments: Any,
) -> None:
    is_first_step = any(buffer is None for buffer in momentum_buffer_list)
    if is_first_step:
        momentum_buffer_list[:] = [torch.empty_like(gradient) for gradient in gradients]
    torch._fused_sgd_(
        parameters, gradients, momentum_buffer_list, is_first_step=is_first_step, **arguments
    )


_KERNELS: dict[str, Callable[..., None]] = {
    "adam": _adam(torch._fused_adam_),
    "adamw": _adam(torch._fused_adamw_),
    "sgd": _sgd,
}


def fixed_arguments(
    options: OptimizerOptions, parameters: list[nn.Parameter]
) -> tuple[dict[str, Any], bool]:
    """Return the arguments that no step changes, and whether the fused form is used.

    Raises:
        ConfigError: The fused form is asked for, and torch has none for these parameters.
    """
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
    is_sharded = any(hasattr(parameter, "placements") for parameter in parameters)
    possible = (
        all(
            torch._C._dispatch_has_kernel_for_dispatch_key(
                kernel, torch._C._dispatch_key_for_device(device)
            )
            for device in {parameter.device.type for parameter in parameters}
        )
        and all(parameter.is_floating_point() for parameter in parameters)
        and (name in _FUSED_IF_SHARDED or not is_sharded)
    )
    if wanted and not possible:
        kind = f"{'sharded ' if is_sharded else ''}{parameters[0].dtype}"
        raise ConfigError(
            f"torch has no fused {name} for {kind} on {parameters[0].device.type}",
            path=("optimizer", "fused"),
            suggestion="leave `fused` out",
        )
    return possible
