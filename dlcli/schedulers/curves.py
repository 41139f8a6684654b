"""Learning rates that follow from the step alone."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from math import cos, pi

from dlcli.config.scheduler import (
    ConstantOptions,
    CosineOptions,
    ExponentialOptions,
    LinearDecayOptions,
    MultiStepOptions,
    OneCycleOptions,
    PolynomialOptions,
    SchedulerOptions,
    StepOptions,
)
from dlcli.schedulers.schedule import Plan, Schedule, after_warmup, beside_warmup


def constant(options: ConstantOptions, plan: Plan) -> Schedule:
    """Return the factor 1 after the warm-up."""
    return after_warmup(options, plan, lambda _step, _steps: 1.0)


def step(options: StepOptions, plan: Plan) -> Schedule:
    """Return a fall by `gamma` every `step_size` epochs."""
    return _by_epoch(options, plan, lambda epoch: options.gamma ** (epoch // options.step_size))


def multistep(options: MultiStepOptions, plan: Plan) -> Schedule:
    """Return a fall by `gamma` after each of the epochs `milestones`."""
    return _by_epoch(
        options, plan, lambda epoch: options.gamma ** bisect_right(options.milestones, epoch)
    )


def exponential(options: ExponentialOptions, plan: Plan) -> Schedule:
    """Return a fall by `gamma` after every epoch."""
    return _by_epoch(options, plan, lambda epoch: options.gamma**epoch)


def linear(options: LinearDecayOptions, plan: Plan) -> Schedule:
    """Return a fall from 1 to `end_factor` along a straight line."""
    return _by_share(options, plan, options.end_factor, lambda done: 1 - done)


def polynomial(options: PolynomialOptions, plan: Plan) -> Schedule:
    """Return a fall from 1 to `end_factor` along a power of what is left."""
    return _by_share(options, plan, options.end_factor, lambda done: (1 - done) ** options.power)


def cosine(options: CosineOptions, plan: Plan) -> Schedule:
    """Return a fall from 1 to `end_factor` along half a cosine, or along one after another.

    Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", 2017.
    """
    end = options.end_factor
    if options.T_0 is None:
        return _by_share(options, plan, end, _half_cosine)
    first = options.T_0 * plan.steps_per_epoch

    def factor(step: int, _steps: int) -> float:
        length = first
        while step >= length:
            step, length = (step - length, length * options.T_mult)
            if options.T_mult == 1:
                step %= length
        return end + (1 - end) * _half_cosine(step / length)

    return after_warmup(options, plan, factor)


def one_cycle(options: OneCycleOptions, plan: Plan) -> Schedule:
    """Return a rise from far below 1 to 1, and a fall to farther below.

    Smith and Topin, "Super-convergence: very fast training of neural networks using large learning
    rates", 2018; with the last steps of its phases as in `torch.optim.lr_scheduler.OneCycleLR`.
    """
    low, last = 1 / options.div_factor, plan.steps - 1
    end, peak = low / options.final_div_factor, options.pct_start * plan.steps - 1
    phases = [(peak, low, 1.0), (last, 1.0, end)]
    if options.three_phase:
        phases = [(peak, low, 1.0), (2 * peak, 1.0, low), (last, low, end)]
    curve = _half_cosine if options.anneal_strategy == "cos" else lambda done: 1 - done

    def factor(step: int, _history: object = ()) -> float:
        begin = 0.0
        for stop, before, after in phases:
            if step <= stop or stop == last:
                done = (step - begin) / (stop - begin) if stop > begin else 1.0
                return after + (before - after) * curve(min(done, 1.0))
            begin = stop
        return end

    return beside_warmup(options, plan, factor)


def _half_cosine(done: float) -> float:
    return (1 + cos(pi * done)) / 2


def _by_share(
    options: SchedulerOptions, plan: Plan, end: float, left: Callable[[float], float]
) -> Schedule:
    """Fall from 1 to `end` after the warm-up, by the share of its steps that is done."""
    return after_warmup(
        options, plan, lambda step, steps: end + (1 - end) * left(min(step / steps, 1.0))
    )


def _by_epoch(options: SchedulerOptions, plan: Plan, factor: Callable[[int], float]) -> Schedule:
    """Hold a factor of the epochs completed from one to the next."""
    return beside_warmup(options, plan, lambda step, _history: factor(step // plan.steps_per_epoch))
