"""Several runs of one config, and what a run directory holds."""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import pytest

from dlcli.commands.outcome import Outcome
from dlcli.commands.repeat import repeat
from dlcli.progress import Talk, number
from tests.command_line import as_json, dlcli

IRIS = "data: iris\nmodel: {name: mlp, hidden_sizes: [8]}\noptimizer: {name: adamw, lr: 1e-2}\n"
PARTS = ("train", "val", "test")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("train")
    (folder / "iris.yaml").write_text(IRIS + "train: {epochs: 3}\n")
    return folder


@pytest.fixture(scope="module")
def seeds(folder: Path) -> dict[str, Any]:
    return as_json("train", "iris.yaml", "--seeds", "3", "--seed", "7", folder=folder)


@pytest.fixture(scope="module")
def folds(folder: Path) -> dict[str, Any]:
    return as_json("train", "iris.yaml", "data.split.folds=3", folder=folder)


def splits(folder: Path, run: dict[str, Any]) -> dict[str, list[int]]:
    """Return the row numbers of each part of a run."""
    found: dict[str, list[int]] = json.loads((folder / run["run_dir"] / "splits.json").read_text())
    return found


@pytest.mark.parametrize("kind", ["seeds", "folds"])
def test_mean_and_deviation_are_those_of_the_runs(
    kind: str, request: pytest.FixtureRequest
) -> None:
    result = request.getfixturevalue(kind)
    assert result["status"] == "ok"
    assert len(result["runs"]) == 3
    for part in PARTS:
        for name, value in result["metrics"][part].items():
            values = [run["metrics"][part][name] for run in result["runs"]]
            assert value == pytest.approx(mean(values))
            assert result["std"][part][name] == pytest.approx(stdev(values))
    assert len({run["metrics"]["test"]["loss"] for run in result["runs"]}) == 3
    accuracies = [run["baseline"]["accuracy"] for run in result["runs"]]
    assert result["baseline"]["accuracy"] == pytest.approx(mean(accuracies))
    assert result["baseline"]["name"] == "majority class"


def test_seeds_share_their_rows_and_name_their_runs(folder: Path, seeds: dict[str, Any]) -> None:
    first, *others = [splits(folder, run) for run in seeds["runs"]]
    assert all(other == first for other in others)
    assert sorted(chain(*first.values())) == list(range(150))
    names = [Path(run["run_dir"]).name[16:] for run in seeds["runs"]]
    assert names == ["iris-seed7", "iris-seed8", "iris-seed9"]
    resolved = folder / seeds["runs"][1]["run_dir"] / "resolved.yaml"
    assert "seed: 8\n" in resolved.read_text()


def test_one_of_several_seeds_is_the_run_of_that_seed(folder: Path, seeds: dict[str, Any]) -> None:
    alone = as_json("train", "iris.yaml", "--seed", "8", folder=folder)
    assert alone["metrics"] == seeds["runs"][1]["metrics"]
    paths = [folder / run["checkpoint"] for run in (alone, seeds["runs"][1])]
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_folds_partition_the_rows(folder: Path, folds: dict[str, Any]) -> None:
    parts = [splits(folder, run) for run in folds["runs"]]
    assert sorted(chain(*(part["test"] for part in parts))) == list(range(150))
    for part in parts:
        assert sorted(chain(*part.values())) == list(range(150))
        assert [len(part["test"]), len(part["val"])] == [50, 15]


def test_fewer_seeds_than_folds_train_the_first_folds(folder: Path, folds: dict[str, Any]) -> None:
    words = ["train", "iris.yaml", "data.split.folds=3", "--seeds"]
    result = as_json(*words, "2", folder=folder)
    losses = [run["metrics"]["test"]["loss"] for run in folds["runs"][:2]]
    assert [run["metrics"]["test"]["loss"] for run in result["runs"]] == losses
    answer = as_json(*words, "4", folder=folder, check=3)
    assert answer["errors"][0]["suggestion"] == "--seeds 3 or fewer"


def test_the_table_of_several_runs_shows_mean_and_deviation(folder: Path) -> None:
    done = dlcli("train", "iris.yaml", "--seeds", "2", folder=folder)
    assert "2 runs" in done.stdout
    (line,) = [line for line in done.stdout.splitlines() if line.strip().startswith("accuracy")]
    assert line.count("±") == 4


FAILING = """\
from torch.nn import functional as F

calls = 0

def loss(outputs, targets):
    global calls
    calls += outputs.requires_grad
    {failure}
    return F.cross_entropy(outputs, targets)
"""


@pytest.mark.parametrize(
    ("failure", "code"),
    [("if calls > 20: outputs = outputs / 0", 5), ("assert calls <= 20", 1)],
)
def test_a_run_that_fails_loses_none_of_those_before_it(
    failure: str, code: int, tmp_path: Path
) -> None:
    """An epoch has 8 steps, so the third of three runs fails."""
    (tmp_path / "own.py").write_text(FAILING.format(failure=failure))
    (tmp_path / "c.yaml").write_text(
        "data: {name: iris, batch_size: 16}\nmodel: linear\nloss: own.py:loss\ntrain: {epochs: 1}\n"
    )
    words = ["train", "c.yaml", "--seeds", "4", "--trust-code"]
    done = dlcli(*words, folder=tmp_path, check=code)
    assert "2 of 4 runs were complete (runs/" in done.stderr
    assert "those after the failed one were not begun" in done.stderr
    assert "2 runs" in done.stdout
    answer = as_json(*words, folder=tmp_path, check=code)
    assert (answer["status"], answer["code"], len(answer["errors"])) == ("error", code, 1)
    assert [run["metrics"]["test"]["loss"] > 0 for run in answer["runs"]] == [True, True]


def test_a_run_directory_holds_what_it_promises(folder: Path) -> None:
    (folder / "copy.yaml").write_text("# a remark\n" + IRIS + "train: {epochs: 2}\n")
    result = as_json("train", "copy.yaml", "optimizer.lr=3e-3", folder=folder)
    run = folder / result["run_dir"]
    assert (run / "config.yaml").read_text() == (folder / "copy.yaml").read_text()
    facts = json.loads((run / "run.json").read_text())
    assert facts["status"] == "finished"
    assert facts["result"]["metrics"] == result["metrics"]
    assert facts["parameters"] == 4 * 8 + 8 + 8 * 3 + 3
    assert set(facts["versions"]) >= {"dlcli", "torch", "python"}
    assert facts["started"] < facts["ended"]
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [1, 2]
    assert rows[-1]["lr"] == 3e-3
    # The resolved config is a config: it trains to the same weights.
    (folder / "again.yaml").write_text((run / "resolved.yaml").read_text())
    again = as_json("train", "again.yaml", folder=folder)
    assert again["metrics"] == result["metrics"]


@pytest.mark.parametrize(("split", "part"), [("{}", ""), ("{test: 0}", " --split val")])
def test_the_next_command_is_one_that_works(split: str, part: str, tmp_path: Path) -> None:
    (tmp_path / "iris.yaml").write_text(
        f"data: {{name: iris, split: {split}}}\nmodel: linear\ntrain: {{epochs: 1}}\n"
    )
    said = dlcli("train", "iris.yaml", folder=tmp_path).stderr
    command = said.split("next: dlcli ")[1].splitlines()[0]
    assert command.endswith(f"-iris{part}")
    dlcli(*command.split(), folder=tmp_path)


@pytest.mark.parametrize(
    ("words", "command"), [([], "train --resume"), (["--seeds", "2"], "evaluate")]
)
def test_no_epoch_in_time_measures_nothing_and_names_the_last_step(
    words: list[str], command: str, folder: Path
) -> None:
    stopped = ["train", "iris.yaml", "--max-time", "1e-9", "--runs-dir", "stopped", *words]
    result = as_json(*stopped, folder=folder)
    assert result["metrics"] == dict.fromkeys(PARTS)
    assert result["baseline"] is None
    said = next(text for text in result["warnings"] if "epoch" in text)
    assert "no epoch was completed in 1e-09 seconds (`train.max_time`)" in said
    runs = result.get("runs", [result])
    assert [(run["epochs"], run["best_epoch"], run["stop_reason"]) for run in runs] == [
        (0, 0, "max_time") for _ in runs
    ]
    assert all(run["checkpoint"].endswith("last.safetensors") for run in runs)
    shown = dlcli(*stopped, folder=folder)
    assert "best epoch" not in shown.stdout + shown.stderr
    assert "is after step 1, and nothing was measured" in shown.stderr
    assert f"dlcli {command} stopped/" in shown.stderr


def test_runs_without_a_whole_epoch_are_left_out_of_the_mean() -> None:
    measured = {"metrics": {"train": {"loss": 1.0}}, "baseline": {"name": "mean", "part": "train"}}
    nothing = {"metrics": {"train": None}, "baseline": None}
    common = {"seconds": 1.0, "warnings": [], "run_dir": "runs/r"}
    runs = [nothing | common, measured | common]
    result = repeat(lambda offset: Outcome(runs[offset], print), 2, Talk(is_quiet=True)).data
    assert result["metrics"]["train"] == {"loss": 1.0}
    assert result["baseline"] == {"name": "mean", "part": "train"}


def test_a_model_worse_than_its_baseline_is_warned_of(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("x,y\n" + "".join(f"{x},{1000 + x % 7}\n" for x in range(60)))
    (tmp_path / "x.yaml").write_text(
        "task: regression\ndata: {name: table, path: x.csv, target: y}\nmodel: linear\n"
        "optimizer: {name: sgd, lr: 1e-9}\ntrain: {epochs: 1}\n"
    )
    result = as_json("train", "x.yaml", folder=tmp_path)
    metric = next(key for key in result["baseline"] if key not in {"name", "part"})
    own, least = result["metrics"]["test"][metric], result["baseline"][metric]
    assert own > least
    assert (
        f"worse than `mean` on the test part: {metric} {number(own)} against {number(least)}"
        in (" ".join(result["warnings"]))
    )
