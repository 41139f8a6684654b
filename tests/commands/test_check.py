"""`dlcli check` names what is wrong in words, and nothing where nothing is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_wine

from dlcli.commands.check import check_config
from dlcli.config.read import read_config
from dlcli.errors import DataError
from tests.command_line import CONFIGS, as_json, dlcli
from tests.kinds import KINDS, write_csv
from tests.test_configs import FILES

EMBEDDED = [
    "breast-cancer-mlp", "diabetes-linear", "digits-mlp", "iris-mlp", "line", "line-textbook",
    "perceptron", "wine-linear",
]  # fmt: skip
QUICK = {"iris-mlp", "wine-linear"}
DEAD_SEED = 201  # with it, every ReLU of the textbook's network gives 0 on all four rows
MODEL = "model: {name: mlp, hidden_sizes: [32]}\noptimizer: {name: adamw, lr: 2e-3}\n"
TUMOURS = f"data: {{name: table, path: tumours.csv, target: kind}}\n{MODEL}"
OWN = """\
import torch
from torch import nn

class Squashed(nn.Module):
    def __init__(self, *, inputs, outputs):
        super().__init__()
        sizes = [*inputs, 32, *outputs]
        self.layers = nn.Sequential(
            nn.Linear(sizes[0], 32), nn.ReLU(), nn.Linear(32, sizes[2]), nn.Softmax(dim=1)
        )

    def forward(self, values):
        return self.layers(values)

class Mixing(Squashed):
    def forward(self, values):
        hidden = self.layers[1](self.layers[0](values))
        return self.layers[2](hidden - hidden.mean(0))
"""


def tumours() -> tuple[list[str], np.ndarray, list[str]]:
    """Return names, inputs (N, 30) and classes of a real, healthy table."""
    found = load_breast_cancer()
    names = [name.replace(" ", "_") for name in found.feature_names]
    return names, found.data, [str(found.target_names[code]) for code in found.target]


def write(folder: Path, *more: tuple[str, list[Any]], order: list[int] | None = None) -> None:
    names, values, kinds = tumours()
    kinds = kinds if order is None else [kinds[place] for place in order]
    columns = [*values.T.tolist(), *(cells for _, cells in more), kinds]
    heading = " ".join([*names, *(name for name, _ in more), "kind"])
    write_csv(folder / "tumours.csv", heading, zip(*columns, strict=True))


def shuffled_labels(folder: Path) -> str:
    write(folder, order=np.random.default_rng(0).permutation(569).tolist())
    return TUMOURS


def leaked_target(folder: Path) -> str:
    noise = 0.05 * np.random.default_rng(0).normal(size=569)
    score = [float(kind == "malignant") + n for kind, n in zip(tumours()[2], noise, strict=True)]
    write(folder, ("score", score))
    return TUMOURS


def softmax_before_cross_entropy(folder: Path) -> str:
    write(folder)
    (folder / "own.py").write_text(OWN)
    return TUMOURS.replace("{name: mlp, hidden_sizes: [32]}", "own.py:Squashed")


def dead_start(folder: Path) -> str:  # noqa: ARG001
    return (CONFIGS / "line-textbook.yaml").read_text() + f"seed: {DEAD_SEED}\n"


def huge_learning_rate(folder: Path) -> str:
    write(folder)
    return TUMOURS.replace("2e-3", "2e-1")


def copied_rows(folder: Path) -> str:
    names, values, kinds = tumours()
    rows = [[*row, kind, "train"] for row, kind in zip(values.tolist(), kinds, strict=True)]
    rows += [[*row[:-1], "val"] for row in rows[:100]]
    write_csv(folder / "tumours.csv", " ".join([*names, "kind", "part"]), rows)
    return TUMOURS.replace("kind}", "kind, split: {column: part}}")


def class_missing_from_train(folder: Path) -> str:
    wine = load_wine()
    columns = [*wine.data.T.tolist(), [f"grower {code}" for code in wine.target]]
    parts = ["val" if code == 2 else "train" for code in wine.target]
    names = [name.replace("/", "_") for name in wine.feature_names]
    rows = zip(*columns, parts, strict=True)
    write_csv(folder / "tumours.csv", " ".join([*names, "kind", "part"]), rows)
    return TUMOURS.replace("kind}", "kind, split: {column: part}}")


def mixed_rows(folder: Path) -> str:
    write(folder)
    (folder / "own.py").write_text(OWN)
    return TUMOURS.replace("{name: mlp, hidden_sizes: [32]}", "own.py:Mixing")


def unnormalised_inputs(folder: Path) -> str:
    write(folder)
    return TUMOURS.replace("kind}", "kind, scaling: none}")


def frozen_output_layer(folder: Path) -> str:
    write(folder)
    return TUMOURS + "train: {freeze: [head]}\n"


BROKEN: dict[Callable[[Path], str], str] = {
    shuffled_labels: "the inputs tell nothing about the target",
    leaked_target: "one input alone tells the target: `score` (100.0% of",
    softmax_before_cross_entropy: "ends in a softmax, and so does the loss `cross_entropy`",
    dead_start: "every ReLU of `body.layers.0.1` gives 0",
    huge_learning_rate: "too high, 0.2: in 32 steps the loss goes from",
    copied_rows: "100 of 100 val rows are training rows too",
    class_missing_from_train: "class `grower 2` has no row in the training part",
    mixed_rows: "rows of a batch are mixed",
    unnormalised_inputs: "inputs are not normalised: root mean square of `worst_area`",
    frozen_output_layer: "the output layer `head.linear` is frozen at random weights",
}


def checked(path: Path) -> dict[str, Any]:
    return check_config(read_config(path, [], trust_code=True), is_quiet=True).data


def warned(result: dict[str, Any]) -> list[str]:
    found = [check["message"] for check in result["checks"] if check["status"] == "warning"]
    assert result["warnings"] == len(found)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.__name__)
def test_each_broken_set_up_is_named(broken: Callable[[Path], str], tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(broken(tmp_path))
    try:
        said = warned(checked(tmp_path / "c.yaml"))
    except DataError as error:
        assert broken is class_missing_from_train
        said = [str(error)]
    assert any(BROKEN[broken] in message for message in said), said


@pytest.mark.slow
def test_the_table_of_the_broken_set_ups_is_healthy_itself(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "c.yaml").write_text(TUMOURS)
    assert warned(checked(tmp_path / "c.yaml")) == []


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in EMBEDDED],
)
def test_nothing_is_wrong_with_the_shipped_configs(name: str) -> None:
    assert warned(checked(CONFIGS / f"{name}.yaml")) == []


EXPLODING = {"diabetes-linear": 10, "iris-mlp": 30, "line": 10}


@pytest.mark.parametrize("name", EXPLODING)
def test_an_exploding_rate_is_a_finding_among_the_others(name: str) -> None:
    rate = f"optimizer={{name: sgd, lr: {EXPLODING[name]}}}"
    result = check_config(read_config(CONFIGS / f"{name}.yaml", [rate]), is_quiet=True).data
    assert result["cost"]["seconds_per_epoch"] > 0
    (said,) = [check for check in result["checks"] if check["name"] == "learning rate"]
    assert (said["status"], "what is not finite" in said["message"]) == ("warning", True)


LOSSES = """\
from torch.nn import functional as F

def total(outputs, targets):
    return F.cross_entropy(outputs, targets, reduction="sum")

def never(outputs, targets):
    return F.cross_entropy(outputs, targets) / 0

def mean(outputs, targets):
    return F.cross_entropy(outputs, targets)
"""


@pytest.mark.parametrize(
    ("loss", "said"),
    [
        ("total", ["the loss is no mean over rows: of 120 rows it is"]),
        (
            "never",
            [
                "the first loss is inf, that of outputs all 0 inf: it is the loss itself",
                "training stopped being finite at step 1",
                "not tried: the loss is not finite before the first step",
                "not tried: the loss is not finite before the first step",
            ],
        ),
        ("mean", []),
    ],
)
def test_a_loss_of_ones_own_is_looked_at(loss: str, said: list[str], tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(LOSSES)
    (tmp_path / "c.yaml").write_text(f"data: iris\nmodel: mlp\nloss: own.py:{loss}\n")
    found = warned(checked(tmp_path / "c.yaml"))
    assert len(found) == len(said)
    assert all(message.startswith(words) for message, words in zip(found, said, strict=True))


def test_a_warm_up_without_an_end_is_told(tmp_path: Path) -> None:
    text = "data: iris\nmodel: linear\ntrain: {epochs: 2}\nscheduler: {name: cosine, warmup: 99}\n"
    (tmp_path / "c.yaml").write_text(text)
    (said,) = warned(checked(tmp_path / "c.yaml"))
    told = (
        "`scheduler.warmup` rises over 99 steps, and this training has 8: the learning rate comes"
    )
    assert said.startswith(told)
    assert f"warning: {told}" in dlcli("train", "c.yaml", folder=tmp_path).stderr


def test_no_embedded_config_is_left_out() -> None:
    embedded = {path.stem for path in CONFIGS.glob("*.yaml")} - {*FILES}
    assert sorted(embedded) == EMBEDDED


def test_the_command_prints_a_line_for_each_check_and_makes_no_run(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("data: wine\nmodel: linear\ntrain: {freeze: [head]}\n")
    (tmp_path / "c.yaml").write_text("data: {name: wine, scaling: none}\nmodel: linear\n")
    done = dlcli("check", "c.yaml", folder=tmp_path)
    *lines, last = done.stdout.splitlines()
    assert all(line.split()[0] in {"ok", "warning"} for line in lines)
    assert last.startswith(f"{len(lines)} checks: ")
    (scale,) = [line for line in lines if "input scale" in line]
    assert scale.startswith("warning")
    assert scale.endswith("-> `data.scaling: standard`")
    result = as_json("train", "c.yaml", "--dry-run", folder=tmp_path)
    assert (result["command"], result["status"]) == ("train", "ok")
    told = [(check["name"], check["status"]) for check in result["checks"]]
    assert told == [(line[9:].split("  ")[0], line.split()[0]) for line in lines]
    assert {*result["checks"][0]} == {"name", "status", "message", "remedy"}
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("text", "words", "code"),
    [
        ("data: iris\nmodel: cnn\n", [], 3),
        ("data: iris\nmodel: linear\ntrain: {monitor: val_rmse}\n", [], 3),
        ("data: {name: table, path: no.csv, target: y}\nmodel: linear\n", [], 4),
        ("data: iris\nmodel: linear\n", ["--device", "cuda:99"], 7),
    ],
)
def test_a_fault_that_a_training_would_fail_of_has_its_exit_code(
    text: str, words: list[str], code: int, tmp_path: Path
) -> None:
    (tmp_path / "c.yaml").write_text(text)
    as_json("check", "c.yaml", *words, folder=tmp_path, check=code)


def test_a_dry_run_is_no_resume(tmp_path: Path) -> None:
    answer = as_json("train", "--resume", "latest", "--dry-run", folder=tmp_path, check=2)
    assert "--dry-run" in answer["errors"][0]["message"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_wrong_with_any_kind_of_data(kind: str, tmp_path: Path) -> None:
    result = checked(tmp_path / KINDS[kind].write_config(tmp_path))
    names = {check["name"] for check in result["checks"] if check["status"] == "warning"}
    assert names <= {"preparation"}, warned(result)


def test_the_shapes_are_those_of_the_data_not_of_what_training_makes_of_them(
    tmp_path: Path,
) -> None:
    (tmp_path / "digits.yaml").write_text("data: digits\nmodel: mlp\ntrain: {epochs: 1}\n")
    told = dlcli("check", "digits.yaml", folder=tmp_path)
    assert "image (N, 1, 8, 8) -> (N, 10)" in told.stdout
