"""Series as examples: windows equal slices, no part reaches another, gaps are filled aloud."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcli.config.data import SeriesOptions
from dlcli.data.encoders.number import NumberEncoder
from dlcli.data.examples import WindowExamples
from dlcli.data.prepare import Prepared, prepare, restore
from dlcli.data.preprocessor import Preprocessor
from dlcli.data.sources.series import open_series
from dlcli.errors import ConfigError, DataError

PAST, HORIZON = 6, 3
ROWS = 60
BASE = {"path": "s.csv", "target": "y", "past": PAST, "horizon": HORIZON, "batch_size": 4}
Columns = dict[str, list[Any]]


def columns(rows: int = ROWS) -> Columns:
    hours = np.arange("2024-01-01T00", rows, dtype="datetime64[h]")
    random = np.random.default_rng(0)
    return {
        "time": [str(hour).replace("T", " ") + ":00" for hour in hours],
        "y": random.standard_normal(rows).round(3).tolist(),
        "x": (100 + 10 * random.standard_normal(rows)).round(3).tolist(),
        "wind": random.choice(["N", "S"], rows).tolist(),
        "holiday": (np.arange(rows) % 7 == 0).astype(int).tolist(),
    }


def write(folder: Path, given: Columns, name: str = "s.csv") -> None:
    lines = [",".join(given)] + [
        ",".join("" if cell is None else str(cell) for cell in row)
        for row in zip(*given.values(), strict=True)
    ]
    (folder / name).write_text("\n".join(lines) + "\n")


def prepared(folder: Path, given: Columns | None = None, **options: Any) -> Prepared:
    write(folder, columns() if given is None else given)
    chosen = SeriesOptions.model_validate(BASE | options)
    return prepare(open_series(chosen, folder), chosen, task=None)


def test_a_constant_input_of_a_series_is_told_by_an_option_that_a_series_has(tmp_path):
    given = columns()
    given["same"] = [7] * len(next(iter(given.values())))
    said = " ".join(prepared(tmp_path, given, inputs=["same"]).warnings)
    assert "of no use: same (`inputs` names the columns to use)" in said
    assert "drop" not in said


def windows(found: Prepared, part: str) -> WindowExamples:
    examples = found.examples[part]
    assert isinstance(examples, WindowExamples)
    return examples


def scaled(found: Prepared, given: Columns, name: str) -> np.ndarray:
    encoder = found.preprocessor.inputs[name]
    assert isinstance(encoder, NumberEncoder)
    values = (np.array(given[name], float) - encoder.shift) / encoder.scale
    return values.astype(np.float32)


@settings(max_examples=25, deadline=None)
@given(
    past=st.integers(1, 8),
    horizon=st.integers(1, 5),
    stride=st.integers(1, 4),
    val=st.integers(5, 12),
    test=st.integers(5, 12),
)
def test_windows_equal_slices(tmp_path_factory, past, horizon, stride, val, test):
    given = columns()
    sizes = {"past": past, "horizon": horizon, "stride": stride}
    split = {"val": val, "test": test}
    found = prepared(tmp_path_factory.mktemp("s"), given, **sizes, known=["holiday"], split=split)
    numbers = np.stack([scaled(found, given, name) for name in ("y", "x", "holiday")], 1)
    begin = ROWS - val - test
    expected = {
        "train": range(past, begin - horizon + 1, stride),
        "val": range(begin, begin + val - horizon + 1),
        "test": range(begin + val, ROWS - horizon + 1),
    }
    for part, starts in expected.items():
        examples = found.examples[part]
        assert len(examples) == len(starts)
        batch = examples.slice(0, len(starts))
        for index, start in enumerate(starts):
            assert np.array_equal(batch.inputs["numbers"][index], numbers[start - past : start])
            ahead = slice(start, start + horizon)
            assert np.array_equal(batch.inputs["known"][index], numbers[ahead, 2:])
            assert np.array_equal(batch.targets[index], numbers[ahead, :1])


def test_categories_stand_in_every_row(tmp_path):
    given = columns()
    found = prepared(tmp_path, given)
    wind = found.preprocessor.inputs["wind"]
    batch = found.examples["train"].slice(5, 6)
    assert wind.decode(batch.inputs["categories"][0, :, 0]) == given["wind"][5 : 5 + PAST]


def test_every_window_is_a_view_of_rows_that_are_held_once(tmp_path):
    found = prepared(tmp_path, calendar=["hour"], known=["holiday"])
    starts = {part: windows(found, part).inputs["numbers"].data_ptr() for part in found.examples}
    assert len(set(starts.values())) == 1
    train = windows(found, "train")
    assert train.known is not None
    memory = train.inputs["numbers"].untyped_storage().data_ptr()
    assert train.rows.untyped_storage().data_ptr() == memory
    assert train.known.untyped_storage().data_ptr() == memory
    assert train.inputs["numbers"].untyped_storage().nbytes() == 4 * ROWS * 5


@pytest.mark.parametrize("scaling", ["standard", "robust", "min_max"])
def test_nothing_of_val_and_test_reaches_the_fit_or_a_training_window(tmp_path, scaling):
    given = columns()
    for name in ("y", "x"):
        given[name][46:49] = [None] * 3  # the last rows of train and the first one of val
    found = prepared(tmp_path, given, scaling=scaling)
    for name in ("y", "x"):
        given[name][48:] = [1e9] * 12
    other = prepared(tmp_path, given, scaling=scaling)

    assert found.preprocessor.state() == other.preprocessor.state()
    every = [one.examples["train"].slice(0, len(one.examples["train"])) for one in (found, other)]
    assert torch.equal(every[0].targets, every[1].targets)
    assert all(torch.equal(every[0].inputs[n], every[1].inputs[n]) for n in every[0].inputs)


def test_scaling_is_that_of_the_training_rows(tmp_path):
    given = columns()
    found = prepared(tmp_path, given, split={"val": 10, "test": 10})
    train = np.array(given["y"][:40])
    encoder = found.preprocessor.inputs["y"]
    assert (encoder.shift, encoder.scale) == pytest.approx((train.mean(), train.std()))
    assert found.preprocessor.targets["y"] is encoder


def test_missing_values_are_lines_and_missing_targets_are_not_scored(tmp_path):
    given = columns() | {"y": [float(row) for row in range(ROWS)]}
    given["y"][0] = given["y"][20] = given["y"][21] = given["y"][50] = None
    found = prepared(tmp_path, given, split={"val": 0, "test": 20})
    rows = windows(found, "train").rows[:, 0].double()
    encoder = found.preprocessor.inputs["y"]
    values = rows * encoder.scale + encoder.shift
    assert values[19:23].tolist() == pytest.approx([19, 20, 21, 22], abs=1e-4)
    assert values[0].item() == pytest.approx(1, abs=1e-4)
    assert values[50].item() == pytest.approx(50, abs=1e-4)
    first = windows(found, "test").take(torch.arange(len(found.examples["test"]))).targets[:, 0, 0]
    told = (first * encoder.scale + encoder.shift).round().int().tolist()
    # Nor is a window whose past ends in row 50, where a line leads to what is to be told.
    assert told == [row for row in range(40, 58) if row not in (48, 49, 50, 51)]
    (warning,) = found.warnings
    assert "4 values (`y` 4); windows left out of scores for that: 4 of test" in warning


def test_missing_rows_are_filled_and_counted(tmp_path):
    given = columns() | {"y": [float(row) for row in range(ROWS)]}
    kept = [row for row in range(ROWS) if row not in (30, 31)]
    short = {name: [cells[row] for row in kept] for name, cells in given.items()}
    found = prepared(tmp_path, short, split={"val": 0, "test": 0})
    train = windows(found, "train")
    encoder = found.preprocessor.inputs["y"]
    values = train.rows[:, 0].double() * encoder.scale + encoder.shift
    assert values.tolist() == pytest.approx(given["y"], abs=1e-4)
    assert train.inputs["categories"][30, 0] == 0
    assert found.rows["train"].tolist() == list(range(58))
    assert any("2 rows in time" in warning for warning in found.warnings)
    with pytest.raises(DataError, match=r"rows are 1 hour apart, and 2 of 60 are missing, the fi"):
        prepared(tmp_path, short, gaps="refuse")


def test_missing_values_can_be_refused(tmp_path):
    given = columns()
    given["x"][7] = None
    with pytest.raises(DataError, match=r"s.csv: 1 value \(`x` 1\) is missing, the first in row 8"):
        prepared(tmp_path, given, gaps="refuse")


def test_a_part_without_a_window_that_can_be_scored_is_refused(tmp_path):
    given = columns()
    given["y"][48:60:2] = [None] * 6
    with pytest.raises(DataError, match="none of 4 windows of the val part can be scored"):
        prepared(tmp_path, given)


@pytest.mark.parametrize(
    ("rows", "split", "message"),
    [
        (8, {}, "s.csv has 8 rows, and a window takes 9: `past: 6` and `horizon: 3`"),
        (12, {"val": 2, "test": 2}, "the train part has 8 rows of 12, and a window takes 9"),
        (30, {"val": 2, "test": 3}, "the val part has 2 rows of 30, fewer than the `horizon` of 3"),
    ],
)
def test_too_few_rows_for_a_window_are_refused(tmp_path, rows, split, message):
    with pytest.raises(DataError, match=message):
        prepared(tmp_path, columns(rows), split=split)


def test_an_exponential_answer_and_a_last_value_are_refused_together(tmp_path):
    write(tmp_path, columns())
    options = SeriesOptions.model_validate(BASE)
    with pytest.raises(ConfigError, match="no last value can be added"):
        prepare(open_series(options, tmp_path), options, task=None, scale_targets=False)
    plain = options.model_copy(update={"subtract_last": False})
    found = prepare(open_series(plain, tmp_path), plain, task=None, scale_targets=False)
    assert found.preprocessor.targets["y"].scale == 1.0
    assert found.preprocessor.inputs["x"].scale != 1.0


def test_the_parts_are_made_again_from_a_stored_preprocessor(tmp_path):
    given = columns()
    given["y"][58] = None
    found = prepared(tmp_path, given, calendar=["hour", "month"], known=["holiday"])
    options = SeriesOptions.model_validate(
        BASE | {"calendar": ["hour", "month"], "known": ["holiday"]}
    )
    stored = Preprocessor.from_state(found.preprocessor.state())
    again = restore(
        open_series(options, tmp_path), options, preprocessor=stored, task="forecasting"
    )
    assert stored == found.preprocessor
    ours, theirs = (one.slice(0, len(one)) for one in (again["test"], found.examples["test"]))
    assert torch.equal(ours.targets, theirs.targets)
    assert all(torch.equal(ours.inputs[name], theirs.inputs[name]) for name in theirs.inputs)


def test_what_is_known_ahead_are_the_last_columns(tmp_path):
    found = prepared(tmp_path, known=["holiday"], calendar=["hour"])
    spec = found.preprocessor.spec
    assert [field.name for field in spec.blocks["numbers"]] == [
        *("y", "x", "holiday", "hour_sin", "hour_cos")
    ]
    assert spec.known_columns == (2, 3, 4)
    assert spec.window is not None
    assert (spec.window.time, spec.window.step) == (("time",), ("microseconds", 3_600_000_000))
    assert (spec.window.targets, spec.window.season) == ((0,), 0)
    assert prepared(tmp_path, past=24).preprocessor.window.season == 24
    assert prepared(tmp_path, season=4).preprocessor.window.season == 4


def test_a_part_that_begins_after_the_last_row_is_refused(tmp_path):
    message = "no row is of 2025-01-01 or later: the last one is of 2024-01-03 11:00"
    with pytest.raises(ConfigError, match=message):
        prepared(tmp_path, columns(), split={"test": "2025-01-01"})


def test_times_that_are_no_dates_are_not_taken_for_categories(tmp_path):
    given = columns()
    given["time"][7] = "not a date"
    found = prepared(tmp_path, given)
    assert "time" not in found.preprocessor.inputs
    assert any("left out, another text in each row: time" in said for said in found.warnings)
    assert any("rows are counted" in said for said in found.warnings)
