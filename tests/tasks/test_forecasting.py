"""Forecasting: shapes, units, and what the last values alone would tell."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from dlcli.config.loss import LossOptions
from dlcli.config.metric import MetricOptions
from dlcli.config.options import components
from dlcli.data.examples import WindowExamples
from dlcli.data.spec import Window
from dlcli.losses import regression
from dlcli.metrics.regression import mean_error, scaled_error
from dlcli.tasks.forecasting import Forecasting
from dlcli.tasks.task import Task, losses_of

ENCODERS = {"a": SimpleNamespace(scale=2.0, shift=10.0), "b": SimpleNamespace(scale=0.5, shift=0.0)}
TASK = Forecasting.of(ENCODERS, Window(past=6, horizon=5, targets=(0, 1), season=3))


def examples(rows: torch.Tensor) -> WindowExamples:
    return WindowExamples({"numbers": rows}, None, rows, 0, len(rows) - 10, 6, 5, lead=6)


def test_it_is_a_task_with_its_own_losses_and_metrics() -> None:
    task: Task = TASK
    assert (task.shape, task.size, task.names) == ((5, 2), 2, ("a", "b"))
    assert losses_of(task.name)[0] == "mse"
    assert all(task.name in components(MetricOptions)[name].tasks for name in task.metrics)


def test_naive_repeats_the_last_value_and_seasonal_naive_the_last_season() -> None:
    rows = torch.arange(40.0).reshape(20, 2)
    windows = examples(rows)
    naive, seasonal = TASK.baselines(windows).values()
    assert list(TASK.baselines(windows)) == ["naive", "seasonal naive (3)"]
    for start in range(len(windows)):
        last = rows[start : start + 6] * torch.tensor([2.0, 0.5]) + torch.tensor([10.0, 0.0])
        assert naive(windows, start, start + 1)[0].tolist() == [last[-1].tolist()] * 5
        told = seasonal(windows, start, start + 1)[0].tolist()
        assert told == [last[row].tolist() for row in (-3, -2, -1, -3, -2)]


def test_without_a_season_there_is_naive_alone() -> None:
    task = Forecasting.of(ENCODERS, Window(past=6, horizon=5))
    assert list(task.baselines(examples(torch.zeros(20, 2)))) == ["naive"]


def test_answers_are_in_units_by_target() -> None:
    answers = TASK.answers(torch.tensor([[[0.0, 2.0]] * 5]))
    assert answers.dtype == torch.float64
    assert answers[0].tolist() == [[10.0, 1.0]] * 5
    assert TASK.decode(answers) == [[10.0] * 5, [1.0] * 5]
    assert TASK.predictions(answers) == [[[10.0, 1.0]] * 5]
    alone = Forecasting.of({"a": ENCODERS["a"]}, Window(past=6, horizon=2))
    assert alone.predictions(torch.tensor([[[1.0], [2.0]], [[3.0], [4.0]]])) == [[1, 2], [3, 4]]


@pytest.mark.parametrize("name", ["mse", "mae"])
def test_scaled_errors_are_those_of_the_encoded_numbers(name: str) -> None:
    told, true = torch.randn(2, 7, 5, 2, dtype=torch.float64)
    options = components(MetricOptions)
    scaled = scaled_error(options[f"scaled_{name}"](), size=2, scale=TASK.scale)
    plain = mean_error(options[name](), size=2)
    for part in (slice(0, 3), slice(3, 7)):
        scaled.update(TASK.answers(told[part]), TASK.truths(true[part]))
        plain.update(told[part].flatten(0, 1), true[part].flatten(0, 1))
    assert scaled.value() == pytest.approx(plain.value(), rel=1e-12)


@pytest.mark.parametrize("name", losses_of(TASK.name))
def test_parts_of_a_batch_add_up_to_the_batch(name: str) -> None:
    """Law 3: every row has as many numbers, so rows are what a mean divides by."""
    loss = regression(components(LossOptions)[name](), shape=TASK.shape)
    outputs, targets = torch.randn(2, 8, 5, 2, dtype=torch.float64)
    parts = [slice(0, 3), slice(3, 8)]
    total = sum(loss(outputs[p], targets[p]) * loss.weight(targets[p]) for p in parts)
    assert float(total) / loss.weight(targets) == pytest.approx(
        float(loss(outputs, targets)), rel=1e-12
    )
