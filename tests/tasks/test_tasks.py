"""What both tasks promise: allowed components, baselines and answers in units."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from dlcli.config.loss import LossOptions
from dlcli.config.metric import AccuracyOptions, MetricOptions
from dlcli.config.options import components
from dlcli.data.examples import ResidentExamples
from dlcli.metrics.classification import accuracy
from dlcli.metrics.regression import R2
from dlcli.tasks.classification import Classification
from dlcli.tasks.regression import Regression
from dlcli.tasks.task import Task, losses_of

SPECIES = Classification.of({"species": SimpleNamespace(classes=["ant", "bee", "cat"])})
PRICE = Regression.of({"price": SimpleNamespace(scale=2.0, shift=10.0)})
PLACE = Regression.of(
    {"x": SimpleNamespace(scale=2.0, shift=1.0), "y": SimpleNamespace(scale=0.5, shift=-3.0)}
)
TASKS: list[Task] = [SPECIES, PRICE, PLACE]


@pytest.mark.parametrize("task", TASKS)
def test_every_loss_belongs_to_exactly_the_tasks_that_allow_it(task: Task) -> None:
    for name, options in components(LossOptions).items():
        assert (name in losses_of(task.name)) == (task.name in options.tasks)
    assert losses_of(task.name)[0] in {"cross_entropy", "mse"}


@pytest.mark.parametrize("task", TASKS)
def test_the_metrics_that_a_task_is_measured_by_are_allowed(task: Task) -> None:
    for name in task.metrics:
        assert task.name in components(MetricOptions)[name].tasks


def test_the_majority_class_is_as_accurate_as_it_is_frequent() -> None:
    targets = torch.tensor([1, 1, 0, 1, 2])
    train = ResidentExamples({}, targets)
    ((name, baseline),) = SPECIES.baselines(train).items()
    answers = baseline(train, 0, 5)
    assert name == "majority class"
    assert answers.tolist() == [pytest.approx([0.2, 0.6, 0.2])] * 5
    metric = accuracy(AccuracyOptions(), size=3)
    metric.update(answers, SPECIES.truths(targets))
    assert metric.value() == 0.6


def test_the_mean_of_its_own_targets_has_r2_zero() -> None:
    for task, targets in ((PRICE, torch.randn(50)), (PLACE, torch.randn(50, 2))):
        train = ResidentExamples({}, targets)
        metric = R2(components(MetricOptions)["r2"](), size=task.size)
        metric.update(task.baselines(train)["mean"](train, 0, 50), task.truths(targets))
        assert metric.value() == pytest.approx(0, abs=1e-12)


def test_numbers_are_answered_in_their_units() -> None:
    assert PRICE.answers(torch.tensor([0.0, 1.5])).tolist() == [10.0, 13.0]
    assert PRICE.predictions(PRICE.answers(torch.tensor([1.5]))) == [13.0]
    assert PRICE.decode(PRICE.answers(torch.tensor([0.0, 1.5]))) == [[10.0, 13.0]]
    answers = PLACE.answers(torch.tensor([[0.0, 0.0], [1.0, 4.0], [2.0, 2.0]]))
    assert answers.tolist() == [[1.0, -3.0], [3.0, -1.0], [5.0, -2.0]]
    assert PLACE.decode(answers) == [[1.0, 3.0, 5.0], [-3.0, -1.0, -2.0]]
    assert (PLACE.names, PLACE.size, PRICE.size) == (("x", "y"), 2, 1)


def test_classes_are_answered_by_name() -> None:
    answers = torch.tensor([[0.1, 0.2, 0.7], [0.5, 0.3, 0.2]])
    assert SPECIES.predictions(SPECIES.answers(answers)) == ["cat", "ant"]
    assert SPECIES.decode(answers) == [["cat", "ant"]]
    assert (SPECIES.names, SPECIES.size) == (("species",), 3)


def test_classes_that_are_no_texts_are_answered_as_they_are_and_named_as_in_a_config() -> None:
    task = Classification.of({"sold": SimpleNamespace(classes=(False, True))})
    assert task.predictions(torch.tensor([[0.1, 0.9]])) == [True]
    assert task.classes == ("false", "true")
    assert Classification.of({"n": SimpleNamespace(classes=(0, 10))}).classes == ("0", "10")


@pytest.mark.parametrize("task", TASKS)
def test_a_task_moves_to_a_device(task: Task) -> None:
    moved = task.to("meta")
    assert moved.names == task.names
    if isinstance(moved, Regression):
        assert moved.scale.device.type == moved.shift.device.type == "meta"
