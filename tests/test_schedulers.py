"""The learning rate over a training."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dlcli.config.options import components
from dlcli.config.scheduler import (
    ConstantOptions,
    CosineOptions,
    LinearDecayOptions,
    SchedulerOptions,
)
from dlcli.schedulers import constant, cosine, linear, warmup_steps

BUILDERS = {"constant": constant, "linear": linear, "cosine": cosine}


def test_every_scheduler_is_tested() -> None:
    assert set(BUILDERS) == set(components(SchedulerOptions))


@given(
    name=st.sampled_from(sorted(BUILDERS)),
    warmup=st.one_of(st.integers(0, 50), st.floats(0, 0.99)),
    steps=st.integers(1, 200),
)
def test_the_factor_rises_to_one_then_never_rises_again(name, warmup, steps) -> None:
    options = components(SchedulerOptions)[name](warmup=warmup)
    factor = BUILDERS[name](options, steps)
    values = [factor(step, ()) for step in range(steps)]
    top = warmup_steps(options, steps)
    assert all(0 < value <= 1 for value in values)
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
    assert cosine(CosineOptions(warmup=4), 100)(0, ()) == 0.25


def test_cosine_is_torchs_cosine_annealing() -> None:
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    reference = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=50, eta_min=0.1)
    factor = cosine(CosineOptions(end_factor=0.1), 50)
    for step in range(50):
        assert factor(step, ()) == pytest.approx(optimizer.param_groups[0]["lr"], abs=1e-12)
        optimizer.step()
        reference.step()


def test_linear_falls_by_equal_amounts_to_its_end() -> None:
    factor = linear(LinearDecayOptions(end_factor=0.2), 4)
    assert [factor(step, ()) for step in range(6)] == pytest.approx([1, 0.8, 0.6, 0.4, 0.2, 0.2])


@pytest.mark.parametrize("warmup", [1.5, -1, -0.1])
def test_a_warmup_that_is_neither_share_nor_count_is_refused(warmup: float) -> None:
    with pytest.raises(ValueError, match=r"share below 1|greater than or equal to 0"):
        ConstantOptions(warmup=warmup)
