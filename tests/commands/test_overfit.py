"""`train --overfit-batches`: a real run on its first batches alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.command_line import as_json, dlcli

DIGITS = (
    "data: {name: digits, batch_size: 16, augment: {crop: 1}}\n"
    "model: {name: mlp, hidden_sizes: [64]}\noptimizer: {name: adamw, lr: 1e-2}\n"
    "train: {epochs: 30}\n"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("overfit")
    (folder / "d.yaml").write_text(DIGITS)
    return folder


def test_a_run_learns_its_batches_and_says_that_it_saw_no_more(folder: Path) -> None:
    done = dlcli("train", "d.yaml", "--overfit-batches", "2", "--json", folder=folder)
    assert "overfitting: 32 rows alone (2 x 16, without augmentation)" in done.stderr
    result = json.loads(done.stdout)
    assert result["metrics"]["train"] == result["metrics"]["val"]
    assert result["metrics"]["test"] is None
    assert result["metrics"]["train"]["accuracy"] == 1
    run = folder / result["run_dir"]
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert rows[-1]["step"] == 30 * 2
    real = as_json("evaluate", result["run_dir"], "--split", "val", folder=folder)
    assert real["rows"] == 180
    assert real["metrics"]["accuracy"] < 1


@pytest.mark.slow
def test_it_resumes_on_the_same_rows_bitwise(folder: Path) -> None:
    for place, words in (("whole", []), ("cut", ["--max-time", "1e-6"])):
        dlcli(
            "train", "d.yaml", "--overfit-batches", "3", "train.epochs=4", *words,
            "--runs-dir", place, folder=folder,
        )  # fmt: skip
    dlcli("train", "--resume", "latest", "--runs-dir", "cut", "train.max_time=null", folder=folder)
    files = [next((folder / place).glob("*/checkpoints/last*")) for place in ("whole", "cut")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_it_is_not_for_a_resume(folder: Path) -> None:
    words = ["train", "--resume", "latest", "--overfit-batches", "2"]
    answer = as_json(*words, folder=folder, check=2)
    assert "--overfit-batches" in answer["errors"][0]["message"]
