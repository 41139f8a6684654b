"""Augmented trainings as users run them."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.command_line import as_json, dlcli, started, until

MOVES = "crop: 1, rotation: 10"
CONFIG = """\
data: {name: digits, augment: {%s}}
model: {name: mlp, hidden_sizes: [32], dropout: 0.1}
train: {epochs: %d, checkpoint_every: 7}
"""


def write(folder: Path, augment: str, epochs: int) -> None:
    (folder / "c.yaml").write_text(CONFIG % (augment, epochs))


def last_of(folder: Path) -> bytes:
    (run,) = (folder / "runs").iterdir()
    return (run / "checkpoints" / "last.safetensors").read_bytes()


@pytest.mark.parametrize("augment", [MOVES, "crop: 1, mixup: 0.2", "erase: 0.5, cutmix: 1.0"])
def test_an_augmented_training_learns(augment, tmp_path):
    write(tmp_path, augment, 4)
    result = as_json("train", "c.yaml", folder=tmp_path)
    assert result["metrics"]["test"]["accuracy"] > 3 * result["baseline"]["accuracy"]


@pytest.mark.slow
def test_an_interrupted_training_ends_as_if_it_had_not_been(tmp_path):
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
        write(tmp_path / name, MOVES + ", mixup: 0.2, contrast: 0.2", 25)
    dlcli("train", "c.yaml", folder=tmp_path / "whole")

    with started("train", "c.yaml", folder=tmp_path / "cut") as running:
        until(lambda: [*(tmp_path / "cut").glob("runs/*/metrics.jsonl")])
        os.kill(running.pid, signal.SIGKILL)
        assert running.wait().returncode == -signal.SIGKILL
    as_json("train", "--resume", "latest", folder=tmp_path / "cut")

    assert last_of(tmp_path / "cut") == last_of(tmp_path / "whole")
