"""Trainings of own code: bitwise those of built-in components, resumable like them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from dlcli import checkpoint
from dlcli.commands.resume import resume_run
from dlcli.commands.train import train_config
from dlcli.config.read import read_config
from dlcli.run import find_run
from dlcli.training.trainer import tensors_of
from tests.own_code import BUILT_IN, CODE, OWN, write_own

ONE_STEP = "train.max_time=1e-9"
ALL_OWN = """\
data: {name: own.py:rows, target: y, batch_size: 16}
model: {name: own.py:Net, dropout: 0.3}
loss: own.py:each_row
optimizer: own.py:Counting
scheduler: own.py:cautious
metrics: [own.py:Accuracy]
train: {epochs: 3, threads: 1, max_time: 3600}
"""


def train(config: Path, runs: Path, *overrides: str) -> dict[str, Any]:
    read = read_config(config, overrides, trust_code=True)
    return train_config(read, runs_dir=runs, is_quiet=True).data


def last(runs: Path) -> checkpoint.Loaded:
    return checkpoint.load(find_run("latest", runs).joinpath("checkpoints", "last.safetensors"))


def weights(runs: Path) -> list[Tensor]:
    return list(tensors_of(last(runs).tensors, "model").values())


def test_own_code_is_bitwise_what_the_built_in_components_are(tmp_path: Path) -> None:
    (tmp_path / "built_in.yaml").write_text(BUILT_IN)
    built_in = train(tmp_path / "built_in.yaml", tmp_path / "built_in")
    own = train(write_own(tmp_path), tmp_path / "own")

    pairs = zip(weights(tmp_path / "built_in"), weights(tmp_path / "own"), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)
    losses = [last(tmp_path / name).tensors["history/values"] for name in ("built_in", "own")]
    assert torch.equal(*losses)
    for part in ("train", "val", "test"):
        scores = own["metrics"][part]
        assert scores["loss"] == built_in["metrics"][part]["loss"]
        assert scores["Accuracy"] == built_in["metrics"][part]["accuracy"]


def test_what_the_file_draws_as_it_is_run_changes_no_initial_weight(tmp_path: Path) -> None:
    train(write_own(tmp_path), tmp_path / "runs", "train.epochs=1")
    expected = weights(tmp_path / "runs")
    train(
        write_own(tmp_path, code=f"{CODE}\ntorch.rand(5)\n"), tmp_path / "drawn", "train.epochs=1"
    )
    for one, other in zip(expected, weights(tmp_path / "drawn"), strict=True):
        assert torch.equal(one, other)


def test_values_of_rows_and_their_mean_are_the_same_loss(tmp_path: Path) -> None:
    config = write_own(tmp_path)
    train(config, tmp_path / "mean")
    train(config, tmp_path / "rows", "loss=" + str(tmp_path / "own.py:each_row"))
    for one, other in zip(weights(tmp_path / "mean"), weights(tmp_path / "rows"), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("loss", ["cross_entropy", "each_row"])
def test_law_3_parts_of_a_batch_add_up(loss: str, tmp_path: Path) -> None:
    config = write_own(tmp_path, OWN.replace("own.py:cross_entropy", f"own.py:{loss}"))
    train(config, tmp_path / "whole", "train.epochs=1")
    train(config, tmp_path / "parts", "train.epochs=1", "train.accumulate=3")
    for one, other in zip(weights(tmp_path / "whole"), weights(tmp_path / "parts"), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_law_2_stopped_after_any_step_and_resumed_equals_uninterrupted_bitwise(
    tmp_path: Path,
) -> None:
    """With own rows, network, loss, optimizer, schedule and metric."""
    config = write_own(tmp_path, ALL_OWN)
    whole = train(config, tmp_path / "whole")
    expected = left_behind(tmp_path / "whole")
    steps = expected["rows"][-1]["step"]
    assert steps == 9

    runs = tmp_path / "cut"
    train(config, runs, ONE_STEP)
    (tmp_path / "own.py").unlink()  # the checkpoint has the text
    for _stop in range(steps - 2):
        torch.manual_seed(12345)  # another process has drawn other numbers
        resume_run("latest", [ONE_STEP], runs_dir=runs, trust_code=True, is_quiet=True)
    resumed = resume_run(
        "latest", ["train.max_time=3600"], runs_dir=runs, trust_code=True, is_quiet=True
    )
    assert left_behind(runs) == expected
    assert resumed.data["metrics"] == whole["metrics"]


def left_behind(runs: Path) -> dict[str, Any]:
    """Return the only run's last checkpoint and its rows of metrics without what a clock says."""
    run = find_run("latest", runs)
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return {
        "last": (run / "checkpoints" / "last.safetensors").read_bytes(),
        "rows": [{key: row[key] for key in row if key != "seconds"} for row in rows],
    }
