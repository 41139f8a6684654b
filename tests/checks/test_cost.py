"""Time and memory foretold, beside a real training; nothing is timed to the second."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dlcli.checks.cost import check_cost, foretell
from dlcli.checks.memory import available_memory
from dlcli.memory import free_memory
from tests.checks.made import begun
from tests.command_line import CONFIGS, ENVIRONMENT, REPOSITORY, fresh


def test_steps_and_epochs_are_those_of_the_config(tmp_path: Path) -> None:
    _, made = begun(tmp_path, "data: {name: iris, batch_size: 16}\nmodel: linear\n")
    cost = foretell(made.config, made.learner, made.examples)
    rows = len(made.examples["train"])
    assert cost.steps == -(-rows // 16)
    assert 0 < cost.seconds_per_epoch < 60
    assert cost.seconds == pytest.approx(20 * cost.seconds_per_epoch)
    assert made.trainer.state.step == 0
    time, memory = check_cost(cost, made.config, made.learner.device)
    assert f"an epoch of {cost.steps} steps" in time.message
    assert memory.status == "ok"
    full = replace(cost, peak_bytes=10**9, memory_bytes=10**9)
    assert [finding.status for finding in check_cost(full, made.config, torch.device("cpu"))] == [
        "ok",
        "warning",
    ]


def test_the_machine_tells_its_memory() -> None:
    free, most = free_memory(), available_memory(torch.device("cpu"))
    if sys.platform != "linux":
        pytest.skip("only Linux tells it")
    assert free is not None
    assert most is not None
    assert 10**6 < free <= most < 10**15


@pytest.mark.slow
def test_a_real_epoch_takes_about_as_much(tmp_path: Path) -> None:
    """Within a factor of 8 in time, on a machine with other work; of 1.5 in memory."""
    words = [CONFIGS / "digits-mlp.yaml", "train.epochs=20", "data.batch_size=8"]
    foretold = json.loads(fresh("check", *words, "--json", folder=tmp_path).stdout)["cost"]
    process = subprocess.Popen(
        [sys.executable, "-m", "dlcli", "train", *map(str, words), "--quiet"],
        cwd=tmp_path,
        env={**ENVIRONMENT, "PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.DEVNULL,
    )
    _, process.returncode, usage = os.wait4(process.pid, 0)
    assert process.returncode == 0
    (metrics,) = (tmp_path / "runs").glob("*/metrics.jsonl")
    seconds = [json.loads(line)["seconds"] for line in metrics.read_text().splitlines()]
    epoch = (seconds[-1] - seconds[0]) / (len(seconds) - 1)
    assert 1 / 8 < foretold["seconds_per_epoch"] / epoch < 8
    assert 1 / 1.5 < foretold["peak_bytes"] / (usage.ru_maxrss * 1024) < 1.5
