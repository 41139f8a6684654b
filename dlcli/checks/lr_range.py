"""The learning-rate range test: rates that rise from step to step, and the loss that they bring.

Smith, "Cyclical learning rates for training neural networks" (arXiv 1506.01186), section 3.3; the
rate where the loss falls fastest is the suggestion of Howard's fast.ai.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import exp, isfinite

from dlcli.build import Learner
from dlcli.checks.trial import trial
from dlcli.config.config import Config
from dlcli.data.examples import Examples
from dlcli.errors import DivergedError

LEAST, MOST = 1e-7, 10.0
STEPS = 100
_EXPLODED = 4.0
"""Times the lowest loss so far, above which the test stops."""
_MEMORY = 0.8
"""Share of the running mean that each step keeps: the mean that says when to stop."""
_WIDTH = 3.0
"""Deviation in steps of the bell over which the curve is smoothed; a decade has 12."""
_FALL = 0.1
"""Share of the first loss by which a curve must fall for a rate to be suggested."""


@dataclass(frozen=True)
class Point:
    """One step of the test.

    Attributes:
        lr: Its learning rate.
        loss: Of its batch, before the step.
        smoothed: The mean of the losses around it, the nearest counting most.
    """

    lr: float
    loss: float
    smoothed: float


def lr_curve(config: Config, learner: Learner, train: Examples) -> list[Point]:
    """Take steps on a copy at rates from `LEAST` to `MOST`, until the loss explodes.

    The last point may be one whose loss is far above all others; none is without a finite loss.
    """
    points = list(_points(config, learner, train))
    return [
        replace(point, smoothed=smoothed)
        for point, smoothed in zip(points, _smoothed([p.loss for p in points]), strict=True)
    ]


def suggested_lr(curve: Sequence[Point]) -> float | None:
    """Return the rate at which the loss falls fastest; None where it hardly falls at all."""
    if len(curve) < 3:
        return None
    losses = [point.smoothed for point in curve]
    lowest = losses.index(min(losses))
    if losses[0] - losses[lowest] < _FALL * abs(losses[0]):
        return None
    falls = [losses[i + 1] - losses[i - 1] for i in range(1, max(lowest, 2))]
    return curve[1 + falls.index(min(falls))].lr


def _points(config: Config, learner: Learner, train: Examples) -> Iterator[Point]:
    trainer = trial(config, learner, train)
    rates = [LEAST * (MOST / LEAST) ** (step / (STEPS - 1)) for step in range(STEPS)]
    base = trainer.optimizer.lr
    trainer.schedule = lambda step, _history: rates[step] / base
    mean, weight, lowest = 0.0, 0.0, float("inf")
    try:
        for lr, step in zip(rates, trainer.steps(train, None, epochs=STEPS), strict=False):
            loss = float(step.loss)
            if not isfinite(loss):
                return
            yield Point(lr, loss, loss)
            mean, weight = _MEMORY * mean + loss, _MEMORY * weight + 1
            lowest = min(lowest, mean / weight)
            if lowest > 0 and mean / weight > _EXPLODED * lowest:
                return
    except DivergedError:
        return


def _smoothed(losses: Sequence[float]) -> list[float]:
    """Return for each loss the mean of all, weighted by a bell around it."""
    logs = [exp(-((distance / _WIDTH) ** 2) / 2) for distance in range(len(losses))]
    means = []
    for i in range(len(losses)):
        weights = [logs[abs(i - j)] for j in range(len(losses))]
        total = sum(w * loss for w, loss in zip(weights, losses, strict=True))
        means.append(total / sum(weights))
    return means
