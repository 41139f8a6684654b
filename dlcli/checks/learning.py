"""Checks that take steps, each on a copy: gradients, and a few rows learned by heart."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf, isfinite, prod
from time import monotonic

import torch
from torch import Tensor
from torch.nn import functional as F

from dlcli.build import Learner, count_parameters
from dlcli.checks.finding import Finding, sound, warning
from dlcli.checks.network import outputs_of
from dlcli.checks.trial import trial
from dlcli.config.config import Config
from dlcli.data.chosen import chosen
from dlcli.data.examples import Examples
from dlcli.data.wording import counted
from dlcli.errors import DivergedError
from dlcli.progress import number
from dlcli.training.randomness import epoch_order
from dlcli.training.trainer import Trainer

_GRADIENT_STEPS = 3
_ROWS = 8
_AMONG = 256
_TOKENS = 64
"""Of running text, where every one is a target, and each weight has its part in all of them."""
_HEART_STEPS = 200
_FACTORS = (1.0, 10.0, 0.1, 100.0)
"""Of the learning rate: a few rows may want another one than all of them."""
_NEAR = 0.1
"""Share of the first loss, above the least that there can be, that counts as near it."""
_SECONDS = 10.0


def check_gradients(config: Config, learner: Learner, train: Examples) -> Finding:
    """Say which layers no gradient reaches in the first steps."""
    trainer = trial(config, learner, train)
    moved: dict[str, float] = {}
    try:
        for step, _ in enumerate(trainer.steps(train, None, epochs=_GRADIENT_STEPS), start=1):
            for name, parameter in trainer.model.named_parameters():
                if parameter.requires_grad:
                    layer = name.rpartition(".")[0]
                    size = 0.0 if parameter.grad is None else float(parameter.grad.abs().max())
                    moved[layer] = max(moved.get(layer, 0.0), size)
            if step == _GRADIENT_STEPS:
                break
    except DivergedError as error:
        return warning("gradients", str(error), "lower `optimizer.lr`, or scale the inputs")
    still = [name or "the network" for name, size in moved.items() if size == 0]
    if still:
        told = ", ".join(f"`{name}`" for name in still[:4])
        more = f" and {len(still) - 4} more" if len(still) > 4 else ""
        return warning(
            "gradients",
            f"no gradient reaches {told}{more} in {_GRADIENT_STEPS} steps: they stay as drawn",
            "a layer that is not used, a `detach`, or an activation that is flat",
        )
    return sound("gradients", f"they reach all {len(moved)} trained layers")


def check_by_heart(config: Config, learner: Learner, train: Examples) -> Finding:
    """Say whether the network can learn a few rows by heart, as nearly every network can."""
    rows = _few_rows(learner, train, config.seed)
    batch = rows.slice(0, len(rows))
    least = _least_loss(learner, batch.targets)
    first = float(learner.loss(outputs_of(learner.network, batch.inputs), batch.targets))
    if not isfinite(first):
        return warning("by heart", "not tried: the loss is not finite before the first step")
    near, end = least + _NEAR * (first - least), monotonic() + _SECONDS
    best, steps = first, 0
    for factor in _FACTORS:
        trainer = trial(config, learner, rows, batch_size=len(rows), factor=factor)
        for step, loss in enumerate(_losses(learner, trainer, rows), start=1):
            best, steps = min(best, loss), max(steps, step)
            if best <= near:
                told = "" if factor == 1 else f" at {factor:g} times the learning rate"
                return sound(
                    "by heart",
                    f"{counted(len(rows), 'row')} learned in {counted(step, 'step')}{told}: loss "
                    f"{number(first)} to {number(best)}",
                )
            if monotonic() > end:
                break
    told = f"the loss of {counted(len(rows), 'row')} goes from {number(first)} to {number(best)}"
    if steps < _HEART_STEPS and best < first:
        return sound("by heart", f"{told} in {counted(steps, 'step')}, all that time allows")
    return warning(
        "by heart",
        f"{told} in {counted(steps, 'step')}, not near the {number(least)} that is possible: the "
        "network cannot learn so few rows by heart",
        "look at the end of the network, at frozen or dead layers, at a learning rate that is far "
        "off, at targets that contradict each other; or take a larger model",
    )


def _few_rows(learner: Learner, train: Examples, seed: int) -> Examples:
    """Return rows with inputs of their own, of many classes, no more than parameters can fit."""
    order = epoch_order(seed, 0, len(train))[:_AMONG].to(train.targets.device)
    batch = train.take(order)
    fitting = count_parameters(learner.network) // max(1, prod(learner.loss.outputs))
    if learner.loss.padding is not None:
        fitting = min(fitting // 2, _TOKENS) // batch.targets.shape[1]
    count = min(_ROWS, max(1, fitting))
    blocks = [block.flatten(1).double() for block in batch.inputs.values()]
    own = torch.unique(torch.cat(blocks, 1), dim=0, return_inverse=True)[1]
    distinct = _first_of_each(own)
    if learner.task.classes:
        turn = _turns(batch.targets[distinct])
        distinct = distinct[turn.sort(stable=True).indices]
    return chosen(train, order[distinct[:count]])


def _first_of_each(labels: Tensor) -> Tensor:
    """Return the first place of each label among labels (N,), ascending."""
    return (_turns(labels) == 0).nonzero().flatten()


def _turns(labels: Tensor) -> Tensor:
    """Return how many equal labels stand before each of labels (N,)."""
    same = labels[:, None] == labels[None]  # (N, N)
    return same.tril(-1).sum(1)


def _losses(learner: Learner, trainer: Trainer, rows: Examples) -> Iterator[float]:
    """Yield the loss after each step: in train mode that of the step, and every tenth in eval."""
    batch = rows.slice(0, len(rows))
    try:
        for step in trainer.steps(rows, None, epochs=_HEART_STEPS):
            loss = float(step.loss)
            if step.epoch % 10 == 0:
                outputs = outputs_of(trainer.model, batch.inputs)
                loss = min(loss, float(learner.loss(outputs, batch.targets)))
            yield loss if isfinite(loss) else inf
    except DivergedError:
        return


def _least_loss(learner: Learner, targets: Tensor) -> float:
    """Return the loss of outputs that say what is true: not 0 where labels are smoothed."""
    loss, size = learner.loss, prod(learner.loss.outputs)
    if learner.task.classes or loss.padding is not None:
        is_one = not loss.outputs
        right = 2 * targets.float() - 1 if is_one else F.one_hot(targets.long(), size).float()
        scales = torch.logspace(-1, 2, 40).tolist()
        told = [right * scale for scale in scales]
    else:
        told = [targets, targets.clamp(min=1e-6).log()]
    found = [float(loss(outputs, targets)) for outputs in told]
    return min((value for value in found if isfinite(value)), default=0.0)
