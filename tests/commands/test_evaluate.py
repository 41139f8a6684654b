"""Evaluation gives the training's own scores, with intervals, files and pictures."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.command_line import as_json, dlcli

PARTS = ("train", "val", "test")
CONFIG = "model: {name: mlp, hidden_sizes: [8]}\noptimizer: {name: adamw, lr: 1e-2}\n"
TABLE = "data: {name: table, path: points.csv, target: kind, split: {test: 40, val: 20}}\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three runs: a classifier of iris, one of a table, and a regression."""
    folder = tmp_path_factory.mktemp("evaluate")
    rows = [f"{i % 17},{i % 5},{'ab'[i % 17 > 8]}" for i in range(200)]
    (folder / "points.csv").write_text("x,y,kind\n" + "\n".join(rows) + "\n")
    epochs = "train: {epochs: 6}\n"
    (folder / "iris.yaml").write_text("data: iris\n" + CONFIG + epochs)
    (folder / "points.yaml").write_text(TABLE + CONFIG + epochs)
    (folder / "diabetes.yaml").write_text("data: diabetes\n" + CONFIG + epochs)
    return folder


@pytest.fixture(scope="module", params=["iris", "points", "diabetes"])
def trained(request: pytest.FixtureRequest, folder: Path) -> dict[str, Any]:
    """What training printed."""
    return as_json("train", f"{request.param}.yaml", folder=folder)


def test_every_part_has_the_scores_that_training_printed(
    trained: dict[str, Any], folder: Path
) -> None:
    sizes = json.loads((folder / trained["run_dir"] / "splits.json").read_text())
    for part in PARTS:
        result = as_json("evaluate", trained["run_dir"], "--split", part, folder=folder)
        assert result["rows"] == len(sizes[part])
        assert result["metrics"] == trained["metrics"][part]
        assert result["checkpoint"] == trained["checkpoint"]
        for name, (low, high) in result["intervals"].items():
            assert low <= result["metrics"][name] <= high
            assert low < high
        assert set(result["intervals"]) == set(result["metrics"]) - {"loss"}


def test_files_are_written_into_the_run(trained: dict[str, Any], folder: Path) -> None:
    result = as_json("evaluate", trained["run_dir"], folder=folder)
    place = folder / trained["run_dir"] / "evaluation" / "test"
    assert json.loads((place / "metrics.json").read_text()) == result
    (picture,) = place.glob("*.png")
    assert picture.name == ("confusion.png" if "classes" in result else "predicted.png")
    with Image.open(picture) as image:
        image.load()
        assert image.format == "PNG"
        assert min(image.size) > 200
        assert len(image.getcolors(1 << 24) or []) > 10


def test_classes_and_confusion_agree(folder: Path) -> None:
    as_json("train", "iris.yaml", "--name", "confused", folder=folder)
    result = as_json("evaluate", "confused", folder=folder)
    confusion = result["confusion"]
    assert [row["class"] for row in result["classes"]] == ["setosa", "versicolor", "virginica"]
    assert [row["rows"] for row in result["classes"]] == [sum(row) for row in confusion]
    right = sum(confusion[i][i] for i in range(3))
    assert result["metrics"]["accuracy"] == pytest.approx(right / result["rows"])
    f1 = [row["f1"] for row in result["classes"]]
    assert result["metrics"]["f1_macro"] == pytest.approx(sum(f1) / 3)
    shown = dlcli("evaluate", "confused", folder=folder).stdout
    assert "true \\ answered" in shown
    assert "95 % interval" in shown
    assert all(name in shown for name in ("setosa", "precision", "recall"))


def test_a_new_labelled_file_is_measured(folder: Path) -> None:
    trained = as_json("train", "points.yaml", "--name", "points-new", folder=folder)
    sizes = json.loads((folder / trained["run_dir"] / "splits.json").read_text())
    _, *rows = (folder / "points.csv").read_text().splitlines()
    mixed = [",".join(["?", *reversed(rows[i].split(","))]) for i in sizes["test"]]
    (folder / "new.csv").write_text("\n".join(["extra,kind,y,x", *mixed]) + "\n")
    result = as_json("evaluate", trained["run_dir"], "--data", "new.csv", folder=folder)
    expected = trained["metrics"]["test"]
    assert result["rows"] == 40
    assert result["data"] == "new.csv"
    assert all(math.isclose(result["metrics"][name], expected[name]) for name in expected)
    (written,) = (folder / trained["run_dir"] / "evaluation").glob("data-new-*")
    assert (written / "metrics.json").is_file()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("x,y\n1,2\n", "has no column `kind`"),
        ("x,y,kind\n1,2,c\n", '`kind`: "c"'),
        ("x,y,kind\n1,?,a\n", '`y`: "?" is not a number'),
        ("x,y,kind\n1,2,\n", "`kind`"),
    ],
)
def test_a_file_that_cannot_be_measured_is_told(
    content: str, message: str, folder: Path, tmp_path: Path
) -> None:
    if not list((folder / "runs").glob("*-told")):
        as_json("train", "points.yaml", "--name", "told", folder=folder)
    (tmp_path / "bad.csv").write_text(content)
    answer = as_json("evaluate", "told", "--data", tmp_path / "bad.csv", folder=folder, check=4)
    assert message in answer["errors"][0]["message"]


def test_a_checkpoint_that_stands_alone(folder: Path, tmp_path: Path) -> None:
    for name in ("points", "iris"):
        trained = as_json("train", f"{name}.yaml", folder=folder)
        (tmp_path / f"{name}.safetensors").write_bytes(
            (folder / trained["checkpoint"]).read_bytes()
        )
    answer = as_json("evaluate", "points.safetensors", folder=tmp_path, check=6)
    assert "stands alone" in answer["errors"][0]["message"]
    words = ["evaluate", "points.safetensors", "--data", folder / "points.csv", "--output", "out"]
    assert as_json(*words, folder=tmp_path)["rows"] == 200
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "confusion.png",
        "metrics.json",
    ]
    # An embedded set needs no folder; without a run nothing is written unless asked for.
    assert as_json("evaluate", "iris.safetensors", folder=tmp_path)["rows"] == 15
    assert not (tmp_path / "runs").exists()


def test_changed_data_are_told(folder: Path) -> None:
    (folder / "changing.csv").write_text((folder / "points.csv").read_text())
    words = ["data.path=changing.csv", "--name", "changing"]
    as_json("train", "points.yaml", *words, folder=folder)
    (folder / "changing.csv").write_text((folder / "points.csv").read_text() + "1,1,a\n")
    result = as_json("evaluate", "changing", folder=folder)
    assert any("the data changed since training" in text for text in result["warnings"])


def test_a_file_called_test_is_not_the_test_part(folder: Path) -> None:
    run = as_json("train", "points.yaml", "--name", "twice", folder=folder)["run_dir"]
    (folder / "test.csv").write_text((folder / "points.csv").read_text())
    rows = as_json("evaluate", run, folder=folder)["rows"]
    as_json("evaluate", run, "--data", "test.csv", folder=folder)
    kept = json.loads((folder / run / "evaluation" / "test" / "metrics.json").read_text())
    assert kept["rows"] == rows
    done = dlcli("evaluate", run, "--data", "test.csv", "--split", "val", folder=folder, check=2)
    assert "give one" in done.stderr


def test_a_single_row_is_one_row(folder: Path) -> None:
    (folder / "single.csv").write_text("x,y,kind\n1,2,a\n")
    dlcli("train", "points.yaml", "train.epochs=1", "--name", "single", folder=folder)
    shown = dlcli("evaluate", "single", "--data", "single.csv", folder=folder).stdout
    assert "single.csv (1 row)" in shown
