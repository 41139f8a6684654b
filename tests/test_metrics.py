"""Every metric against scikit-learn, and the same over any batching."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk
from torch import Tensor

from dlcli.config.metric import MetricOptions, TopKOptions
from dlcli.config.options import components
from dlcli.data.spec import PADDING
from dlcli.errors import ConfigError
from dlcli.metrics.metric import Metric

FAMILY = components(MetricOptions)


def averaged(score, average):
    return lambda a, t, _: score(t, a.argmax(1), average=average, zero_division=0)


def auc(answers, targets, size):
    if size == 2:
        return sk.roc_auc_score(targets, answers[:, 1])
    return sk.roc_auc_score(targets, answers, multi_class="ovr", labels=range(size))


def of_tokens(score):
    def reference(answers, targets, _):
        is_token = targets != PADDING
        return score(answers[is_token], targets[is_token])

    return reference


# name -> reference(answers, targets, size)
REFERENCES = {
    "accuracy": lambda a, t, _: sk.accuracy_score(t, a.argmax(1)),
    "top_k": lambda a, t, n: (
        sk.top_k_accuracy_score(t, a, k=n - 1, labels=range(n))
        if n > 2
        else sk.accuracy_score(t, a.argmax(1))
    ),
    "precision_macro": averaged(sk.precision_score, "macro"),
    "precision_weighted": averaged(sk.precision_score, "weighted"),
    "recall_macro": averaged(sk.recall_score, "macro"),
    "recall_weighted": averaged(sk.recall_score, "weighted"),
    "f1_macro": averaged(sk.f1_score, "macro"),
    "f1_weighted": averaged(sk.f1_score, "weighted"),
    "roc_auc": auc,
    "log_loss": lambda a, t, n: sk.log_loss(t, a, labels=range(n)),
    "mse": lambda a, t, _: sk.mean_squared_error(t, a),
    "rmse": lambda a, t, _: sk.root_mean_squared_error(t, a),
    "mae": lambda a, t, _: sk.mean_absolute_error(t, a),
    "scaled_mse": lambda a, t, _: sk.mean_squared_error(t, a) / 4,
    "scaled_mae": lambda a, t, _: sk.mean_absolute_error(t, a) / 2,
    "mape": lambda a, t, _: sk.mean_absolute_percentage_error(t, a),
    "r2": lambda a, t, _: sk.r2_score(t, a),
    "perplexity": of_tokens(lambda a, t: np.exp(sk.log_loss(t, a, labels=range(a.shape[1])))),
    "bits_per_token": of_tokens(lambda a, t: -np.log2(a[range(len(t)), t]).mean()),
    "token_accuracy": of_tokens(lambda a, t: sk.accuracy_score(t, a.argmax(1))),
}
SIZES = {"classification": (2, 3, 7), "language_modeling": (3, 7)}
CASES = [
    (name, size)
    for name, options in FAMILY.items()
    for size in SIZES.get(min(options.tasks), (1, 3))
]


def build(name: str, size: int) -> Metric:
    options = TopKOptions(k=size - 1) if name == "top_k" else FAMILY[name]()
    module, _, place = options.builds.partition(":")
    own = {"scale": torch.tensor(2.0)} if options.needs_scale else {}
    metric: Metric = getattr(import_module(module), place)(options, size=size, **own)
    return metric


def draw(name: str, size: int, rows: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    if "classification" in FAMILY[name].tasks:
        answers = torch.rand(rows, size, generator=generator, dtype=torch.float64)
        return answers / answers.sum(1, keepdim=True), torch.randint(
            0, size, (rows,), generator=generator
        )
    if "language_modeling" in FAMILY[name].tasks:
        answers = torch.rand(rows, 4, size, generator=generator, dtype=torch.float64)
        targets = torch.randint(0, size, (rows, 4), generator=generator, dtype=torch.uint8)
        return answers / answers.sum(-1, keepdim=True), targets
    shape = (rows,) if size == 1 else (rows, size)
    return (
        torch.randn(shape, generator=generator, dtype=torch.float64),
        torch.randn(shape, generator=generator, dtype=torch.float64) + 3,
    )


def test_every_metric_has_a_reference() -> None:
    assert set(REFERENCES) == set(FAMILY)


@pytest.mark.parametrize(("name", "size"), CASES)
def test_a_metric_is_scikit_learns(name: str, size: int) -> None:
    answers, targets = draw(name, size, 200)
    metric = build(name, size)
    metric.update(answers, targets)
    expected = REFERENCES[name](answers.numpy(), targets.numpy(), size)
    assert metric.value() == pytest.approx(expected, rel=1e-12)
    assert metric.higher_is_better is FAMILY[name].higher_is_better


@pytest.mark.parametrize("name", ["precision_macro", "recall_weighted", "f1_macro", "f1_weighted"])
def test_classes_that_nothing_is_told_of_are_treated_as_by_scikit_learn(name: str) -> None:
    targets = torch.tensor([0, 0, 1, 1, 3])
    answers = torch.eye(6, dtype=torch.float64)[torch.tensor([0, 1, 1, 1, 4])]
    metric = build(name, 6)
    metric.update(answers, targets)
    expected = REFERENCES[name](answers.numpy(), targets.numpy(), 6)
    assert metric.value() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("name", "size"), CASES)
@settings(max_examples=15, deadline=None)
@given(
    cuts=st.lists(st.integers(0, 60), max_size=5),
    merged=st.integers(0, 5),
    seed=st.integers(0, 5),
)
def test_any_batching_and_merging_gives_the_same_value(name, size, cuts, merged, seed) -> None:
    answers, targets = draw(name, size, 60, seed)
    whole, first, second = (build(name, size) for _ in range(3))
    whole.update(answers, targets)
    bounds = [0, *sorted(cuts), 60]
    for i, (start, stop) in enumerate(pairwise(bounds)):
        metric = first if i < merged else second
        metric.update(answers[start:stop], targets[start:stop])
    untouched = second.value()
    first.merge(second)
    assert first.value() == pytest.approx(whole.value(), rel=1e-12)
    first.update(answers, targets)
    assert second.value() == untouched


@pytest.mark.parametrize(("name", "size"), CASES)
def test_of_no_rows_a_metric_is_undefined(name: str, size: int) -> None:
    metric = build(name, size)
    assert metric.value() is None
    metric.merge(build(name, size))
    metric.update(*draw(name, size, 0))
    assert metric.value() is None


@given(
    scores=st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=4, max_size=40),
    seed=st.integers(0, 99),
)
def test_ties_in_roc_auc_count_half(scores: list[float], seed: int) -> None:
    targets = torch.randint(0, 2, (len(scores),), generator=torch.Generator().manual_seed(seed))
    targets[0], targets[1] = 0, 1
    metric = build("roc_auc", 2)
    column = torch.tensor(scores)
    metric.update(torch.stack([1 - column, column], 1), targets)
    wins = column[targets == 1][:, None] - column[targets == 0][None, :]
    pairs = (wins > 0).double() + 0.5 * (wins == 0)
    assert metric.value() == pytest.approx(pairs.mean().item(), rel=1e-12)


@pytest.mark.parametrize("size", [2, 3])
def test_roc_auc_of_one_class_alone_is_undefined(size: int) -> None:
    metric = build("roc_auc", size)
    metric.update(torch.rand(5, size), torch.ones(5, dtype=torch.int64))
    assert metric.value() is None


def test_roc_auc_leaves_out_a_class_that_no_row_has() -> None:
    answers, _ = draw("roc_auc", 3, 50)
    targets = torch.arange(50) % 2
    metric = build("roc_auc", 3)
    metric.update(answers, targets)
    expected = [sk.roc_auc_score((targets == k).numpy(), answers[:, k].numpy()) for k in (0, 1)]
    assert metric.value() == pytest.approx(np.mean(expected), rel=1e-12)


def test_log_loss_keeps_off_certainty_like_scikit_learn() -> None:
    answers = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.3, 0.7]])
    targets = torch.tensor([1, 1, 0])
    metric = build("log_loss", 2)
    metric.update(answers, targets)
    assert metric.value() == pytest.approx(sk.log_loss(targets.numpy(), answers.numpy()), rel=1e-6)


@pytest.mark.parametrize(("error", "expected"), [(0.0, 1.0), (0.5, 0.0)])
@pytest.mark.parametrize("target", [2.0, 0.1])  # 0.1: a mean of equal numbers can miss them
def test_r2_of_equal_targets_is_one_or_zero(target: float, error: float, expected: float) -> None:
    targets = torch.full((7,), target, dtype=torch.float64)
    metric = build("r2", 1)
    for part in targets.split(2):
        metric.update(part + error, part)
    assert metric.value() == expected
    if target == 2.0:
        assert sk.r2_score(targets.numpy(), targets.numpy() + error) == expected


def test_r2_is_exact_far_from_zero() -> None:
    offset = torch.randn(1000, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    targets = 1e9 + offset
    answers = targets + 0.1 * offset.roll(1)
    metric = build("r2", 1)
    for start in range(0, 1000, 37):
        metric.update(answers[start : start + 37], targets[start : start + 37])
    assert metric.value() == pytest.approx(sk.r2_score(targets.numpy(), answers.numpy()), abs=1e-9)


def test_r2_below_two_rows_is_undefined() -> None:
    metric = build("r2", 1)
    metric.update(torch.ones(1), torch.ones(1))
    assert metric.value() is None


def test_a_row_that_ties_for_its_place_counts_in_top_k() -> None:
    metric = build("top_k", 3)
    metric.update(torch.tensor([[0.2, 0.4, 0.4], [0.5, 0.3, 0.2]]), torch.tensor([1, 2]))
    assert metric.value() == 0.5


def test_top_k_of_all_classes_is_refused() -> None:
    with pytest.raises(ConfigError, match="`top_k` with `k: 5` is always 1") as caught:
        import_module("dlcli.metrics.classification").top_k(TopKOptions(), size=3)
    assert caught.value.faults[0].suggestion == "give `k` below 3"
    assert TopKOptions(k=2).label == "top_2"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize(("name", "size"), CASES)
def test_an_update_does_not_wait_for_the_device(name: str, size: int) -> None:
    answers, targets = (part.cuda() for part in draw(name, size, 100))
    metric = build(name, size)
    metric.update(answers, targets)
    torch.cuda.set_sync_debug_mode("error")
    try:
        metric.update(answers, targets)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_metrics_do_not_import_scikit_learn() -> None:
    code = """
import sys
import dlcli.metrics.classification, dlcli.metrics.language, dlcli.metrics.ranking
import dlcli.metrics.regression
assert "sklearn" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
