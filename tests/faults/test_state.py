"""Law 2 for a training in which everything that a checkpoint keeps has a say."""

from __future__ import annotations

from pathlib import Path

import torch

from dlcli import checkpoint
from dlcli.commands.resume import resume_run
from dlcli.commands.train import train_config
from dlcli.config.read import read_config
from dlcli.run import find_run
from tests.faults.kills import left_behind

CONFIG = """\
data: {name: diabetes, batch_size: 71}
model: {name: mlp, hidden_sizes: [16, 16], dropout: 0.3, normalization: batch}
loss: poisson
optimizer: {name: adamw, lr: 0.03}
scheduler: {name: reduce_on_plateau, factor: 0.5, patience: 0, threshold: 1e9, threshold_mode: abs}
train:
  epochs: 4
  ema: 0.9
  precision: fp16
  accumulate: 2
  threads: 1
  early_stopping: {patience: 9}
  max_time: 3600
"""
ONE_STEP = "train.max_time=1e-9"
STEPS_AN_EPOCH = 5


def test_law_2_holds_where_everything_that_is_kept_has_a_say(tmp_path: Path) -> None:
    """Stopped after every step up to the third one of the third epoch."""
    config, cut = tmp_path / "config.yaml", tmp_path / "cut"
    config.write_text(CONFIG)
    train_config(read_config(config), runs_dir=tmp_path / "whole", is_quiet=True)
    train_config(read_config(config, [ONE_STEP]), runs_dir=cut, is_quiet=True)
    for _step in range(2 * STEPS_AN_EPOCH + 2):
        torch.manual_seed(12345)  # another process has drawn other numbers
        resume_run("latest", [ONE_STEP], runs_dir=cut, is_quiet=True)
    torch.manual_seed(12345)
    resume_run("latest", ["train.max_time=3600"], runs_dir=cut, is_quiet=True)
    whole = find_run("latest", tmp_path / "whole")
    assert left_behind(find_run("latest", cut)) == left_behind(whole)

    saved = checkpoint.load(whole / "checkpoints" / "last.safetensors")
    assert saved.tensors["precision/scale"] < 2**16  # the loss overflowed: the scale has its say
    rates = {row["lr"] for row in left_behind(whole)["rows"]}
    assert len(rates) > 1  # and the history
