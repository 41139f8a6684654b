"""Every config that is shipped: it runs whole, and gives what its first lines say."""

from __future__ import annotations

import csv
import json
import tarfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from statistics import mean
from typing import Any

import pytest
import torch
from sklearn.datasets import load_diabetes
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

import dlcli
from tests.command_line import CONFIGS, as_json
from tests.command_line import dlcli as run_dlcli

EMBEDDED = {  # at least this score on the test part, or on the training part where that is all
    "breast-cancer-mlp": ("accuracy", 0.97),
    "diabetes-linear": ("r2", 0.45),
    "digits-mlp": ("accuracy", 0.97),
    "iris-mlp": ("accuracy", 0.95),
    "line": ("r2", 0.999999),
    "line-textbook": ("r2", 0.999999),
    "perceptron": ("accuracy", 0.92),
    "wine-linear": ("accuracy", 0.94),
}
QUICK_EMBEDDED = {"digits-mlp", "iris-mlp", "line"}
FILES = {  # those that need files, and where these are among the real data sets
    "adult-mlp": {"path": "csv/adult-train.csv", "test_path": "csv/adult-test.csv"},
    "airline-linear": {"path": "series/airline-passengers.csv"},
    "cifar-cnn": {"path": "cifar10/train", "test_path": "cifar10/test"},
    "cifar10-fast": {"path": "cifar10/train", "test_path": "cifar10/test"},
    "etth1-96": {"path": "series/ETTh1.csv"},
    "etth1-gru": {"path": "series/ETTh1.csv"},
    "etth1-multivariate": {"path": "series/ETTh1.csv"},
    "mnist-cnn": {"path": "mnist"},
    "mnist-gru": {"path": "mnist"},
    "mnist-lstm": {"path": "mnist"},
    "mnist-mlp": {"path": "mnist"},
    "movielens-mf": {"path": "recsys/ml-100k-u.data"},
    "movielens-mlp": {"path": "recsys/ml-100k-u.data"},
    "pm25-gru": {"path": "series/beijing-pm25.csv"},
    "shakespeare-lstm": {"path": "text/tinyshakespeare.txt"},
    "sms-cnn": {"path": "text/sms-spam.tsv"},
    "sms-lstm": {"path": "text/sms-spam.tsv"},
    "spoken-digits-cnn": {"path": "recordings"},
    "spoken-digits-gru": {"path": "recordings"},
    "spoken-digits-speaker": {"path": "recordings"},
    "titanic-mlp": {"path": "csv/titanic.csv"},
}
ARCHIVES = {"cifar10": "images/cifar10-12k.tar.gz", "recordings": "audio/free-spoken-digits.tar.gz"}
BLANK = json.dumps({"image": [[0] * 28] * 28})
SHORT = {  # a beginning of each, and something to answer then
    "airline-linear": (["train.epochs=100"], "series/airline-passengers.csv"),
    "cifar-cnn": (["model.channels=[4, 8]", "model.depth=1"], "cifar10/test/cat"),
    "cifar10-fast": (
        ["data.name=image_folder", "data.batch_size=128", "model.channels=[4, 8]", "model.depth=1"],
        "cifar10/test/cat",
    ),
    "etth1-96": (["data.stride=8"], "series/ETTh1.csv"),
    "etth1-gru": (["data.stride=2"], "series/ETTh1.csv"),
    "etth1-multivariate": (["data.stride=8"], "series/ETTh1.csv"),
    "mnist-cnn": (["data.rows=3000", "model.depth=1"], BLANK),
    "mnist-gru": (["data.rows=3000"], BLANK),
    "mnist-lstm": (["data.rows=3000"], BLANK),
    "mnist-mlp": (["data.rows=3000"], BLANK),
    "movielens-mf": (["data.split.folds=null"], '{"user": 196, "item": 242}'),
    "movielens-mlp": ([], '{"user": 196, "item": 242}'),
    "pm25-gru": (["data.stride=24"], "series/beijing-pm25.csv"),
    "shakespeare-lstm": (
        ["model.hidden_size=32", "data.batch_size=64", "train.max_time=20", "train.threads=1"],
        "ROMEO:",
    ),
    "sms-cnn": ([], "You have won a free prize, call now"),
    "sms-lstm": ([], "You have won a free prize, call now"),
    "spoken-digits-cnn": (["model.channels=[8, 16]"], "recordings/7_theo_3.wav"),
    "spoken-digits-gru": (["model.hidden_size=16"], "recordings/7_theo_3.wav"),
    "spoken-digits-speaker": (["model.channels=[8, 16]"], "recordings/7_theo_3.wav"),
}
QUICK = {
    name for name in SHORT if name.startswith(("airline", "etth1", "mnist-mlp", "movielens", "pm"))
}
RISING = {"accuracy"}
SEEDS = 5
STILL_IMPROVING = (1, 2, 3)  # seeds with which the textbook's 500 epochs are too few
DEAD_SEED = 201  # with it, every ReLU of the textbook's network gives 0 on all four rows

Result = dict[str, Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("configs")


@pytest.fixture(scope="module")
def train(folder: Path) -> Callable[..., Result]:
    """Trains a shipped config with words of the command line; what was trained is kept."""

    @cache
    def trained(name: str, *words: str) -> Result:
        return as_json("train", CONFIGS / f"{name}.yaml", *words, folder=folder)

    return trained


@pytest.fixture(scope="module")
def place(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Finds a file of the real data sets; an archive is unpacked when it is first asked for."""
    unpacked = tmp_path_factory.mktemp("unpacked")

    def found(path: str) -> Path:
        top = path.partition("/")[0]
        if top not in ARCHIVES:
            return real_data / path
        if not (unpacked / top).exists():
            with tarfile.open(real_data / ARCHIVES[top]) as archive:
                archive.extractall(unpacked, filter="data")
        return unpacked / path

    return found


def files(name: str, place: Callable[[str], Path]) -> list[str]:
    return [f"data.{key}={place(path)}" for key, path in FILES[name].items()]


def is_said(words: str, result: Result) -> bool:
    return any(words in warning for warning in result["warnings"])


def test_no_config_is_left_out() -> None:
    assert {path.stem for path in CONFIGS.glob("*.yaml")} == {*EMBEDDED, *FILES}
    assert {*SHORT, "adult-mlp", "titanic-mlp"} == {*FILES}


@pytest.mark.parametrize("name", [*EMBEDDED, *FILES])
def test_the_first_lines_say_what_it_gives_and_how_long_it_takes(name: str) -> None:
    lines = (CONFIGS / f"{name}.yaml").read_text().splitlines()
    first = " ".join(lines[: next(i for i, line in enumerate(lines) if line[0] != "#")])
    assert "second" in first
    assert any(character.isdigit() for character in first)


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=() if n in QUICK_EMBEDDED else pytest.mark.slow) for n in EMBEDDED],
)
def test_a_config_gives_what_it_promises(name: str, train: Callable[..., Result]) -> None:
    result = train(name)
    metric, least = EMBEDDED[name]
    scores = result["metrics"]["test"] or result["metrics"]["train"]
    assert scores[metric] >= least
    assert scores[metric] > result["baseline"][metric] + 0.2
    assert not is_said("still improving", result)
    assert not is_said("dead start", result)


def test_the_first_network_predicts_one_number(folder: Path, train: Callable[..., Result]) -> None:
    run = train("line")["run_dir"]
    said = run_dlcli("predict", "3.0", "--checkpoint", run, folder=folder).stdout
    assert float(said) == pytest.approx(6, abs=1e-3)


@pytest.mark.slow
def test_the_first_network_finds_the_line_with_most_seeds(
    folder: Path, train: Callable[..., Result]
) -> None:
    assert (
        sum(reaches_the_line(folder, run) for run in train("line", "--seeds", "20")["runs"]) >= 15
    )


@pytest.mark.slow
def test_the_textbook_finds_the_line_with_few_seeds(
    folder: Path, train: Callable[..., Result]
) -> None:
    runs = train("line-textbook", "--seeds", "20")["runs"]
    assert 1 <= sum(reaches_the_line(folder, run) for run in runs) <= 6


def reaches_the_line(folder: Path, run: Result) -> bool:
    answers = dlcli.load(folder / run["run_dir"]).predict([{"x": float(x)} for x in range(4)])
    return max(abs(answer - 2 * x) for x, answer in enumerate(answers)) <= 1e-3


@pytest.fixture(scope="module")
def textbook(train: Callable[..., Result]) -> list[Result]:
    runs: list[Result] = train("line-textbook", "--seeds", str(SEEDS))["runs"]
    return runs


@pytest.mark.parametrize("seed", range(SEEDS))
def test_the_textbook_equals_its_hand_written_loop_bitwise(
    seed: int, folder: Path, textbook: list[Result]
) -> None:
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(1, 5), nn.ReLU(), nn.Linear(5, 1))
    x = torch.tensor([[0.0], [1.0], [2.0], [3.0]])
    y = torch.tensor([[0.0], [2.0], [4.0], [6.0]])
    criterion = nn.MSELoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _epoch in range(500):
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()

    network = dlcli.load(folder / textbook[seed]["run_dir"]).learner.network
    for mine, theirs in zip(network.parameters(), model.parameters(), strict=True):
        assert torch.equal(mine, theirs)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_run_that_ends_too_early_is_named(seed: int, textbook: list[Result]) -> None:
    words = "still improving: the loss was falling when training ended after 500 epochs"
    assert is_said(words, textbook[seed]) is (seed in STILL_IMPROVING)
    assert not is_said("dead start", textbook[seed])


def test_a_start_with_every_relu_dead_is_named_and_learns_one_answer(
    folder: Path, train: Callable[..., Result]
) -> None:
    result = train("line-textbook", "--seed", str(DEAD_SEED), "train.epochs=20")
    assert is_said("dead start: every ReLU of `body.layers.0.1` gives 0", result)
    assert is_said(f"take another `seed` than {DEAD_SEED}", result)
    answers = dlcli.load(folder / result["run_dir"]).predict([{"x": x} for x in (0.0, 1.0, 3.0)])
    assert len(set(answers)) == 1


def test_the_linear_model_keeps_up_with_ridge_regression(
    folder: Path, train: Callable[..., Result]
) -> None:
    result = train("diabetes-linear")
    data = load_diabetes(scaled=False)
    theirs = []
    for run in result["runs"]:
        rows = json.loads((folder / run["run_dir"] / "splits.json").read_text())
        ridge = make_pipeline(StandardScaler(), RidgeCV())
        ridge.fit(data.data[rows["train"]], data.target[rows["train"]])
        theirs.append(ridge.score(data.data[rows["test"]], data.target[rows["test"]]))
    assert result["metrics"]["test"]["r2"] >= mean(theirs) - 0.02


@pytest.mark.slow
@pytest.mark.realdata
def test_titanic(place: Callable[[str], Path], train: Callable[..., Result]) -> None:
    result = train("titanic-mlp", *files("titanic-mlp", place))
    assert len(result["runs"]) == 5
    assert result["metrics"]["test"]["accuracy"] >= 0.80
    assert result["baseline"]["accuracy"] == pytest.approx(0.616, abs=1e-3)


@pytest.mark.slow
@pytest.mark.realdata
def test_adult(folder: Path, place: Callable[[str], Path], train: Callable[..., Result]) -> None:
    result = train("adult-mlp", *files("adult-mlp", place), "--seeds", "5")
    assert result["metrics"]["test"]["accuracy"] >= 0.868
    assert result["baseline"]["accuracy"] == pytest.approx(0.7638, abs=1e-4)

    run = result["runs"][0]
    file = place("csv/adult-test.csv")
    run_dlcli(
        "predict", file, "--checkpoint", run["run_dir"], "--output", "adult.csv", folder=folder
    )
    with (folder / "adult.csv").open() as written:
        answers = [row["prediction"] for row in csv.DictReader(written)]
    truths = [line.rsplit(", ", 1)[1].strip(".") for line in file.read_text().split("\n") if line]
    assert len(answers) == len(truths) == 16_281
    right = mean(answer == truth for answer, truth in zip(answers, truths, strict=True))
    assert right == pytest.approx(run["metrics"]["test"]["accuracy"])


@pytest.mark.realdata
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in SHORT],
)
def test_a_config_of_real_data_beats_its_baseline_in_a_short_time_and_answers(
    name: str, folder: Path, place: Callable[[str], Path]
) -> None:
    words, given = SHORT[name]
    short = [*files(name, place), "train.epochs=2", "train.early_stopping=null", *words]
    result = as_json("train", CONFIGS / f"{name}.yaml", *short, folder=folder)
    baseline = result["baseline"]
    metric = next(key for key in baseline if key not in {"name", "part"})
    score = result["metrics"][baseline["part"]][metric]
    assert (score > baseline[metric]) if metric in RISING else (score < baseline[metric])

    is_file = "/" in given and "{" not in given
    said = run_dlcli(
        "predict",
        place(given) if is_file else given,
        "--checkpoint",
        result["run_dir"],
        folder=folder,
    ).stdout
    assert said.strip()
