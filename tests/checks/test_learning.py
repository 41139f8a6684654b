"""Checks that take steps on a copy: gradients, a few rows by heart, the learning rate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from dlcli.checks.learning import _least_loss, check_by_heart, check_gradients
from dlcli.checks.rate import check_rate
from dlcli.commands.complete import Training
from tests.checks.made import begun, classes, table, with_network, write_table
from tests.command_line import CONFIGS

MODEL = "model: {name: mlp, hidden_sizes: [16]}\n"


def training(folder: Path, rest: str = MODEL, data: str = "") -> Training:
    values, targets = classes()
    write_table(folder, values, targets)
    return begun(folder, table(data, rest))[1]


def test_the_weights_stay_as_they_are(tmp_path: Path) -> None:
    made = training(tmp_path)
    before = {name: value.clone() for name, value in made.trainer.tensors().items()}
    for check in (check_gradients, check_by_heart, check_rate):
        assert check(made.config, made.learner, made.examples["train"]).status == "ok"
    after = made.trainer.tensors()
    assert before.keys() == after.keys()
    same = [name for name in before if not name.startswith("generator")]
    assert all(torch.equal(before[name], after[name]) for name in same)
    assert made.trainer.state.step == 0


@pytest.mark.parametrize("unused", [False, True])
def test_a_layer_without_gradient_is_named(unused: bool, tmp_path: Path) -> None:
    made = training(tmp_path)

    class Cut(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.near, self.far = nn.Linear(16, 3), nn.Linear(3, 16)

        def forward(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
            values = self.far(inputs["numbers"])
            zeros = values.new_zeros(len(values), 16)
            outputs: torch.Tensor = self.near(zeros if unused else values.detach())
            return outputs

    learner = with_network(made.learner, Cut())
    finding = check_gradients(made.config, learner, made.examples["train"])
    assert finding.status == "warning"
    assert "reaches `far`" in finding.message


LOSSES = {
    "cross_entropy": "loss: {name: cross_entropy, label_smoothing: 0.2}\n",
    "focal": "loss: focal\n",
}


@pytest.mark.parametrize("loss", LOSSES)
def test_few_rows_are_learned_by_heart(loss: str, tmp_path: Path) -> None:
    made = training(tmp_path, MODEL + LOSSES[loss])
    assert check_by_heart(made.config, made.learner, made.examples["train"]).status == "ok"


def test_targets_that_contradict_each_other_are_not_learned(tmp_path: Path) -> None:
    made = training(tmp_path)

    class Blind(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bias = nn.Parameter(torch.zeros(40, 3))

        def forward(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
            return self.bias.mean(0).expand(len(inputs["numbers"]), 3)

    learner = with_network(made.learner, Blind())
    finding = check_by_heart(made.config, learner, made.examples["train"])
    assert finding.status == "warning"
    assert "cannot learn so few rows by heart" in finding.message


def test_a_line_is_not_asked_for_more_than_it_can(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    values = random.normal(size=(100, 3))
    write_table(tmp_path, values, random.normal(size=100).tolist())
    _, made = begun(tmp_path, table(rest="model: linear\noptimizer: {name: adamw, lr: 0.1}\n"))
    finding = check_by_heart(made.config, made.learner, made.examples["train"])
    assert finding.status == "ok"
    assert finding.message.startswith("4 rows learned")  # three slopes and a bias


def smoothed_entropy(smoothing: float, classes: int) -> float:
    shares = np.full(classes, smoothing / classes)
    shares[0] += 1 - smoothing
    return float(-(shares * np.log(shares)).sum())


def test_the_least_loss_of_smoothed_labels_is_their_entropy(tmp_path: Path) -> None:
    made = training(tmp_path, MODEL + LOSSES["cross_entropy"])
    targets = made.examples["train"].targets
    assert _least_loss(made.learner, targets) == pytest.approx(smoothed_entropy(0.2, 3), rel=0.01)


@pytest.mark.parametrize(
    ("rest", "status"),
    [
        (MODEL + "optimizer: {name: adamw, lr: 1e-2}\n", "ok"),
        (MODEL + "optimizer: {name: adamw, lr: 1}\n", "warning"),
        (MODEL + "optimizer: {name: sgd, lr: 0.1}\n", "ok"),
        (MODEL + "optimizer: {name: sgd, lr: 1e6}\n", "warning"),
        (MODEL + "optimizer: {name: sgd, lr: 1e25}\n", "warning"),
        (MODEL + "optimizer: {name: sgd, lr: 0.1}\nscheduler: {name: cosine, warmup: 9}\n", "ok"),
        (
            MODEL + "optimizer: {name: adamw, lr: 10}\nscheduler: {name: linear, warmup: 9}",
            "warning",
        ),
    ],
)
def test_the_learning_rate(rest: str, status: str, tmp_path: Path) -> None:
    made = training(tmp_path, rest)
    finding = check_rate(made.config, made.learner, made.examples["train"])
    assert finding.status == status, finding
    assert ("too high" in finding.message) == (status == "warning")


@pytest.mark.parametrize(("lr", "status"), [(0.3, "ok"), (1, "warning"), (10, "warning")])
def test_a_rate_at_which_the_loss_rises_is_too_high(lr: float, status: str, tmp_path: Path) -> None:
    """It neither explodes, nor does a lower rate come down far: of ten classes, a little."""
    text = (CONFIGS / "digits-mlp.yaml").read_text()
    _, made = begun(tmp_path, text, f"optimizer={{name: sgd, lr: {lr}}}")
    finding = check_rate(made.config, made.learner, made.examples["train"])
    assert finding.status == status, finding


def test_other_ways_to_train_take_part(tmp_path: Path) -> None:
    made = training(tmp_path, MODEL + "train: {sampling: balanced, ema: 0.9, accumulate: 2}\n")
    for check in (check_gradients, check_by_heart, check_rate):
        assert check(made.config, made.learner, made.examples["train"]).status == "ok"
