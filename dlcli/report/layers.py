"""A network's layers: shapes, parameters and work, found by sending inputs through it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode


@dataclass(frozen=True)
class Layer:
    """One layer, or one box of a picture.

    Attributes:
        name: Where it stands in the network, with dots.
        kind: Its class.
        inputs: Shape of what goes in, without the batch.
        outputs: Shape of what comes out, likewise.
        parameters: Trained values.
        multiply_adds: Multiplications that are added up, for one example.
        values: Numbers that it makes of one example; 0 where it passes on what it is given.
    """

    name: str
    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    parameters: int
    multiply_adds: int
    values: int


def layers_of(network: nn.Module, inputs: Mapping[str, Tensor]) -> list[Layer]:
    """Return the layers in the order in which they are done; shared ones as often as they are.

    Args:
        network: In any mode, in which it is left.
        inputs: A batch of N examples; where sequences vary, shapes are those of its longest.
    """
    rows = len(next(iter(inputs.values())))
    calls: list[tuple[str, nn.Module, Tensor, Tensor]] = []
    names = {module: name for name, module in network.named_modules()}

    def note(module: nn.Module, given: tuple[Any, ...], made: Any) -> None:
        before, after = _tensor(given), _tensor(made)
        if before is not None and after is not None:
            calls.append((names[module], module, before, after))

    hooks = [module.register_forward_hook(note) for module in names]
    was_training = network.training
    network.eval()
    try:
        with torch.inference_mode(), FlopCounterMode(display=False) as counter:
            network(dict(inputs))
    finally:
        network.train(was_training)
        for hook in hooks:
            hook.remove()
    work = _own_work(network, counter, calls)
    layers = []
    for name, module, before, after in calls:
        own = work.pop(name, 0)
        parameters = [p for p in module.parameters(recurse=False) if p.requires_grad]
        is_group = any(True for _ in module.children()) and not own and not parameters
        if is_group or isinstance(module, nn.Identity):
            continue
        is_new = after.data_ptr() != before.data_ptr()
        layers.append(
            Layer(
                name,
                type(module).__name__,
                tuple(before.shape[1:]),
                tuple(after.shape[1:]),
                sum(p.numel() for p in parameters),
                own // rows,
                after.numel() // rows if is_new else 0,
            )
        )
    return layers


def grouped(layers: Sequence[Layer], *, most: int) -> list[Layer]:
    """Return layers with neighbours of one parent joined, as far down as `most` boxes allow."""
    depth = max(layer.name.count(".") for layer in layers) + 1
    boxes = _joined(layers, depth)
    while len(boxes) > most and depth > 1:
        depth -= 1
        boxes = _joined(layers, depth)
    return boxes


def _joined(layers: Sequence[Layer], depth: int) -> list[Layer]:
    groups: list[tuple[str, list[Layer]]] = []
    for layer in layers:
        parent = ".".join(layer.name.split(".")[:depth])
        if not groups or groups[-1][0] != parent:
            groups.append((parent, []))
        groups[-1][1].append(layer)
    return [
        Layer(
            name,
            ", ".join(dict.fromkeys(layer.kind for layer in members)),
            members[0].inputs,
            members[-1].outputs,
            sum(layer.parameters for layer in members),
            sum(layer.multiply_adds for layer in members),
            sum(layer.values for layer in members),
        )
        for name, members in groups
    ]


def _own_work(
    network: nn.Module,
    counter: FlopCounterMode,
    calls: Sequence[tuple[str, nn.Module, Tensor, Tensor]],
) -> dict[str, int]:
    """Return each module's multiply-adds of the batch, those of its children left out."""
    root = type(network).__name__
    total = {name: sum(of.values()) // 2 for name, of in counter.get_flop_counts().items()}
    full = {name: total.get(f"{root}.{name}" if name else root, 0) for name, *_ in calls}
    own = dict(full)
    for name in full:
        parent = name.rpartition(".")[0]
        while parent and parent not in own:
            parent = parent.rpartition(".")[0]
        if name and parent in own:
            own[parent] -= full[name]
    for name, module, before, _after in calls:
        if isinstance(module, nn.RNNBase):  # whose fused kernels are not counted
            steps = before.shape[0] * before.shape[1]
            own[name] = steps * sum(p.numel() for p in module.parameters() if p.dim() == 2)
    return own


def _tensor(values: Any) -> Tensor | None:
    """Return the first tensor of what goes into a module or comes out of it."""
    if isinstance(values, Tensor):
        return values
    parts = values.values() if isinstance(values, dict) else values
    if not isinstance(values, dict | tuple | list):
        return None
    return next((found for part in parts if (found := _tensor(part)) is not None), None)
