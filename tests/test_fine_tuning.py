"""`init_from` and `freeze`: what is taken over, what stays, and what is said of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from dlcli import checkpoint
from dlcli.description import weights_of
from dlcli.finetune import _columns, _difference
from dlcli.trained import open_trained
from tests.checks.made import begun
from tests.command_line import CONFIGS, as_json
from tests.command_line import dlcli as run_dlcli
from tests.kinds import write_csv

DIGITS = CONFIGS / "digits-mlp.yaml"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tuning")


@pytest.fixture(scope="module")
def first(folder: Path) -> Path:
    result = as_json("train", DIGITS, "train.epochs=2", "train.ema=0.9", folder=folder)
    return (folder / result["checkpoint"]).resolve()


def trained(folder: Path, result: dict[str, Any]) -> dict[str, Tensor]:
    return open_trained(folder / result["checkpoint"]).learner.network.state_dict()


def test_predictions_are_those_of_the_averaged_weights(first: Path) -> None:
    loaded = checkpoint.load(first)
    averaged = weights_of(loaded)
    network = open_trained(first).learner.network
    for name, value in network.state_dict().items():
        assert torch.equal(value, averaged[name])
    assert not torch.equal(
        averaged["head.linear.weight"], loaded.tensors["model/head.linear.weight"]
    )


def test_a_frozen_layer_keeps_the_weights_it_began_with(folder: Path, first: Path) -> None:
    said = run_dlcli(
        "train", DIGITS, "train.epochs=1", f"train.init_from={first}", "train.freeze=[body]",
        folder=folder,
    ).stderr  # fmt: skip
    assert "init_from: 6 of 6 weights are those of " in said
    assert "650 parameters to train (" in said
    run = max((folder / "runs").iterdir(), key=lambda path: path.stat().st_mtime)
    before = weights_of(checkpoint.load(first))
    after = open_trained(run / "checkpoints" / "best.safetensors").learner.network.state_dict()
    same = {name: torch.equal(before[name], after[name]) for name in before}
    assert same == {name: not name.startswith("head.") for name in before}


def test_weights_of_other_classes_are_new(folder: Path) -> None:
    rows = ["label," + ",".join(f"pixel{i}" for i in range(3))]
    rows += [f"{name},{i},{i % 3},{i % 5}" for i, name in enumerate(["ant", "bee", "cat"] * 20)]
    for kind, names in {"insects": "ant bee cat", "trees": "ash elm fir"}.items():
        text = "\n".join(rows)
        for old, new in zip(["ant", "bee", "cat"], names.split(), strict=True):
            text = text.replace(f"\n{old},", f"\n{new},")
        (folder / f"{kind}.csv").write_text(text + "\n")
        (folder / f"{kind}.yaml").write_text(
            f"data: {{name: table, path: {kind}.csv, target: label}}\nmodel: mlp\n"
        )
    insects = as_json("train", "insects.yaml", "train.epochs=1", folder=folder)
    place = insects["checkpoint"]
    done = run_dlcli(
        "train", "trees.yaml", "train.epochs=1", f"train.init_from={place}", folder=folder
    )
    assert "4 of 6 weights" in done.stderr
    assert "new: head.linear.weight, head.linear.bias" in done.stderr


def test_layers_that_read_other_columns_are_new(folder: Path) -> None:
    """The same rows with their columns in another order: name and shape of every weight fit."""
    rows = [(i % 7, i % 5, i % 3, "yes" if i % 7 > 3 else "no") for i in range(60)]
    for name, order in {"abc": (0, 1, 2), "cba": (2, 1, 0)}.items():
        lines = [
            ",".join(str(row[i]) for i in (*order, 3)) for row in [("a", "b", "c", "y"), *rows]
        ]
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")
        (folder / f"{name}.yaml").write_text(
            f"data: {{name: table, path: {name}.csv, target: y}}\nmodel: mlp\n"
        )
    place = as_json("train", "abc.yaml", "train.epochs=1", folder=folder)["checkpoint"]
    words = ("train.epochs=1", f"train.init_from={place}")
    same = run_dlcli("train", "abc.yaml", *words, folder=folder).stderr
    assert "init_from: 6 of 6 weights" in same
    other = run_dlcli("train", "cba.yaml", *words, folder=folder).stderr
    assert "init_from: 4 of 6 weights" in other
    assert "new: body.layers.0.0.weight, body.layers.0.0.bias\n" in other
    assert (
        "init_from: the inputs there are a, b, c, here c, b, a: the layers that read them are new\n"
    ) in other
    nothing = run_dlcli("train", "cba.yaml", "model=linear", *words, folder=folder, check=3).stderr
    assert "same name, shape and meaning; the inputs there are a, b, c, here c, b, a" in nothing


LEAF, PETAL = ["oak", "ash", "elm"] * 20, ["oak", "ash", "fir"] * 20
LENGTH, WIDTH = [i % 7 for i in range(60)], [i % 5 for i in range(60)]


@pytest.mark.parametrize(
    ("there", "here", "options", "said"),
    [
        ({"a": LENGTH, "b": WIDTH}, {"a": LENGTH, "b": WIDTH}, "", ""),
        ({"a": LENGTH}, {"z": WIDTH}, "", ""),  # a lone column may be called anything
        ({"t": ["a b"] * 60}, {"t": ["a b a b", "b"] * 30}, ", types: {t: text}", ""),  # longer
        ({"a": LENGTH, "b": WIDTH}, {"b": WIDTH, "a": LENGTH}, "", "there are a, b, here b, a"),
        ({"a": LENGTH, "b": WIDTH}, {"a": LENGTH, "c": WIDTH}, "", "there are b, here c"),
        ({"a": LENGTH}, {"a": LENGTH, "b": WIDTH}, "", "the inputs there are none more, here b"),
        ({"a": LENGTH, "k": LEAF}, {"a": LENGTH, "k": PETAL}, "", ""),  # the stem's own weights
        (
            {"a": LENGTH, "k": LEAF},
            {"a": LENGTH, "k": PETAL},
            ", categories: {encoding: one_hot}",
            "`k` has other values there",
        ),
    ],
)
def test_other_columns_are_told(
    there: dict[str, list[Any]], here: dict[str, list[Any]], options: str, said: str, tmp_path: Path
) -> None:
    columns = []
    for name, given in {"there": there, "here": here}.items():
        rows = zip(*given.values(), ["yes", "no", "no"] * 20, strict=True)
        write_csv(tmp_path / f"{name}.csv", " ".join([*given, "y"]), rows)
        text = f"data: {{name: table, path: {name}.csv, target: y{options}}}\nmodel: mlp\n"
        learner = begun(tmp_path, text)[1].learner
        columns.append(_columns(learner.preprocessor, learner.network))
    told = _difference(*columns)
    assert (said in told) if said else not told


@pytest.mark.parametrize(
    ("option", "code", "said"),
    [
        ("train.freeze=[bodi]", 3, "`train.freeze` names `bodi`, and there is no such layer"),
        ("train.freeze=['*']", 3, "`train.freeze` leaves nothing to train"),
        ("train.init_from=nothing.safetensors", 6, "there is no file `"),
        ("train.sampling=sometimes", 3, "sampling"),
        ("train.precision=fp8", 3, "precision"),
        ("train.checkpoint_every=soon", 3, "checkpoint_every"),
    ],
)
def test_a_wrong_option_is_told_in_one_line(
    option: str, code: int, said: str, folder: Path
) -> None:
    done = run_dlcli("train", DIGITS, option, folder=folder, check=code)
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_checkpoint_of_another_architecture_is_refused(folder: Path, first: Path) -> None:
    done = run_dlcli(
        "train", CONFIGS / "iris-mlp.yaml", f"train.init_from={first}",
        "model.hidden_sizes=[7]", folder=folder, check=3,
    )  # fmt: skip
    assert "none of the 4 weights here is in " in done.stderr
    assert "train.init_from" in done.stderr


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_low_precision_learns_as_well(precision: str, folder: Path) -> None:
    result = as_json(
        "train", DIGITS, f"train.precision={precision}", "train.epochs=10",
        "train.clip_norm=1.0", "train.sampling=balanced", folder=folder,
    )  # fmt: skip
    assert result["metrics"]["test"]["accuracy"] > 0.93
