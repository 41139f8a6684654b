"""A training at its beginning, made from a config and a table, for checks to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from torch import nn

from dlcli.build import Learner
from dlcli.commands.complete import Training
from dlcli.commands.train import Turn, fresh_training, prepare_turn
from dlcli.config.read import read_config
from dlcli.data.prepared import Prepared
from dlcli.progress import Talk
from tests.kinds import write_csv

MLP = "model: {name: mlp, hidden_sizes: [16]}\noptimizer: {name: adamw, lr: 1e-2}\n"
INPUTS = ("a", "b", "c")


def begun(folder: Path, text: str, *overrides: str) -> tuple[Prepared, Training]:
    """Return the data and the training of a config, as `dlcli train` makes them."""
    (folder / "c.yaml").write_text(text)
    read = read_config(folder / "c.yaml", list(overrides))
    turn, talk = Turn(read.config), Talk(is_quiet=True)
    prepared = prepare_turn(read, turn, talk)
    return prepared, fresh_training(read, turn, prepared, talk)


def write_table(
    folder: Path, values: np.ndarray, targets: Sequence[object], *more: tuple[str, Sequence[object]]
) -> None:
    """Write `t.csv` with inputs a, b, c (N, 3), other columns, and the target y."""
    names = [*INPUTS, *(name for name, _ in more), "y"]
    columns = [*values.T.tolist(), *(cells for _, cells in more), targets]
    write_csv(folder / "t.csv", " ".join(names), zip(*columns, strict=True))


def table(data: str = "", rest: str = MLP) -> str:
    """Return a config on that table."""
    return f"data: {{name: table, path: t.csv, target: y{data}}}\n{rest}"


def classes(rows: int = 200, *, seed: int = 0) -> tuple[np.ndarray, list[str]]:
    """Return inputs (N, 3) that tell of three classes, not perfectly, and these."""
    random = np.random.default_rng(seed)
    codes = random.integers(0, 3, rows)
    values = random.normal(size=(rows, 3)) + 1.5 * np.eye(3)[codes]
    return values, ["xyz"[code] for code in codes]


def with_network(learner: Learner, network: nn.Module) -> Learner:
    """Return a learner whose network is another one."""
    return replace(learner, network=network)
