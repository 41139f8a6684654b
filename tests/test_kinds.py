"""What every kind of data promises once it is trained on: alone, measured, from Python."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import dlcli as package
from dlcli.data.unseen import records_to_predict
from dlcli.errors import DataError, UsageError
from tests.command_line import as_json, dlcli
from tests.kinds import HOURS, KINDS

SERIES = [name for name in KINDS if name.startswith("series")]
ANSWERING = [name for name in KINDS if name not in {*SERIES, "running text"}]


@pytest.fixture(scope="module", params=KINDS)
def trained(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path, dict[str, Any]]:
    """A kind of data, a folder with it and one run, and what its training said."""
    folder = tmp_path_factory.mktemp("kind") / "folder"
    config = KINDS[request.param].write_config(folder)
    return request.param, folder, as_json("train", config, folder=folder)


def predicted(folder: Path, name: str, *words: object) -> str:
    return dlcli("predict", *KINDS[name].inputs, *words, "--quiet", folder=folder).stdout


def test_a_checkpoint_stands_alone(trained, tmp_path: Path) -> None:
    name, folder, result = trained
    before = predicted(folder, name)
    shutil.copy(folder / result["checkpoint"], tmp_path / "alone.safetensors")
    for word in KINDS[name].inputs:
        if (folder / word).is_file():
            (tmp_path / word).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(folder / word, tmp_path / word)
    away = folder.rename(folder.with_name("away"))
    try:
        assert predicted(tmp_path, name, "--checkpoint", "alone.safetensors") == before
        done = dlcli("evaluate", "alone.safetensors", folder=tmp_path, check=6)
    finally:
        away.rename(folder)
    assert "alone.safetensors stands alone: where its data are is written in its run" in done.stderr
    assert "--data PATH measures it" in done.stderr


def test_every_part_has_the_scores_that_training_told(trained) -> None:
    _name, folder, result = trained
    for part, words in (("test", ()), ("val", ("--split", "val"))):
        found = as_json("evaluate", result["run_dir"], *words, folder=folder)
        assert found["metrics"] == result["metrics"][part]
        assert found["warnings"] == []


def test_the_training_data_are_measured_like_any_other(trained) -> None:
    name, folder, result = trained
    path = KINDS[name].path
    found = as_json("evaluate", result["run_dir"], "--data", path, folder=folder)
    assert found["metrics"].keys() == result["metrics"]["test"].keys()
    parts = json.loads((folder / result["run_dir"] / "splits.json").read_text())
    assert name in {*SERIES, "running text"} or found["rows"] == sum(map(len, parts.values()))


def test_python_gives_what_the_command_line_does(trained, monkeypatch) -> None:
    name, folder, result = trained
    monkeypatch.chdir(folder)
    model = package.load(result["checkpoint"])
    if name == "running text":
        with pytest.raises(UsageError, match="a language model goes on with a text") as caught:
            model.predict([{"text": "the c"}])
        assert "`dlcli predict TEXT`" in caught.value.faults[0].suggestion
        return
    told = [one["prediction"] for one in json.loads(predicted(folder, name, "--json"))]
    assert model.predict(KINDS[name].records) == told
    paths = [
        {key: Path(value) if key in {"image", "audio"} else value for key, value in one.items()}
        for one in KINDS[name].records
    ]
    assert model.predict(paths) == told


@pytest.mark.parametrize("trained", ANSWERING, indirect=True)
def test_answers_do_not_depend_on_how_many_go_through_at_once(trained, monkeypatch) -> None:
    name, folder, result = trained
    monkeypatch.chdir(folder)
    model = package.load(result["checkpoint"])
    records = [*KINDS[name].records] * 5
    ((batch, _names),) = records_to_predict(records, model.config.data, model.learner.preprocessor)
    together = model.answers(batch)
    assert len(together) == len(records)
    for size in (1, 3):
        evaluation = replace(model.learner.evaluation, batch_size=size)
        cut = replace(model, learner=replace(model.learner, evaluation=evaluation))
        torch.testing.assert_close(cut.answers(batch), together, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("trained", ["picture folder"], indirect=True)
def test_a_broken_picture_among_many_is_named_by_its_row(trained, monkeypatch) -> None:
    name, folder, result = trained
    monkeypatch.chdir(folder)
    Path("broken.png").write_text("no picture")
    records = [*KINDS[name].records] * 50
    records[70] = {"image": "broken.png"}
    with pytest.raises(DataError, match=r'records, row 71, column `image`: "broken\.png" is no'):
        package.load(result["checkpoint"]).predict(records)


@pytest.mark.parametrize("trained", ["sequences"], indirect=True)
def test_rows_in_long_format_are_answered_by_id(trained) -> None:
    name, folder, result = trained
    model = package.load(folder / result["checkpoint"])
    rows = [
        {"id": "a", "step": 2, "x": 2.5},
        {"id": "b", "step": 1, "x": -1},
        {"id": "a", "step": 1, "x": 1.5},
        {"id": "a", "step": 3, "x": 3.5},
    ]
    assert model.predict(rows) == model.predict(KINDS[name].records)


@pytest.mark.parametrize("trained", ["series"], indirect=True)
def test_rows_without_a_target_are_what_is_forecast_and_too_few_are_refused(trained) -> None:
    _name, folder, result = trained
    model = package.load(folder / result["checkpoint"])
    told = model.predict(HOURS)
    assert [type(one) for one in told] == [float] * 4
    assert model.predict([*HOURS, {"time": "2024-01-04 18:00"}]) == told
    assert model.predict(HOURS[-12:]) == told
    with pytest.raises(DataError, match="records: found 11 rows with a target, and a forecast lo"):
        model.predict(HOURS[-11:])
