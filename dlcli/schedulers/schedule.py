"""What every schedule shares: what it is laid out over, and the rise that it can begin with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil

from dlcli.config.scheduler import SchedulerOptions
from dlcli.training.state import EpochReport
from dlcli.training.stopping import Monitor

Schedule = Callable[[int, Sequence[EpochReport]], float]
"""Maps a step, 0-based, and the reports of the epochs so far to a factor of the optimizer's lr."""


@dataclass(frozen=True)
class Plan:
    """What a schedule is laid out over.

    Attributes:
        steps: Of the whole training.
        steps_per_epoch: Of one epoch.
        lr: The optimizer's learning rate, which the factor multiplies.
        monitor: The value that says whether training still improves.
    """

    steps: int
    steps_per_epoch: int
    lr: float
    monitor: Monitor


def warmup_steps(options: SchedulerOptions, steps: int) -> int:
    """Return the number of steps in which the rate still rises."""
    if options.warmup < 1:
        return ceil(options.warmup * steps)
    return int(options.warmup)


def endless_warmup(options: SchedulerOptions, steps: int) -> str:
    """Say that the rate rises to the end of the training; nothing where it has time to arrive.

    Args:
        options: Those of own code have no warm-up.
        steps: Of the whole training.
    """
    warmup = warmup_steps(options, steps) if options.code is None else 0
    if warmup <= steps:
        return ""
    return (
        f"`scheduler.warmup` rises over {warmup:,} steps, and this training has {steps:,}: the "
        f"learning rate comes to no more than {steps / warmup:.2g} of `optimizer.lr`"
    )


def after_warmup(
    options: SchedulerOptions, plan: Plan, factor: Callable[[int, int], float]
) -> Schedule:
    """Rise in equal steps to 1 at the last step of the warm-up, then follow `factor`.

    `factor` takes the steps made since and the steps that there are: 0 at the first of them, so
    that no step is made with the factor of the end. As `torch.optim.lr_scheduler.SequentialLR`.
    """
    warmup = warmup_steps(options, plan.steps)
    rest = max(plan.steps - warmup, 1)

    def schedule(step: int, history: Sequence[EpochReport] = ()) -> float:  # noqa: ARG001
        return (step + 1) / warmup if step < warmup else factor(step - warmup, rest)

    return schedule


def beside_warmup(options: SchedulerOptions, plan: Plan, schedule: Schedule) -> Schedule:
    """Multiply a schedule by a rise in equal steps to 1, so that its epochs stay where they are.

    As `torch.optim.lr_scheduler.ChainedScheduler`.
    """
    warmup = warmup_steps(options, plan.steps)

    def product(step: int, history: Sequence[EpochReport] = ()) -> float:
        rise = (step + 1) / warmup if step < warmup else 1.0
        return rise * schedule(step, history)

    return product
