"""Checks of a network before its first step: shapes, frozen layers, outputs, the first loss."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from math import isfinite

import torch
from torch import Tensor, nn

from dlcli.build import Learner, count_parameters
from dlcli.checks.finding import Finding, sound, warning
from dlcli.config.loss import BCEOptions, CrossEntropyOptions, FocalOptions
from dlcli.errors import ConfigError
from dlcli.progress import number
from dlcli.training.diagnosis import dead_layers
from dlcli.training.protocols import Batch

_FAR = 3.0
"""Times the loss of outputs that are all 0: torch's own first weights stay well below."""
_STRETCHES = (1.0, 5.0, 50.0)
"""Factors of all weights: whatever they are, a softmax or sigmoid at the end stays one."""
_SUMS_TO_ONE = 1e-3
_AS_LARGE = 1e-3
"""Share of a loss by which that of the same rows twice may differ: rounding."""
_FEWEST_OUTPUTS = 8


def check_network(learner: Learner, probe: Batch, fresh: nn.Module | None) -> Iterator[Finding]:
    """Yield what the network shows before it is trained.

    Args:
        learner: At the beginning of its training.
        probe: Training rows, as they are stored.
        fresh: The same network with weights drawn anew, where some layers are frozen.

    Raises:
        ConfigError: The outputs have not the shape that the loss takes.
    """
    network = learner.network
    outputs = outputs_of(network, probe.inputs)
    yield _shapes(learner, probe, outputs)
    if fresh is not None:
        yield frozen_layers(network, fresh, probe)
    yield first_loss(learner, probe, outputs)
    if learner.loss_options.code is not None:
        yield mean_loss(learner, probe, outputs)
    if isinstance(learner.loss_options, CrossEntropyOptions | FocalOptions | BCEOptions):
        yield squashed(learner, probe)
    yield dead_start(network, probe)


def outputs_of(network: nn.Module, inputs: Mapping[str, Tensor]) -> Tensor:
    """Return a network's outputs (N, ...) in eval mode, and leave it in its own."""
    was_training = network.training
    network.eval()
    try:
        with torch.no_grad():
            outputs: Tensor = network(dict(inputs))
    finally:
        network.train(was_training)
    return outputs


def _shapes(learner: Learner, probe: Batch, outputs: Tensor) -> Finding:
    wanted = learner.loss.outputs
    per_step = learner.loss.padding is not None
    shape = tuple(outputs.shape)
    if per_step:
        wanted = (*probe.targets.shape[1:], *wanted)
    if shape != (len(probe), *wanted):
        raise ConfigError(
            f"the network's outputs for {len(probe)} rows have the shape {shape}, and the loss "
            f"`{learner.loss_options.name}` takes {(len(probe), *wanted)}",
            path=("model",),
            suggestion="its last layer has the wrong size, or a dimension is lost on the way",
        )
    given = ", ".join(f"{name} {_sizes(block)}" for name, block in probe.inputs.items())
    return sound(
        "shapes",
        f"{given} -> {_sizes(outputs)}; {count_parameters(learner.network):,} trained parameters",
    )


def _sizes(block: Tensor) -> str:
    return f"(N{''.join(f', {size:,}' for size in block.shape[1:])})"


def output_layer(network: nn.Module, probe: Batch) -> str:
    """Return the name of the last layer with parameters that a forward pass comes through."""
    called: list[str] = []
    own = {name: m for name, m in network.named_modules() if [*m.parameters(recurse=False)]}
    handles = [
        module.register_forward_hook(lambda *_, name=name: called.append(name))
        for name, module in own.items()
    ]
    try:
        outputs_of(network, probe.inputs)
    finally:
        for handle in handles:
            handle.remove()
    return called[-1] if called else ""


def frozen_layers(network: nn.Module, fresh: nn.Module, probe: Batch) -> Finding:
    """Say whether layers are frozen at the weights that were drawn for them, the last one first."""
    modules, drawn = dict(network.named_modules()), dict(fresh.named_modules())
    frozen = [name for name, module in modules.items() if _is_frozen(module)]
    random = [name for name in frozen if _is_same(modules[name], drawn[name])]
    last = output_layer(network, probe)
    if last in random:
        return warning(
            "frozen",
            f"the output layer `{last}` is frozen at random weights: training cannot change how "
            "features become answers",
            "leave it out of `train.freeze`; of a model that was trained before, freeze the body",
        )
    if random:
        return warning(
            "frozen",
            f"frozen at random weights: {', '.join(f'`{name}`' for name in random[:4])}",
            "begin with trained ones (`train.init_from`), or leave them out of `train.freeze`",
        )
    return sound("frozen", f"{len(frozen)} layers stay as they are, none at random weights")


def _is_frozen(module: nn.Module) -> bool:
    own = list(module.parameters(recurse=False))
    return bool(own) and not any(parameter.requires_grad for parameter in own)


def _is_same(module: nn.Module, drawn: nn.Module) -> bool:
    """Say whether the matrices of a layer, if it has any, are those that were drawn."""
    pairs = [
        (own, other)
        for own, other in zip(module.parameters(False), drawn.parameters(False), strict=True)
        if own.ndim > 1
    ]
    return bool(pairs) and all(torch.equal(own, other) for own, other in pairs)


def first_loss(learner: Learner, probe: Batch, outputs: Tensor) -> Finding:
    """Compare the loss before training with that of outputs that are all 0.

    These are what chance gives: ln K for K classes, for scaled numbers their variance.
    """
    loss = learner.evaluation.loss
    first = float(loss(outputs, probe.targets))
    chance = float(loss(torch.zeros_like(outputs), probe.targets))
    told = f"the first loss is {number(first)}, that of outputs all 0 {number(chance)}"
    if isinstance(learner.loss_options, CrossEntropyOptions):
        told += f" (ln {outputs.shape[-1]:,})"
    if not isfinite(chance):
        return warning(
            "first loss",
            f"{told}: it is the loss itself that is not finite",
            "look for a division by 0, or a logarithm or root of what is not above 0",
        )
    if not isfinite(first) or (chance > 0 and first > _FAR * chance):
        return warning(
            "first loss",
            f"{told}: the network begins far from knowing nothing, and unlearns first",
            "scale inputs and targets, or begin with smaller weights",
        )
    return sound("first loss", told)


def mean_loss(learner: Learner, probe: Batch, outputs: Tensor) -> Finding:
    """Say whether the loss of rows is what it is of the same rows twice, as a mean is."""
    once = float(learner.loss(outputs, probe.targets))
    twice = float(learner.loss(torch.cat([outputs] * 2), torch.cat([probe.targets] * 2)))
    if not abs(twice - once) > _AS_LARGE * max(abs(once), abs(twice)):
        return sound("mean loss", "the same rows twice have the same loss")
    return warning(
        "mean loss",
        f"the loss is no mean over rows: of {len(probe):,} rows it is {number(once)}, of the same "
        f"rows twice {number(twice)}; so it changes with the batch size, `train.accumulate` and "
        "the number of processes, and its learning rate with it",
        "return the mean, or a value for each row (`reduction='none'`)",
    )


def squashed(learner: Learner, probe: Batch) -> Finding:
    """Say whether a softmax or sigmoid stands before a loss that has its own."""
    name = learner.loss_options.name
    what = "softmax" if learner.loss.outputs else "sigmoid"
    if not all(_are_squashed(learner, probe)):
        return sound("outputs", f"scores without bounds, as `{name}` takes them")
    return warning(
        "outputs",
        f"the network ends in a {what}, and so does the loss `{name}`: squashed twice, the loss "
        "cannot come near 0, and gradients are small",
        f"leave the {what} out of the network; predictions get theirs from the loss",
    )


def _are_squashed(learner: Learner, probe: Batch) -> Iterator[bool]:
    """Yield whether outputs are shares or probabilities, with weights small, larger and large."""
    network, before = deepcopy(learner.network), 1.0
    for stretch in _STRETCHES:
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.mul_(stretch / before)
        before = stretch
        outputs = outputs_of(network, probe.inputs).double()
        if stretch == 1 or bool(outputs.isfinite().all()):  # else it says nothing
            yield _is_squashed(outputs, has_classes=bool(learner.loss.outputs))


def _is_squashed(outputs: Tensor, *, has_classes: bool) -> bool:
    """Say whether outputs (N, ..., K) are shares of a whole, or outputs (N,) all lie in 0..1."""
    is_within = bool(((outputs >= 0) & (outputs <= 1)).all())
    if not has_classes:
        return is_within and outputs.numel() >= _FEWEST_OUTPUTS
    return is_within and bool(((outputs.sum(-1) - 1).abs() < _SUMS_TO_ONE).all())


def dead_start(network: nn.Module, probe: Batch) -> Finding:
    """Say which ReLU layers give 0 whatever they are shown."""
    dead = dead_layers(network, probe)
    if dead:
        return warning(
            "dead units",
            f"every ReLU of {', '.join(f'`{name}`' for name in dead)} gives 0 on all of "
            f"{len(probe):,} training rows, so no gradient passes",
            "another `seed`, `activation: leaky_relu`, or inputs that are scaled",
        )
    return sound("dead units", "no layer of ReLUs is all 0")
