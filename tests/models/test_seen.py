"""Rows that stand as a network's body sees them train what they would otherwise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from dlcli.build import build_trainer, open_sources
from dlcli.config.config import Config
from dlcli.config.read import config_from
from dlcli.data.examples import ResidentExamples
from dlcli.data.prepare import Prepared, prepare
from dlcli.data.spec import VECTOR
from dlcli.models import seen
from dlcli.models.seen import seen_once
from dlcli.training.state import State
from tests.learners import learner_of

TABLE = "age,town,late\n" + "".join(
    f"{20 + 3 * n % 50},{'Ulm' if n % 3 else 'Bonn'},{'yes' if n % 4 else 'no'}\n"
    for n in range(60)
)


def config_of(tmp_path: Path, data: str, model: str = "mlp") -> Config:
    """Return a config over a data set, or, by the name of an encoding, over a table."""
    (tmp_path / "table.csv").write_text(TABLE)
    table = {
        "name": "table",
        "path": "table.csv",
        "target": "late",
        "categories": {"encoding": data},
    }
    is_table = data in ("one_hot", "embedding")
    return config_from({"name": "t", "data": table if is_table else data, "model": model})


def prepared_of(config: Config, folder: Path) -> Prepared:
    return prepare(open_sources(config, folder), config.data, task=None)


def weights_after(config: Config, prepared: Prepared, *, is_seen: bool) -> dict[str, Tensor]:
    learner = learner_of(prepared, config)
    parts = dict(prepared.examples)
    if is_seen:
        parts = seen_once(parts, learner.network)
        assert set(parts["train"].take(torch.arange(2)).inputs) == {VECTOR}
    trainer = build_trainer(config, learner, parts["train"], state=State())
    list(trainer.steps(parts["train"], parts.get("val"), epochs=2))
    return trainer.tensors()


@pytest.mark.parametrize("data", ["digits", "one_hot"])
def test_no_bit_of_a_training_differs(tmp_path: Path, data: str) -> None:
    config = config_of(tmp_path, data)
    prepared = prepared_of(config, tmp_path)
    plain = weights_after(config, prepared, is_seen=False)
    once = weights_after(config, prepared, is_seen=True)
    assert all(plain[name].equal(once[name]) for name in plain)


@pytest.mark.parametrize(
    ("data", "model"),
    [("digits", "cnn"), ("digits", "lstm"), ("embedding", "mlp"), ("iris", "mlp")],
)
def test_rows_of_which_a_stem_makes_something_else_or_nothing_stay(
    tmp_path: Path, data: str, model: str
) -> None:
    config = config_of(tmp_path, data, model)
    prepared = prepared_of(config, tmp_path)
    learner = learner_of(prepared, config)
    parts = seen_once(prepared.examples, learner.network)
    assert all(parts[part] is rows for part, rows in prepared.examples.items())


def test_many_rows_and_rows_on_disk_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = config_of(tmp_path, "digits")
    prepared = prepared_of(config, tmp_path)
    train = prepared.examples["train"]
    assert isinstance(train, ResidentExamples)
    network = learner_of(prepared, config).network
    on_disk = replace(train, mapped=object())
    assert seen_once({"train": on_disk}, network)["train"] is on_disk
    monkeypatch.setattr(seen, "_MOST_BYTES", len(train) * 64 * 4 - 1)
    assert seen_once({"train": train}, network)["train"] is train
