"""`dlcli lr-find CONFIG`: the loss that each learning rate brings, and which of them to take."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from dlcli.checks.lr_range import STEPS, Point, lr_curve, suggested_lr
from dlcli.commands.outcome import Outcome
from dlcli.commands.train import Turn, fresh_training, prepare_turn
from dlcli.config.read import ReadConfig
from dlcli.errors import DataError
from dlcli.files import relative
from dlcli.hardware import default_threads
from dlcli.progress import Talk, number
from dlcli.report.curves import save_lr_curve
from dlcli.report.pictures import check_ending
from dlcli.report.scores import plain_table, print_table

_LINES = 20


def find_lr(read: ReadConfig, *, output: Path | None = None, is_quiet: bool = False) -> Outcome:
    """Test learning rates on a copy of the weights that a training would begin with; no run.

    Args:
        read: The config as read.
        output: Where to save a picture of the curve, in the format that its name ends with.
        is_quiet: Say nothing on stderr.

    Raises:
        DlcliError: See `dlcli.errors` for each cause.
    """
    if output is not None:
        check_ending(output)
    talk = Talk(is_quiet=is_quiet)
    torch.set_num_threads(default_threads())
    turn = Turn(read.config, fold=None if read.config.data.folds is None else 0)
    training = fresh_training(read, turn, prepare_turn(read, turn, talk), talk)
    curve = lr_curve(training.config, training.learner, training.examples["train"])
    if not curve:
        raise DataError(
            "the first loss is not finite, whatever the learning rate",
            suggestion=f"`dlcli check {read.path}` says where it comes from",
        )
    result: dict[str, Any] = {
        "schema": 1,
        "command": "lr-find",
        "status": "ok",
        "lr": suggested_lr(curve),
        "config_lr": training.trainer.optimizer.lr,
        "exploded": len(curve) < STEPS,
        "curve": [asdict(point) for point in curve],
        "picture": None,
        "warnings": talk.warnings,
    }
    if output is not None:
        save_lr_curve(output, curve, chosen=result["lr"], title=f"{read.config.name}")
        result["picture"] = relative(output)
    return Outcome(result, lambda: _show(result, curve, read.path, talk))


def _show(result: Mapping[str, Any], curve: Sequence[Point], path: Path, talk: Talk) -> None:
    table = plain_table()
    for heading in ("learning rate", "loss", "smoothed"):
        table.add_column(heading, justify="right")
    every = -(-len(curve) // _LINES)
    shown = [i for i in range(len(curve)) if i % every == 0 or i == len(curve) - 1]
    for point in (curve[i] for i in shown):
        table.add_row(f"{point.lr:.1e}", number(point.loss), number(point.smoothed))
    print_table(table)
    if result["picture"] is not None:
        sys.stdout.write(f"picture: {result['picture']}\n")
    own = f"the config has {result['config_lr']:g}"
    if result["lr"] is None:
        sys.stdout.write(f"no suggestion: the loss hardly falls at any rate; {own}\n")
        talk.say(f"next: dlcli check {path}")
        return
    sys.stdout.write(f"suggested: {result['lr']:.1e}, where the loss falls fastest; {own}\n")
    talk.say(f"next: dlcli train {path} optimizer.lr={result['lr']:.1e}")
