"""What is saved when: short epochs are not all saved, and nothing is lost by it."""

from __future__ import annotations

import json

import pytest

from dlcli import checkpoint
from dlcli.commands.train import train_config
from dlcli.config.read import read_config
from tests.command_line import CONFIGS


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A training of 40 epochs, each of some milliseconds, whose best epoch is not its last."""
    read = read_config(CONFIGS / "digits-mlp.yaml", ["train.epochs=40", "optimizer.lr=1e-2"])
    runs = tmp_path_factory.mktemp("runs")
    result = train_config(read, runs_dir=runs, is_quiet=True).data
    return next(runs.iterdir()), result


def test_the_last_checkpoint_is_of_the_last_epoch(run):
    folder, _ = run
    last = checkpoint.load(folder / "checkpoints" / "last.safetensors")
    assert last.data["state"]["epoch"] == 40
    assert len(last.tensors["history/values"]) == 40


def test_the_best_checkpoint_is_of_the_best_epoch_though_it_was_not_saved_at_once(run):
    folder, result = run
    best = checkpoint.load(folder / "checkpoints" / "best.safetensors")
    losses = [
        json.loads(line)["val"]["loss"]
        for line in (folder / "metrics.jsonl").read_text().splitlines()
    ]
    assert best.data["state"]["epoch"] == result["best_epoch"] == losses.index(min(losses)) + 1
    assert result["best_epoch"] < 40
    assert result["metrics"]["val"]["loss"] == pytest.approx(min(losses), rel=1e-6)
