"""Files of series: which column is what, and what is refused with its place in the config."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pa_parquet
import pytest

from dlcli.config.data import SeriesOptions
from dlcli.config.read import read_config
from dlcli.data.sources.series import SeriesSource, open_series
from dlcli.data.sources.source import Sources
from dlcli.errors import ConfigError, DataError

TEXT = "No,day,y,x,wind,note,lost\n" + "\n".join(
    f"{i},2024-01-{i:02},{i}.5,{10 - i},{'NS'[i % 2]},a note that is different every day: {i * i},"
    for i in range(1, 25)
)


def opened(folder: Path, text: str = TEXT, **options: Any) -> Sources:
    (folder / "s.csv").write_text(text)
    return open_series(
        SeriesOptions.model_validate({"path": "s.csv", "target": "y"} | options), folder
    )


def test_the_date_column_is_the_time_and_every_usable_one_is_an_input(tmp_path):
    sources = opened(tmp_path)
    assert isinstance(sources.train, SeriesSource)
    assert (sources.train.time, sources.train.rows) == (("day",), 24)
    assert (sources.targets, sources.inputs) == (("y",), ("No", "x", "wind"))
    assert sources.warnings == (
        "left out, neither numbers nor categories: note, lost",
        "may be row numbers, of which a model learns nothing: No (`inputs` names the columns to "
        "use)",
    )


@pytest.mark.parametrize(
    ("options", "inputs"),
    [
        ({"inputs": []}, ()),
        ({"inputs": ["wind", "y", "x"]}, ("wind", "x")),
        ({"inputs": ["x"], "known": ["No"]}, ("x", "No")),
        ({"known": ["x"]}, ("No", "wind", "x")),
        ({"per_channel": True}, ()),
        ({"per_channel": True, "known": ["x"]}, ("x",)),
        ({"target": ["y", "x"], "time": "No"}, ("wind",)),
    ],
)
def test_inputs_are_those_that_are_named(tmp_path, options, inputs):
    assert opened(tmp_path, **options).inputs == inputs


def test_without_dates_rows_are_counted(tmp_path):
    source = opened(tmp_path, "y\n1\n2\n3\n").train
    assert isinstance(source, SeriesSource)
    assert (source.time, source.rows) == ((), 3)


@pytest.mark.parametrize(
    ("options", "message", "path"),
    [
        ({"target": "why"}, "s.csv has no column `why`", ("data", "target")),
        ({"inputs": ["x", "z"]}, "no column `z`", ("data", "inputs", 1)),
        ({"time": ["year", "day"]}, "no column `year`", ("data", "time", 0)),
        (
            {"target": "wind"},
            "a target holds numbers, and `wind` is categorical",
            ("data", "target"),
        ),
        ({"known": ["wind"]}, "known ahead holds numbers, and `wind`", ("data", "known", 0)),
        ({"inputs": ["note"]}, "`note` is text, which is no input", ("data", "inputs", 0)),
        ({"inputs": ["day"]}, "`day` tells the time", ("data", "inputs", 0)),
        ({"target": "No", "time": "No"}, "`No` tells the time", ("data", "target")),
        ({"time": "No", "calendar": ["hour"]}, "`No` holds plain numbers", ("data", "calendar")),
        ({"path": "*.csv"}, "2 files, and a series is one", ("data", "path")),
    ],
)
def test_what_does_not_fit_is_told_at_its_place(tmp_path, options, message, path):
    (tmp_path / "t.csv").write_text("y\n1\n")
    with pytest.raises(ConfigError, match=message) as caught:
        opened(tmp_path, **options)
    assert [fault.path for fault in caught.value.faults] == [path]


def test_a_word_among_the_numbers_of_a_target_is_named(tmp_path):
    with pytest.raises(ConfigError, match="a target holds numbers, and `y` is") as caught:
        opened(tmp_path, "y\n1\n2\noops\n4\n")
    (fault,) = caught.value.faults
    assert fault.note == 's.csv, row 3, column `y`: "oops" is not a number'
    assert "`na_values`" in fault.suggestion


def test_an_empty_target_and_two_date_columns_are_refused(tmp_path):
    with pytest.raises(DataError, match="every cell of `lost` is missing"):
        opened(tmp_path, target="lost")
    with pytest.raises(ConfigError, match="several columns hold dates: a, b"):
        opened(tmp_path, "a,b,y\n2024-01-01,2024-01-02,1\n")


def test_parquet_and_jsonl_are_read_alike(tmp_path):
    table = pa.table({"t": ["2024-01-01", "2024-01-02"], "y": [1.0, None]})
    pa_parquet.write_table(table, tmp_path / "s.parquet")
    (tmp_path / "s.jsonl").write_text('{"t": "2024-01-01", "y": 1}\n{"t": "2024-01-02"}\n')
    for name in ("s.parquet", "s.jsonl"):
        options = SeriesOptions(path=name, target="y")
        source = open_series(options, tmp_path).train
        assert isinstance(source, SeriesSource)
        assert source.time == ("t",)
        (batch,) = source.chunks(["y"])
        assert batch.column("y").to_pylist() == [1.0, None]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("data.season=97", "`season: 97` does not fit into `past: 96`"),
        ("data.target=[y, y]", "names a column twice"),
        ("data.split.val=-1", "expected a number from 0 or text, found `-1`"),
        ("data.split.val=1.5", "neither a share"),
    ],
)
def test_options_that_contradict_each_other_are_refused(tmp_path, words, message):
    (tmp_path / "c.yaml").write_text(
        "data: {name: series, path: s.csv, target: y}\nmodel: linear\n"
    )
    with pytest.raises(ConfigError, match=message):
        read_config(tmp_path / "c.yaml", [words])


def test_a_date_in_a_split_is_read_as_it_stands(tmp_path):
    (tmp_path / "c.yaml").write_text(
        "data: {name: series, path: s.csv, target: y, split: {val: 2024-01-20, test: 3}}\n"
        "model: linear\n"
    )
    data = read_config(tmp_path / "c.yaml", []).config.data
    assert isinstance(data, SeriesOptions)
    assert data.split.val == "2024-01-20"
