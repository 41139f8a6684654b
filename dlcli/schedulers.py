"""The learning rate as a pure function of step and history; knows no optimizer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil, cos, pi

from dlcli.config.scheduler import (
    ConstantOptions,
    CosineOptions,
    LinearDecayOptions,
    SchedulerOptions,
)

Factor = Callable[[int, Sequence[object]], float]
"""Maps a step, 0-based, and the reports of the epochs so far to a factor of the optimizer's lr."""


def constant(options: ConstantOptions, steps: int) -> Factor:
    """Return the factor 1 after the warm-up."""
    return _schedule(options, steps, lambda _: 1.0)


def linear(options: LinearDecayOptions, steps: int) -> Factor:
    """Return a fall from 1 to `end_factor` along a straight line, over `steps` steps in all."""
    return _schedule(options, steps, lambda done: 1 + (options.end_factor - 1) * done)


def cosine(options: CosineOptions, steps: int) -> Factor:
    """Return a fall from 1 to `end_factor` along half a cosine, over `steps` steps in all."""
    fall = 1 - options.end_factor
    return _schedule(
        options, steps, lambda done: options.end_factor + fall * (1 + cos(pi * done)) / 2
    )


def warmup_steps(options: SchedulerOptions, steps: int) -> int:
    """Return the number of steps in which the rate still rises."""
    if options.warmup < 1:
        return ceil(options.warmup * steps)
    return int(options.warmup)


def _schedule(options: SchedulerOptions, steps: int, after: Callable[[float], float]) -> Factor:
    """Rise in equal steps to 1 at the last step of the warm-up, then follow `after`.

    `after` takes the share of the remaining steps that is done: 0 at the first of them, 1 after the
    last, so that no step is made with the rate that the schedule ends on.
    """
    warmup = warmup_steps(options, steps)

    def factor(step: int, history: Sequence[object] = ()) -> float:  # noqa: ARG001
        if step < warmup:
            return (step + 1) / warmup
        return after(min((step - warmup) / max(steps - warmup, 1), 1.0))

    return factor
