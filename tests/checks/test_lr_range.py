"""The learning-rate range test: where a quadratic diverges is known."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from dlcli.checks.lr_range import LEAST, MOST, STEPS, Point, lr_curve, suggested_lr
from dlcli.commands.complete import Training
from tests.checks.made import begun, table, write_table


def quadratic(folder: Path, *overrides: str) -> Training:
    """A linear regression by plain gradient descent on all rows."""
    random = np.random.default_rng(0)
    values = random.normal(size=(100, 3))
    write_table(folder, values, (values @ [3.0, -2.0, 1.0]).tolist())
    rest = "model: linear\nloss: mse\noptimizer: {name: sgd, lr: 1e-3}\n"
    return begun(folder, table(", batch_size: 1000", rest), *overrides)[1]


def test_a_quadratic_explodes_above_two_over_its_curvature(tmp_path: Path) -> None:
    made = quadratic(tmp_path)
    train = made.examples["train"]
    batch = train.slice(0, len(train))
    inputs = torch.cat([batch.inputs["numbers"], torch.ones(len(train), 1)], 1).double()
    limit = 2 / float(torch.linalg.eigvalsh(2 * inputs.T @ inputs / len(train)).max())
    curve = lr_curve(made.config, made.learner, train)
    found = suggested_lr(curve)
    lowest = min(curve, key=lambda point: point.loss)
    assert len(curve) < STEPS
    assert lowest.lr < 2 * limit < curve[-1].lr * 2
    assert found is not None
    assert limit / 100 < found < limit


def test_the_rates_rise_by_one_factor_and_the_loss_is_that_before_the_step(tmp_path: Path) -> None:
    made = quadratic(tmp_path)
    curve = lr_curve(made.config, made.learner, made.examples["train"])
    factor = (MOST / LEAST) ** (1 / (STEPS - 1))
    assert curve[0].lr == pytest.approx(LEAST)
    for before, after in pairwise(curve):
        assert after.lr / before.lr == pytest.approx(factor)
    train = made.examples["train"]
    batch = train.slice(0, len(train))
    with torch.no_grad():
        first = made.learner.loss(made.learner.network(batch.inputs), batch.targets)
    assert curve[0].loss == pytest.approx(float(first))


def test_nothing_is_changed_and_the_schedule_has_no_part(tmp_path: Path) -> None:
    made = quadratic(tmp_path)
    before = {name: value.clone() for name, value in made.learner.network.state_dict().items()}
    train = made.examples["train"]
    curve = lr_curve(made.config, made.learner, train)
    again = quadratic(tmp_path, "scheduler={name: cosine, warmup: 5}", "optimizer.lr=7")
    assert lr_curve(again.config, again.learner, again.examples["train"]) == curve
    after = made.learner.network.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert made.trainer.optimizer.lr == 1e-3


def test_a_flat_curve_suggests_nothing() -> None:
    assert suggested_lr([Point(10.0**i, 1.0, 1.0 - 0.001 * i) for i in range(-7, 1)]) is None
    assert suggested_lr([]) is None


@pytest.mark.parametrize("steepest", [1, 3, 6])
def test_the_steepest_point_is_suggested(steepest: int) -> None:
    losses = [2.0]
    for i in range(1, 9):
        losses.append(losses[-1] - (0.5 if i in (steepest, steepest + 1) else 0.01))
    curve = [Point(10.0 ** (i - 7), loss, loss) for i, loss in enumerate([*losses, 9.0])]
    assert suggested_lr(curve) == pytest.approx(10.0 ** (steepest - 7))
