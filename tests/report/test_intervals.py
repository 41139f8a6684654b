"""Bootstrap intervals cover the true score as often as they say."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from dlcli.report.intervals import bootstrap_intervals


class Mean:
    """The mean answer; undefined for an all-zero target, as a rank metric is for one class."""

    higher_is_better = True

    def __init__(self) -> None:
        self.total, self.count, self.positive = 0.0, 0, 0

    def update(self, answers: Tensor, targets: Tensor) -> None:
        self.total += float(answers.sum())
        self.count += len(answers)
        self.positive += int(targets.sum())

    def value(self) -> float | None:
        return self.total / self.count if self.positive else None


def test_the_interval_of_a_mean_is_that_of_theory() -> None:
    answers = torch.randn(400, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    (low, high) = bootstrap_intervals(answers, torch.ones(400), lambda: {"mean": Mean()})["mean"]
    error = float(answers.std()) / 20
    assert low == pytest.approx(float(answers.mean()) - 1.96 * error, abs=0.25 * error)
    assert high == pytest.approx(float(answers.mean()) + 1.96 * error, abs=0.25 * error)


def test_intervals_cover_the_truth_about_95_times_in_100() -> None:
    generator = torch.Generator().manual_seed(2)
    covered = 0
    for seed in range(100):
        answers = torch.randn(60, generator=generator)
        low, high = bootstrap_intervals(
            answers, torch.ones(60), lambda: {"mean": Mean()}, seed=seed
        )["mean"]
        covered += low <= 0 <= high
    assert 88 <= covered <= 99


def test_the_same_seed_gives_the_same_interval_and_leaves_torch_alone() -> None:
    answers = torch.arange(30.0)
    before = torch.get_rng_state()
    first = bootstrap_intervals(answers, torch.ones(30), lambda: {"mean": Mean()}, seed=3)
    again = bootstrap_intervals(answers, torch.ones(30), lambda: {"mean": Mean()}, seed=3)
    assert first == again
    assert torch.get_rng_state().equal(before)


def test_a_metric_that_is_undefined_for_some_drawing_has_no_interval() -> None:
    truths = torch.zeros(3)
    truths[0] = 1  # left out of about a third of the drawings
    assert bootstrap_intervals(torch.ones(3), truths, lambda: {"mean": Mean()}) == {}
