"""What is wrong inside a network, in words: values that are not finite, units that are dead."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from dlcli.training.protocols import Batch, Loss


def first_not_finite(model: nn.Module, batch: Batch, loss: Loss) -> str:
    """Name the first place where a step stops being finite: an input, a layer, a gradient.

    Replays the forward pass of the batch; the gradients are those that the failed step left.
    """
    for name, block in batch.inputs.items():
        if block.is_floating_point() and not bool(block.isfinite().all()):
            row = int((~block.flatten(1).isfinite().all(1)).nonzero()[0])
            return f"input `{name}` of row {row} of the batch is not finite"
    with torch.no_grad():
        if not bool(batch.targets.isfinite().all()):
            return "a target is not finite"
        broken, outputs = _watched(model, batch, lambda output: not bool(output.isfinite().all()))
        if broken:
            return f"the output of layer `{broken[0]}` is the first that is not finite"
        if not bool(loss(outputs, batch.targets).isfinite()):
            return "every layer's output is finite, the loss of them is not"
    for name, parameter in reversed(list(model.named_parameters())):
        if parameter.grad is not None and not bool(parameter.grad.isfinite().all()):
            return f"the loss is finite, the gradient of `{name}` is not"
    return "a replay of the step is finite: dropout drew otherwise"


def dead_layers(model: nn.Module, batch: Batch) -> list[str]:
    """Name the ReLU layers whose every output is zero on a whole batch: no gradient passes them."""
    was_training = model.training
    model.eval()
    relus = {name for name, module in model.named_modules() if isinstance(module, nn.ReLU)}
    with torch.no_grad():
        dead, _ = _watched(model, batch, lambda output: not bool(output.any()))
    model.train(was_training)
    return [name for name in dead if name in relus]


def _watched(
    model: nn.Module, batch: Batch, is_noted: Callable[[Tensor], bool]
) -> tuple[list[str], Tensor]:
    """Run a forward pass; return the leaf layers whose output is noted, and the outputs."""
    noted: list[str] = []

    def watch(name: str) -> Callable[[nn.Module, object, object], None]:
        def hook(_module: nn.Module, _inputs: object, output: object) -> None:
            if isinstance(output, Tensor) and output.is_floating_point() and is_noted(output):
                noted.append(name)

        return hook

    leaves = [(name, module) for name, module in model.named_modules() if not [*module.children()]]
    handles = [module.register_forward_hook(watch(name)) for name, module in leaves]
    try:
        outputs = model(batch.inputs)
    finally:
        for handle in handles:
            handle.remove()
    return noted, outputs
