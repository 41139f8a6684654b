"""A checkpoint in use: safe, independent of its place, and the same for a record in any company."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

import dlcli as package
from dlcli import checkpoint
from dlcli.errors import CheckpointError, DataError
from dlcli.trained import TrainedModel, open_trained
from tests.command_line import as_json, dlcli

TABLE = """\
data: {name: table, path: rows.csv, target: kind, categories: {min_count: 1}}
model: {name: mlp, hidden_sizes: [16], normalization: batch, dropout: 0.3}
train: {epochs: 4}
"""
NUMBERS = TABLE.replace("kind", "[a, b]").replace("normalization: batch, ", "")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    rows = [
        f"{i % 11},{i * 0.37 % 5:.2f},{'pqr'[i % 3]},{['no', 'yes'][i % 11 > 5]}"
        for i in range(150)
    ]
    (folder / "rows.csv").write_text("a,b,c,kind\n" + "\n".join(rows) + "\n")
    (folder / "kinds.yaml").write_text(TABLE)
    (folder / "numbers.yaml").write_text(NUMBERS)
    for name in ("kinds", "numbers"):
        dlcli("train", f"{name}.yaml", "--quiet", folder=folder)
    return folder


def best(folder: Path, name: str) -> Path:
    (run,) = (folder / "runs").glob(f"*-{name}")
    return run / "checkpoints" / "best.safetensors"


def model_of(folder: Path, name: str) -> TrainedModel:
    return package.load(best(folder, name))


RECORDS = [{"a": i, "b": i / 3, "c": "pqr"[i % 3]} for i in range(11)]


def test_a_prediction_does_not_depend_on_its_batch_mates(folder: Path) -> None:
    model = model_of(folder, "kinds")
    together = model.predict(RECORDS)
    assert together == [model.predict([record])[0] for record in RECORDS]
    assert model.predict(RECORDS[::-1]) == together[::-1]
    assert set(together) <= {"no", "yes"}


def test_loading_twice_and_predicting_twice_gives_the_same(folder: Path) -> None:
    model = model_of(folder, "kinds")
    before = torch.get_rng_state()
    assert model.predict(RECORDS) == model.predict(RECORDS)
    assert model_of(folder, "kinds").predict(RECORDS) == model.predict(RECORDS)
    assert not model.learner.network.training
    assert torch.get_rng_state().numel() == before.numel()


def test_several_targets_give_lists_of_numbers(folder: Path) -> None:
    records = [{"c": "p", "kind": "no"}, {"c": "q", "kind": "yes"}]
    found = model_of(folder, "numbers").predict(records)
    assert [len(each) for each in found] == [2, 2]
    shown = dlcli(
        "predict", *map(json.dumps, records), "--checkpoint", "numbers", "--json", folder=folder
    )
    assert [each["prediction"] for each in json.loads(shown.stdout)] == found
    bare = dlcli("predict", json.dumps(records[0]), "--checkpoint", "numbers", folder=folder).stdout
    assert [float(word) for word in bare.split()] == found[0]


def test_no_records_give_no_predictions_and_wrong_ones_are_told(folder: Path) -> None:
    model = model_of(folder, "kinds")
    assert model.predict([]) == []
    with pytest.raises(DataError, match="the record has no column `b`, `c`"):
        model.predict([{"a": 1}])
    with pytest.raises(DataError, match='records, row 2, column `a`: "x" is not a number'):
        model.predict([RECORDS[0], {**RECORDS[0], "a": "x"}])


COLUMNS: dict[str, Any] = {name: [record[name] for record in RECORDS] for name in "abc"}


@pytest.mark.parametrize(
    "columns",
    [
        COLUMNS,
        pa.table(COLUMNS),
        pa.record_batch(COLUMNS),
        COLUMNS
        | {"a": np.array(COLUMNS["a"]), "b": torch.tensor(COLUMNS["b"], dtype=torch.double)},
        COLUMNS | {"a": [str(a) for a in COLUMNS["a"]], "more": [[]] * 11},
    ],
    ids=["lists", "table", "batch", "arrays", "texts"],
)
def test_columns_are_answered_as_records_are(columns: Any, folder: Path) -> None:
    model = model_of(folder, "kinds")
    assert model.predict(columns) == model.predict(RECORDS)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"a": [1]}, "the table has no column `b`, `c`"),
        ({"a": 1, "b": 2, "c": "p"}, "these are no columns"),
        (COLUMNS | {"c": ["p"]}, "expected length 11 but got length 1"),
        (COLUMNS | {"b": [None, *"x" * 10]}, 'records, row 2, column `b`: "x" is not a number'),
    ],
)
def test_what_is_wrong_with_columns_is_told(
    columns: dict[str, Any], message: str, folder: Path
) -> None:
    with pytest.raises(DataError, match=re.escape(message)):
        model_of(folder, "kinds").predict(columns)


def test_pictures_in_one_array_are_answered_as_single_ones_are(tmp_path: Path) -> None:
    (tmp_path / "digits.yaml").write_text("data: digits\nmodel: mlp\ntrain: {epochs: 1}\n")
    dlcli("train", "digits.yaml", "--quiet", folder=tmp_path)
    model = model_of(tmp_path, "digits")
    images = np.random.default_rng(0).integers(0, 17, (7, 8, 8)).astype(np.uint8)
    single = model.predict([{"image": image} for image in images])
    for array in (images, images[:, None], images[..., None], images.astype(float)):
        assert model.predict({"image": array}) == single
        assert model.predict({"image": torch.from_numpy(array)}) == single


@pytest.mark.parametrize("name", ["kinds", "numbers"])
@pytest.mark.parametrize("rows", [1, 5, 16, 17, 100])
def test_answers_are_those_of_the_network_chunk_by_chunk(
    rows: int, name: str, folder: Path
) -> None:
    model = model_of(folder, name)
    evaluation = replace(model.learner.evaluation, batch_size=16)
    model = replace(model, learner=replace(model.learner, evaluation=evaluation))
    blocks = {"numbers": torch.randn(rows, 2), "categories": torch.randint(0, 3, (rows, 1))}
    if name == "numbers":
        blocks = {"categories": torch.randint(0, 3, (rows, 2))}
    with torch.no_grad():
        expected = [
            evaluation.answers(
                model.learner.network({key: block[at : at + 16] for key, block in blocks.items()})
            )
            for at in range(0, rows, 16)
        ]
    found = model.compute(blocks)
    assert torch.equal(found, torch.cat(expected))
    assert found.dtype == expected[0].dtype
    assert not found.is_inference()
    none = {key: block[:0] for key, block in blocks.items()}
    assert model.compute(none).shape == (0, *found.shape[1:])


@pytest.mark.parametrize("device", ["cpu", "auto"])
def test_a_device_can_be_named(device: str, folder: Path) -> None:
    expected = model_of(folder, "kinds").predict(RECORDS)
    assert package.load(best(folder, "kinds"), device=device).predict(RECORDS) == expected


def test_a_model_that_computes_something_else_is_refused(folder: Path, tmp_path: Path) -> None:
    loaded = checkpoint.load(best(folder, "kinds"))
    name = next(name for name in loaded.tensors if name.endswith("weight"))
    for change, warns in ((1.0, False), (1.0001, True), (2.0, None)):
        path = tmp_path / f"{change}.safetensors"
        tensors = {**loaded.tensors, name: loaded.tensors[name] * change}
        checkpoint.save(path, tensors=tensors, data=loaded.data)
        if warns is None:
            with pytest.raises(CheckpointError):
                open_trained(path)
        else:
            assert bool(open_trained(path).warnings) is warns
    answer = as_json("predict", '[1, 2, "p"]', "--checkpoint", path, folder=tmp_path, check=6)
    assert answer["errors"][0]["kind"] == "checkpoint"
