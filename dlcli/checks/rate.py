"""A check of the learning rate by a few real steps: far too high, and the loss explodes."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf, isfinite
from statistics import fmean
from time import monotonic

import torch

from dlcli.build import Learner
from dlcli.checks.finding import Finding, sound, warning
from dlcli.checks.network import outputs_of
from dlcli.checks.trial import trial
from dlcli.config.config import Config
from dlcli.data.examples import Examples
from dlcli.errors import DivergedError
from dlcli.progress import number
from dlcli.training.trainer import Trainer

_FEWEST_STEPS, _MOST_STEPS, _ROWS = 30, 200, 1000
_CHANCE_ROWS = 256
_SECONDS = 5.0
_RISE = 0.3
"""Share of the steps in which the rate rises, where the schedule begins with a warm-up."""
_EXPLODED = 2.0
"""Times the first loss."""
_LEARNED = 0.2
"""Share of the first loss below which a rate has proved good enough."""
_LOWER = (0.1, 0.01)
"""Factors of the rate that it is compared with."""
_WORSE = 1.5
"""Times the loss that a lower rate comes to in as many steps."""
_GAIN = 0.25
"""Share of the first loss that a lower rate gains beside."""
_ASTRAY = 0.03
"""Share of the first loss by which the loss rises, and with a lower rate falls."""


def check_rate(config: Config, learner: Learner, train: Examples) -> Finding:
    """Say whether the learning rate is far too high: training explodes, or a lower one does better.

    The rate is the highest of the schedule, reached at once or, where that rises first, soon.
    """
    real = trial(config, learner, train, factor=None)
    rises = real.schedule(0, ()) < 1
    first, last, steps = _run(config, learner, train, 1.0, rises=rises)
    start = max(first, _chance(learner, train))
    told = f"{real.optimizer.lr:g}: in {steps} steps the loss goes from {number(first)} to " + (
        number(last) if isfinite(last) else "what is not finite"
    )
    remedy = "lower `optimizer.lr`; `dlcli lr-find` shows how far"
    if not isfinite(first):
        return warning("learning rate", "not tried: the loss is not finite before the first step")
    if not last < _EXPLODED * start:
        return warning("learning rate", f"too high, {told}", remedy)
    for lower in _LOWER if last > _LEARNED * start else ():
        _, better, _ = _run(config, learner, train, lower, rises=rises, steps=steps)
        if _is_far_better(start, last, better) or _is_astray(start, last, better):
            told += f", and at {lower:g} times the rate to {number(better)}"
            return warning("learning rate", f"too high, {told}", remedy)
    return sound("learning rate", told)


def _is_far_better(start: float, last: float, better: float) -> bool:
    return last - better > _GAIN * start and last > _WORSE * abs(better)


def _is_astray(start: float, last: float, better: float) -> bool:
    """Say whether the loss rises at a rate and falls at a lower one."""
    margin = _ASTRAY * abs(start)
    return last > start + margin and better < start - margin


def _run(
    config: Config,
    learner: Learner,
    train: Examples,
    factor: float,
    *,
    rises: bool,
    steps: int | None = None,
) -> tuple[float, float, int]:
    """Return the mean loss of the first and of the last steps, and the number of steps."""
    trainer = trial(config, learner, train, factor=factor)
    enough = min(_MOST_STEPS, max(_FEWEST_STEPS, -(-_ROWS // trainer.batch_size)))
    count = steps or enough
    rise = max(1, round(_RISE * count)) if rises else 1
    trainer.schedule = lambda step, _history: min(1.0, (step + 1) / rise)
    losses = list(_losses(trainer, train, count))
    first, last = losses[: max(1, len(losses) // 10)], losses[-max(1, len(losses) // 3) :]
    return min(losses[0], fmean(first)), fmean(last), len(losses)


def _losses(trainer: Trainer, train: Examples, count: int) -> Iterator[float]:
    """Yield the loss of each step; infinite where training ends."""
    end = monotonic() + _SECONDS
    try:
        for taken, step in enumerate(trainer.steps(train, None, epochs=count), start=1):
            loss = float(step.loss)
            yield loss if isfinite(loss) else inf
            if taken == count or not isfinite(loss) or monotonic() > end:
                return
    except DivergedError:
        yield inf


def _chance(learner: Learner, train: Examples) -> float:
    """Return the loss of outputs that are all 0, on some training rows."""
    batch = train.slice(0, min(_CHANCE_ROWS, len(train)))
    outputs = outputs_of(learner.network, batch.inputs)
    return float(learner.loss(torch.zeros_like(outputs), batch.targets))
