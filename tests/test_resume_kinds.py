"""Law 2 for every kind of data: stopped within its epochs, it ends as if it had never stopped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from dlcli.commands.resume import resume_run
from dlcli.commands.train import train_config
from dlcli.config.read import read_config
from dlcli.run import find_run
from tests.kinds import KINDS

ONE_STEP = "train.max_time=1e-9"
TO_THE_END = "train.max_time=3600"


@pytest.mark.parametrize("name", KINDS)
def test_law_2_stopped_after_any_step_and_resumed_equals_uninterrupted_bitwise(
    name: str, tmp_path: Path
) -> None:
    """Stopped after every step of the first epoch, and after the first one of the second."""
    config = tmp_path / KINDS[name].write_config(tmp_path)
    whole = train_config(read_config(config, []), runs_dir=tmp_path / "whole", is_quiet=True)
    expected = left_behind(tmp_path / "whole")
    steps = expected["rows"][0]["step"]
    assert steps >= 3
    assert len(expected["rows"]) == 2

    runs = tmp_path / "cut"
    train_config(read_config(config, [ONE_STEP]), runs_dir=runs, is_quiet=True)
    for _stop in range(steps):
        torch.manual_seed(12345)  # another process has drawn other numbers
        resume_run("latest", [ONE_STEP], runs_dir=runs, is_quiet=True)
    assert left_behind(runs)["rows"] == expected["rows"][:1]
    torch.manual_seed(12345)
    resumed = resume_run("latest", [TO_THE_END], runs_dir=runs, is_quiet=True)

    assert left_behind(runs) == expected
    assert resumed.data["metrics"] == whole.data["metrics"]


def left_behind(runs: Path) -> dict[str, Any]:
    """Return the only run's last checkpoint and its rows of metrics without what a clock says."""
    run = find_run("latest", runs)
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return {
        "last": (run / "checkpoints" / "last.safetensors").read_bytes(),
        "rows": [{key: row[key] for key in row if key != "seconds"} for row in rows],
    }
