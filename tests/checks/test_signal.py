"""Shuffled labels are told from labels that the inputs tell of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from dlcli.checks import signal
from dlcli.checks.finding import Finding
from dlcli.checks.signal import check_signal
from tests.checks.made import MLP, begun, classes, table, write_table


def told(folder: Path, text: str) -> Finding:
    _, training = begun(folder, text)
    finding = check_signal(training.config, training.learner, training.examples["train"])
    assert finding is not None
    return finding


def test_classes_and_their_shuffle(tmp_path: Path) -> None:
    values, targets = classes()
    write_table(tmp_path, values, targets)
    assert told(tmp_path, table()).status == "ok"
    np.random.default_rng(0).shuffle(targets)
    write_table(tmp_path, values, targets)
    finding = told(tmp_path, table())
    assert finding.status == "warning"
    assert "the inputs tell nothing about the target" in finding.message


def test_a_network_that_diverges_says_nothing_of_shuffled_labels(tmp_path: Path) -> None:
    values, targets = classes()
    np.random.default_rng(0).shuffle(targets)
    write_table(tmp_path, values, targets)
    exploding = MLP.replace("{name: adamw, lr: 1e-2}", "{name: sgd, lr: 300}")
    finding = told(tmp_path, table(rest=exploding))
    assert finding.status == "warning"
    assert "300 steps of the network, which diverged, answer rows" in finding.message


def test_numbers_and_their_shuffle(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    values = random.normal(size=(200, 3))
    targets = (values[:, 0] ** 2 + 0.5 * random.normal(size=200)).tolist()  # no line tells it
    write_table(tmp_path, values, targets)
    assert told(tmp_path, table()).status == "ok"
    random.shuffle(targets)
    write_table(tmp_path, values, targets)
    assert told(tmp_path, table()).status == "warning"


def test_words_and_categories_tell_too(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    codes = random.integers(0, 2, 200)
    words = [" ".join(random.choice(["a", "b", f"w{code}"], 5)) for code in codes]
    write_table(tmp_path, random.normal(size=(200, 3)), codes.tolist(), ("text", words))
    text = ", types: {text: text, y: categorical}, text: {min_count: 1}, drop: [a, b, c]"
    assert told(tmp_path, table(text)).status == "ok"
    ways = ["no" if code and random.random() < 0.7 else "yes" for code in codes]
    write_table(tmp_path, random.normal(size=(200, 3)), codes.tolist(), ("way", ways))
    assert told(tmp_path, table(", types: {y: categorical}, drop: [a, b, c]")).status == "ok"


@pytest.mark.parametrize("shuffled", [False, True])
def test_windows_of_a_series(shuffled: bool, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    values = np.sin(np.arange(900) / 3) + 0.3 * random.normal(size=900)
    if shuffled:
        random.shuffle(values)
    lines = "\n".join(f"{value:.4f}" for value in values)
    (tmp_path / "s.csv").write_text(f"v\n{lines}\n")
    data = "data: {name: series, path: s.csv, target: v, past: 8, horizon: 2}\n"
    assert told(tmp_path, data + MLP).status == ("warning" if shuffled else "ok")


def test_the_network_sees_it_too(tmp_path: Path) -> None:
    values, targets = classes()
    write_table(tmp_path, values, targets)
    _, made = begun(tmp_path, table())
    train = made.examples["train"]
    index, part = torch.arange(len(train)), torch.arange(0, len(train), 3)
    truths = torch.nn.functional.one_hot(train.targets, 3).double()
    assert signal._network_score(made.config, made.learner, train, index, truths, part) > 4


def test_few_rows_are_not_judged(tmp_path: Path) -> None:
    values, targets = classes(40)
    write_table(tmp_path, values, targets[::-1])
    finding = told(tmp_path, table())
    assert finding.status == "ok"
    assert "too few" in finding.message


def test_the_score_is_that_of_drawn_permutations() -> None:
    """Mean 0 and deviation 1 over orders of the truths, up to what a draw of 500 shows."""
    generator = torch.Generator().manual_seed(0)
    answers = [torch.randn(30, 2, generator=generator).double().exp() for _ in range(2)]
    truths = [torch.randn(30, 2, generator=generator).double() for _ in range(2)]
    scores = torch.tensor(
        [
            signal._score(answers, [t[torch.randperm(30, generator=generator)] for t in truths])
            for _ in range(500)
        ]
    )
    assert abs(float(scores.mean())) < 4 / 500**0.5
    assert abs(float(scores.std()) - 1) < 0.14
