"""The learning rate that falls when training stands still, derived from the history alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf, nan

from dlcli.config.scheduler import ReduceOnPlateauOptions
from dlcli.schedulers.schedule import Plan, Schedule, beside_warmup
from dlcli.training.state import EpochReport
from dlcli.training.stopping import Monitor


def reduce_on_plateau(options: ReduceOnPlateauOptions, plan: Plan) -> Schedule:
    """Return a fall by `factor` after every `patience` epochs without improvement.

    The rules, and what a value that is undefined counts as, are those of
    `torch.optim.lr_scheduler.ReduceLROnPlateau`.
    """
    level = _remembered(lambda history: _level(options, plan, history))
    return beside_warmup(options, plan, lambda _step, history: level(history))


def _level(options: ReduceOnPlateauOptions, plan: Plan, history: Sequence[EpochReport]) -> float:
    """Return the factor that the epochs of a history lead to."""
    values, is_higher_better = _watched(plan.monitor, history)
    lr, best = plan.lr, -inf if is_higher_better else inf
    bad = resting = 0
    for value in values:
        if _is_better(options, value, best, is_higher_better=is_higher_better):
            best, bad = value, 0
        else:
            bad += 1
        if resting:
            resting, bad = resting - 1, 0
        if bad > options.patience:
            lower = max(lr * options.factor, options.min_lr)
            lr = lower if lr - lower > options.eps else lr
            resting, bad = options.cooldown, 0
    return lr / plan.lr


def _watched(monitor: Monitor, history: Sequence[EpochReport]) -> tuple[list[float], bool]:
    """Return the value of each epoch and which way is better: of train_loss without a val part."""
    if any(report.val is not None for report in history):
        key, is_higher_better = monitor.key, monitor.higher_is_better
    else:
        key, is_higher_better = "train_loss", False
    values = [report.value(key) for report in history]
    return [nan if value is None else value for value in values], is_higher_better


def _is_better(
    options: ReduceOnPlateauOptions, value: float, best: float, *, is_higher_better: bool
) -> bool:
    sign = 1 if is_higher_better else -1
    if options.threshold_mode == "rel":
        bound = best * (1 + sign * options.threshold)
    else:
        bound = best + sign * options.threshold
    return sign * value > sign * bound


def _remembered(
    fold: Callable[[Sequence[EpochReport]], float],
) -> Callable[[Sequence[EpochReport]], float]:
    """Fold a history anew only if it is not the one of the last call: it is, at nearly every step.

    The comparison takes a few nanoseconds an epoch, the fold some hundred.
    """
    last: tuple[list[EpochReport], float] = ([], fold([]))

    def remembered(history: Sequence[EpochReport]) -> float:
        nonlocal last
        if last[0] != list(history):
            last = (list(history), fold(history))
        return last[1]

    return remembered
