"""What is wrong inside a network, in words: values that are not finite, units that are dead."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from dlcli.training.protocols import Batch, Loss


class NotFinite(NamedTuple):
    """Where a step stops being finite; the least of several is where it began.

    Attributes:
        stage: 0 the inputs, then targets, layers, loss, gradients; 5 nowhere.
        words: The place.
    """

    stage: int
    words: str


def first_not_finite(
    model: nn.Module,
    batch: Batch,
    loss: Loss,
    parameters: Mapping[str, nn.Parameter],
    *,
    first_row: int = 0,
) -> NotFinite:
    """Name the first place where a step stops being finite: an input, a layer, a gradient.

    Replays the forward pass, on every rank; the gradients are those that the failed step left.

    Args:
        model: What was trained.
        batch: The rows, all of a batch or some.
        loss: Of the outputs.
        parameters: By name; they have the gradients.
        first_row: Where in the batch these rows begin.
    """
    with torch.no_grad():
        broken, outputs = _watched(model, batch, lambda output: not bool(output.isfinite().all()))
    for name, block in batch.inputs.items():
        if block.is_floating_point() and not bool(block.isfinite().all()):
            row = first_row + int((~block.flatten(1).isfinite().all(1)).nonzero()[0])
            return NotFinite(0, f"input `{name}` of row {row} of the batch is not finite")
    with torch.no_grad():
        if not bool(batch.targets.isfinite().all()):
            return NotFinite(1, "a target is not finite")
        if broken:
            return NotFinite(
                2, f"the output of layer `{broken[0]}` is the first that is not finite"
            )
        if not bool(loss(outputs, batch.targets).isfinite()):
            return NotFinite(3, "every layer's output is finite, the loss of them is not")
    for name, parameter in reversed([*parameters.items()]):
        if parameter.grad is not None and not bool(parameter.grad.isfinite().all()):
            return NotFinite(4, f"the loss is finite, the gradient of `{name}` is not")
    return NotFinite(5, "a replay of the step is finite: dropout drew otherwise")


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
