"""Schedules that follow from the step alone, against those of torch.optim.lr_scheduler."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim import lr_scheduler

from dlcli.build import component
from dlcli.config.options import components
from dlcli.config.scheduler import (
    ConstantOptions,
    CosineOptions,
    ExponentialOptions,
    LinearDecayOptions,
    MultiStepOptions,
    OneCycleOptions,
    PolynomialOptions,
    ReduceOnPlateauOptions,
    SchedulerOptions,
    StepOptions,
)
from dlcli.schedulers.schedule import Plan, Schedule, endless_warmup, warmup_steps
from dlcli.training.stopping import Monitor
from tests.labels import label

EPOCHS, BATCHES = 12, 7
STEPS = EPOCHS * BATCHES
OPTIONS: list[SchedulerOptions] = [
    ConstantOptions(),
    StepOptions(step_size=3),
    MultiStepOptions(milestones=[2, 5, 6], gamma=0.3),
    ExponentialOptions(gamma=0.8),
    LinearDecayOptions(end_factor=0.2),
    PolynomialOptions(power=2.0, end_factor=0.1),
    CosineOptions(end_factor=0.1),
    CosineOptions(T_0=2, T_mult=2),
    OneCycleOptions(),
    ReduceOnPlateauOptions(),
]


def plan_of(steps: int, batches: int) -> Plan:
    return Plan(steps, batches, 1.0, Monitor())


def schedule_of(options: SchedulerOptions, steps: int = STEPS, batches: int = BATCHES) -> Schedule:
    schedule: Schedule = component(options)(options, plan_of(steps, batches))
    return schedule


@pytest.mark.parametrize(("warmup", "is_endless"), [(0, 0), (0.99, 0), (84, 0), (85, 1)])
def test_a_warm_up_beyond_the_last_step_is_endless(warmup: float, is_endless: int) -> None:
    options = ConstantOptions(warmup=warmup)
    assert bool(endless_warmup(options, STEPS)) == bool(is_endless)
    assert (schedule_of(options)(STEPS - 1, ()) < 1) == bool(is_endless)


def make_sgd() -> torch.optim.SGD:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)


def rates(optimizer: torch.optim.Optimizer, reference, steps: int, every: int) -> list[float]:
    """Return torch's rate at each step, where the scheduler steps after `every` of them."""
    found = []
    for number in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if (number + 1) % every == 0 and number + 1 < steps:
            reference.step()
    return found


def torchs(make, *, every: int = 1) -> list[float]:
    optimizer = make_sgd()
    return rates(optimizer, make(optimizer), STEPS, every)


def rise(optimizer: torch.optim.Optimizer, steps: int) -> lr_scheduler.LinearLR:
    return lr_scheduler.LinearLR(optimizer, start_factor=1 / steps, total_iters=steps - 1)


PER_STEP = [
    (ConstantOptions(), lambda o, _n: lr_scheduler.ConstantLR(o, factor=1.0)),
    (
        LinearDecayOptions(end_factor=0.2),
        lambda o, n: lr_scheduler.LinearLR(o, 1.0, end_factor=0.2, total_iters=n),
    ),
    (PolynomialOptions(), lambda o, n: lr_scheduler.PolynomialLR(o, total_iters=n)),
    (
        PolynomialOptions(power=2.5),
        lambda o, n: lr_scheduler.PolynomialLR(o, total_iters=n, power=2.5),
    ),
    (
        CosineOptions(end_factor=0.1),
        lambda o, n: lr_scheduler.CosineAnnealingLR(o, T_max=n, eta_min=0.1),
    ),
    (
        CosineOptions(T_0=3, end_factor=0.05),
        lambda o, _n: lr_scheduler.CosineAnnealingWarmRestarts(o, T_0=3 * BATCHES, eta_min=0.05),
    ),
    (
        CosineOptions(T_0=1, T_mult=3),
        lambda o, _n: lr_scheduler.CosineAnnealingWarmRestarts(o, T_0=BATCHES, T_mult=3),
    ),
]
PER_EPOCH = [
    (StepOptions(step_size=3, gamma=0.5), lambda o: lr_scheduler.StepLR(o, 3, gamma=0.5)),
    (StepOptions(step_size=1), lambda o: lr_scheduler.StepLR(o, 1)),
    (MultiStepOptions(milestones=[2, 5, 6]), lambda o: lr_scheduler.MultiStepLR(o, [2, 5, 6])),
    (
        MultiStepOptions(milestones=[1, 30], gamma=0.3),
        lambda o: lr_scheduler.MultiStepLR(o, [1, 30], gamma=0.3),
    ),
    (ExponentialOptions(gamma=0.8), lambda o: lr_scheduler.ExponentialLR(o, gamma=0.8)),
]


def factors(options: SchedulerOptions) -> list[float]:
    schedule = schedule_of(options)
    return [schedule(step, []) for step in range(STEPS)]


@pytest.mark.parametrize(("options", "make"), PER_STEP, ids=label)
def test_a_schedule_over_steps_is_torchs(options: SchedulerOptions, make) -> None:
    assert factors(options) == pytest.approx(torchs(lambda o: make(o, STEPS)), abs=1e-12)


@pytest.mark.parametrize(("options", "make"), PER_STEP, ids=label)
def test_after_a_warmup_it_is_torchs_sequential(options: SchedulerOptions, make) -> None:
    expected = torchs(
        lambda o: lr_scheduler.SequentialLR(o, [rise(o, 10), make(o, STEPS - 10)], milestones=[10])
    )
    warm = options.model_copy(update={"warmup": 10})
    assert factors(warm) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("options", "make"), PER_EPOCH, ids=label)
def test_a_schedule_over_epochs_is_torchs(options: SchedulerOptions, make) -> None:
    assert factors(options) == pytest.approx(torchs(make, every=BATCHES), abs=1e-12)


@pytest.mark.parametrize(("options", "make"), PER_EPOCH, ids=label)
def test_beside_a_warmup_its_epochs_stay_where_they_are(options, make) -> None:
    """The rate is the product, as in torch's ChainedScheduler if each had a clock of its own."""
    risen = torchs(lambda o: rise(o, 20))
    fallen = torchs(make, every=BATCHES)
    expected = [up * down for up, down in zip(risen, fallen, strict=True)]
    warm = options.model_copy(update={"warmup": 20})
    assert factors(warm) == pytest.approx(expected, abs=1e-12)


@settings(deadline=None, max_examples=50)
@given(
    steps=st.integers(2, 200),
    pct_start=st.floats(0, 1),
    anneal_strategy=st.sampled_from(["cos", "linear"]),
    div_factor=st.floats(1, 100),
    final_div_factor=st.floats(1, 1e5),
    three_phase=st.booleans(),
)
def test_one_cycle_is_torchs(steps: int, pct_start: float, three_phase: bool, **own) -> None:
    pct_start = pct_start / 2 if three_phase else pct_start
    own |= {"pct_start": pct_start, "three_phase": three_phase}
    schedule = schedule_of(OneCycleOptions(**own), steps)
    optimizer = make_sgd()
    try:
        reference = lr_scheduler.OneCycleLR(
            optimizer, max_lr=1.0, total_steps=steps, cycle_momentum=False, **own
        )
        expected = rates(optimizer, reference, steps, every=1)
    except ZeroDivisionError:  # torch divides by a rise of one step
        assert schedule(0, []) <= 1
        return
    assert [schedule(step, []) for step in range(steps)] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("three_phase", [False, True])
def test_a_rise_of_one_step_is_made_with_the_full_rate(three_phase: bool) -> None:
    schedule = schedule_of(OneCycleOptions(pct_start=0.1, three_phase=three_phase), steps=10)
    values = [schedule(step, []) for step in range(10)]
    assert values[0] == 1
    assert values == sorted(values, reverse=True)


def test_every_scheduler_is_tested() -> None:
    assert {options.name for options in OPTIONS} == set(components(SchedulerOptions))


@settings(deadline=None)
@given(
    options=st.sampled_from(OPTIONS),
    warmup=st.one_of(st.integers(0, 50), st.floats(0, 0.99)),
    steps=st.integers(1, 200),
    batches=st.integers(1, 50),
    data=st.data(),
)
def test_factors_are_between_0_and_1_in_whatever_order(
    options, warmup, steps, batches, data
) -> None:
    options = options.model_copy(update={"warmup": warmup})
    schedule = schedule_of(options, steps, batches)
    values = [schedule(step, []) for step in range(steps)]
    assert all(0 < value <= 1 for value in values)
    assert all(up <= 1 / warmup_steps(options, steps) for up in values[:1] if warmup)
    order = data.draw(st.lists(st.integers(0, steps - 1), max_size=20))
    assert [schedule(step, []) for step in order] == [values[step] for step in order]


@settings(deadline=None)
@given(
    options=st.sampled_from(
        [o for o in OPTIONS if o.name != "one_cycle" and getattr(o, "T_0", None) is None]
    ),
    warmup=st.one_of(st.integers(0, 50), st.floats(0, 0.99)),
    steps=st.integers(1, 200),
)
def test_after_the_rise_it_never_rises_again(options, warmup, steps) -> None:
    options = options.model_copy(update={"warmup": warmup})
    schedule = schedule_of(options, steps, batches=200)
    values = [schedule(step, []) for step in range(steps)]
    top = warmup_steps(options, steps)
    assert values[:top] == sorted(values[:top])
    assert values[top:] == sorted(values[top:], reverse=True)
    if top < steps:
        assert values[max(top - 1, 0)] == 1


@pytest.mark.parametrize(
    ("warmup", "expected"), [(0, 0), (0.05, 5), (0.001, 1), (7, 7), (1, 1), (0.5, 50)]
)
def test_a_warmup_below_one_is_a_share_of_all_steps(warmup: float, expected: int) -> None:
    assert warmup_steps(ConstantOptions(warmup=warmup), 100) == expected


def test_the_first_step_already_learns() -> None:
    assert schedule_of(CosineOptions(warmup=4), 100)(0, []) == 0.25


@pytest.mark.parametrize("options", OPTIONS, ids=label)
def test_a_step_beyond_the_plan_keeps_the_last_factor_or_a_lower_one(options) -> None:
    schedule = schedule_of(options)
    if getattr(options, "T_0", None) is None:
        assert 0 <= schedule(STEPS + 50, []) <= schedule(STEPS - 1, [])


@pytest.mark.parametrize("warmup", [1.5, -1, -0.1])
def test_a_warmup_that_is_neither_share_nor_count_is_refused(warmup: float) -> None:
    with pytest.raises(ValueError, match=r"share below 1|greater than or equal to 0"):
        ConstantOptions(warmup=warmup)
