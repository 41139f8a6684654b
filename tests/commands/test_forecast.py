"""`dlcli predict` and `evaluate` of a series: the right rows, with their times."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import dlcli as package
from dlcli.data.spec import DataSpec, Field, Window
from dlcli.models.network import Anchored, PerChannel
from dlcli.tasks.forecasting import Forecasting
from tests.command_line import as_json, dlcli

ROWS = 80
CONFIG = """\
name: {name}
data: {{name: series, path: {name}.csv, target: {target}, past: 8, horizon: 4, {more}
  split: {{val: 10, test: 12}}}}
model: linear
optimizer: {{name: adam, lr: 1e-2}}
train: {{epochs: 40}}
"""


def table(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def line(rows: int, first: int = 0) -> list[dict[str, Any]]:
    """A value that is its row's number, and one that is its double, hour by hour."""
    start = np.datetime64("2024-02-28T20")
    return [
        {"time": str(start + row).replace("T", " ") + ":00:00", "a": row, "b": 1000 - 2 * row}
        for row in range(first, first + rows)
    ]


def answered(folder: Path, *words: object) -> list[dict[str, str]]:
    done = dlcli("predict", *words, "--quiet", folder=folder)
    return list(csv.DictReader(done.stdout.splitlines()))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three trained models: of one target, of two, and of one with known rows."""
    folder = tmp_path_factory.mktemp("forecast")
    table(folder / "one.csv", [{"time": r["time"], "a": r["a"]} for r in line(ROWS)])
    table(folder / "two.csv", line(ROWS))
    known = [row | {"b": row["a"] % 3, "a": 10 * (row["a"] % 3)} for row in line(ROWS)]
    table(folder / "known.csv", known)
    for name, target, more in (
        ("one", "a", "calendar: [hour],"),
        ("two", "[a, b]", "per_channel: true,"),
        ("known", "a", "known: [b], subtract_last: false,"),
    ):
        config = CONFIG.format(name=name, target=target, more=more)
        (folder / f"{name}.yaml").write_text(config)
        dlcli("train", f"{name}.yaml", "--quiet", folder=folder)
    return folder


def test_forecasts_follow_the_last_row_with_their_times(folder):
    found = answered(folder, "one.csv", "--checkpoint", "one")
    assert list(found[0]) == ["time", "prediction"]
    assert [row["time"] for row in found] == [row["time"] for row in line(4, ROWS)]
    told = [float(row["prediction"]) for row in found]
    assert told == pytest.approx([80, 81, 82, 83], abs=0.5)


def test_a_longer_horizon_goes_on_from_its_own_forecasts_and_a_shorter_one_cuts(folder):
    whole = answered(folder, "two.csv", "--checkpoint", "two")
    more = answered(folder, "two.csv", "--checkpoint", "two", "--horizon", 10)
    assert list(more[0]) == ["time", "prediction_a", "prediction_b"]
    assert [row["time"] for row in more] == [row["time"] for row in line(10, ROWS)]
    assert more[:4] == whole
    assert answered(folder, "two.csv", "--checkpoint", "two", "--horizon", 3) == whole[:3]
    told = [[float(row[f"prediction_{name}"]) for row in more] for name in "ab"]
    assert told[0] == pytest.approx(range(80, 90), abs=2)
    assert told[1] == pytest.approx([1000 - 2 * row for row in range(80, 90)], abs=4)

    again = line(ROWS) + [
        row | {"a": row_told["prediction_a"], "b": row_told["prediction_b"]}
        for row, row_told in zip(line(4, ROWS), whole, strict=True)
    ]
    table(folder / "again.csv", again)
    follow = answered(folder, "again.csv", "--checkpoint", "two")
    for row, expected in zip(follow, more[4:8], strict=True):
        assert float(row["prediction_a"]) == pytest.approx(
            float(expected["prediction_a"]), rel=1e-4
        )


def test_only_the_last_rows_matter_and_records_do_as_well(folder):
    whole = answered(folder, "two.csv", "--checkpoint", "two")
    records = [json.dumps(row) for row in line(8, ROWS - 8)]
    assert answered(folder, *records, "--checkpoint", "two") == whole
    found = json.loads(
        dlcli("predict", *records, "--checkpoint", "two", "--format", "json", folder=folder).stdout
    )
    assert found[0]["time"] == whole[0]["time"]
    assert found[0]["prediction"] == [float(whole[0][f"prediction_{name}"]) for name in "ab"]


@pytest.mark.parametrize("words", [[], ["--backtest"]])
def test_several_files_have_a_forecast_each_that_names_its_file(folder, words):
    table(folder / "other.csv", [{"time": r["time"], "a": r["a"]} for r in line(ROWS, 30)])
    files = ["one.csv", "other.csv"]
    alone = [answered(folder, file, "--checkpoint", "one", *words) for file in files]
    found = answered(folder, *files, "--checkpoint", "one", *words)
    assert found == [
        {"file": file} | row for file, rows in zip(files, alone, strict=True) for row in rows
    ]
    assert next(iter(found[0])) == "file"


def test_a_backtest_stands_beside_what_came(folder):
    found = answered(folder, "two.csv", "--checkpoint", "two", "--backtest", "--horizon", 3)
    names = ["origin", "time", "actual_a", "actual_b", "prediction_a", "prediction_b"]
    assert list(found[0]) == names
    rows = {row["time"]: row for row in line(ROWS)}
    assert len(found) == (ROWS - 8) // 3 * 3
    assert found[-1]["time"] == line(ROWS)[-1]["time"]
    for index, row in enumerate(found):
        came = [rows[row["time"]][name] for name in "ab"]
        assert [float(row["actual_a"]), float(row["actual_b"])] == pytest.approx(came, rel=1e-6)
        assert float(row["prediction_a"]) == pytest.approx(float(row["actual_a"]), abs=1)
        hours = np.datetime64(row["time"].replace(" ", "T")) - np.datetime64(
            row["origin"].replace(" ", "T")
        )
        assert hours == np.timedelta64(index % 3 + 1, "h")


def test_what_is_known_ahead_is_read_from_rows_without_targets(folder):
    ahead = [row | {"a": "", "b": row["a"] % 3} for row in line(4, ROWS)]
    past = [row | {"a": 10 * (row["a"] % 3), "b": row["a"] % 3} for row in line(20, ROWS - 20)]
    table(folder / "future.csv", past + ahead)
    found = answered(folder, "future.csv", "--checkpoint", "known")
    assert [row["time"] for row in found] == [row["time"] for row in ahead]
    told = [float(row["prediction"]) for row in found]
    assert told == pytest.approx([10 * row["b"] for row in ahead], abs=2)

    other = [row | {"b": 0} for row in ahead]
    table(folder / "other.csv", past + other)
    assert answered(folder, "other.csv", "--checkpoint", "known") != found


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["short.csv", "--checkpoint", "one"], 4, "5 rows with a target, and a forecast looks ba"),
        (["short.csv", "--checkpoint", "one", "--backtest"], 4, "`past: 8` and `horizon: 4`"),
        (["known.csv", "--checkpoint", "known"], 4, "the forecast needs `b` for 4 rows ahead"),
        (["one.csv", "--checkpoint", "one", "--backtest", "--horizon", "5"], 2, "at most 4 rows"),
        (["days.csv", "--checkpoint", "one"], 4, "rows are 1 day apart, those of the training 1 h"),
        (["two.csv", "--checkpoint", "two", "--length", "5"], 2, "--length is for language_model"),
    ],
)
def test_what_cannot_be_forecast_is_refused_in_one_line(folder, words, code, message):
    table(folder / "short.csv", line(5))
    table(folder / "days.csv", [{"time": f"2024-01-{day}", "a": day} for day in range(10, 20)])
    done = dlcli("predict", *words, folder=folder, check=code)
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_evaluate_stands_beside_naive_and_draws_forecasts(folder):
    found = as_json("evaluate", "two", folder=folder)
    assert found["rows"] == 12 - 4 + 1
    (naive,) = found["baselines"]
    assert naive["name"] == "naive"
    # A line that rises by 1 and one that falls by 2: the last value is off by 1, 2, 3 and 4 steps.
    assert naive["mae"] == pytest.approx(2.5 * 1.5)
    assert naive["rmse"] == pytest.approx(np.sqrt(7.5) * 1.5)
    assert found["metrics"]["mae"] < naive["mae"]
    assert found["intervals"] == {}
    assert list((folder / "runs").glob("*two/evaluation/test/forecasts.png"))
    file = as_json("evaluate", "two", "--data", "two.csv", folder=folder)
    assert file["rows"] == ROWS - 8 - 4 + 1


def test_training_names_its_windows(folder):
    done = dlcli("train", "one.yaml", "train.epochs=1", "name=again", folder=folder)
    assert "data: series, windows: 47 train, 7 val, 9 test" in done.stderr


def test_a_network_of_zeros_that_is_anchored_is_the_naive_forecast(folder):
    model = package.load(sorted((folder / "runs").glob("*-one"))[0])
    network = model.learner.network
    assert isinstance(network, Anchored)
    for parameter in network.parameters():
        nn.init.zeros_(parameter)
    task = model.learner.task
    assert isinstance(task, Forecasting)
    numbers = torch.randn(5, 8, 3)
    outputs = network({"numbers": numbers, "known": torch.randn(5, 4, 2)})
    assert torch.equal(outputs, numbers[:, -1:, :1].expand(5, 4, 1))


def test_a_linear_map_per_channel_is_that_map_of_each():
    torch.manual_seed(0)
    layer = nn.Linear(8, 4)

    class Map(nn.Module):
        def forward(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
            return layer(inputs["numbers"][:, :, 0]).unsqueeze(2)

    numbers = torch.randn(5, 8, 3)
    outputs = PerChannel(Map(), targets=(2, 0), kept=())({"numbers": numbers})
    for place, column in enumerate((2, 0)):
        assert torch.allclose(outputs[:, :, place], layer(numbers[:, :, column]))
    one = DataSpec(
        (Field("a", "number", (1,)), Field("h", "number", (1,))),
        (Field("a", "number", (1,)),),
        Window(8, 4, known=("h",), targets=(0,)),
    ).one_channel()
    assert (len(one.inputs), one.known_columns) == (2, (1,))
