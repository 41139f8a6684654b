"""Every form of output holds the same predictions, written batch by batch."""

from __future__ import annotations

import csv
import io
import json

import pytest

from dlcli.report.predictions import FORMATS, Predictions, open_writer

CLASSES = Predictions(
    ["kind"],
    [["a, b", 'say "c"', None]],
    confidence=[0.75, 1.0, 0.5],
    probabilities={"a, b": [0.75, 0.0, 0.5], 'say "c"': [0.25, 1.0, 0.5]},
    ranked=[[("a, b", 0.75)], [('say "c"', 1.0)], [("a, b", 0.5)]],
)
NUMBERS = Predictions(["low", "high"], [[0.1, 1e30], [-2.5, 3.0]])


def written(output_format: str, *batches: Predictions) -> str:
    stream = io.BytesIO()
    writer = open_writer(output_format, stream)
    for batch in batches:
        writer.write(batch)
    writer.finish()
    return stream.getvalue().decode()


def test_json_lines_and_json_are_the_same_records() -> None:
    lines = [json.loads(line) for line in written("jsonl", CLASSES, CLASSES).splitlines()]
    assert json.loads(written("json", CLASSES, CLASSES)) == lines
    assert lines[:3] == lines[3:]
    assert lines[0] == {
        "prediction": "a, b",
        "confidence": 0.75,
        "probabilities": {"a, b": 0.75, 'say "c"': 0.25},
        "top_k": [{"class": "a, b", "probability": 0.75}],
    }
    assert lines[2]["prediction"] is None


def test_a_class_called_1_and_the_likeliest_class_have_columns_of_their_own() -> None:
    predictions = Predictions(
        ["y"], [["0"]], [0.75], {"0": [0.75], "1": [0.25]}, [[("0", 0.75), ("1", 0.25)]]
    )
    columns = predictions.columns()
    assert columns["probability_1"] == [0.25]
    assert (columns["top_1"], columns["top_1_probability"]) == (["0"], [0.75])


def test_several_targets_are_a_list_or_columns() -> None:
    records = json.loads(written("json", NUMBERS))
    assert records == [{"prediction": [0.1, -2.5]}, {"prediction": [1e30, 3.0]}]
    rows = list(csv.DictReader(io.StringIO(written("csv", NUMBERS))))
    assert [{key: float(value) for key, value in row.items()} for row in rows] == [
        {"prediction_low": 0.1, "prediction_high": -2.5},
        {"prediction_low": 1e30, "prediction_high": 3.0},
    ]


def test_csv_quotes_what_must_be_quoted_and_has_one_header() -> None:
    rows = list(csv.DictReader(io.StringIO(written("csv", CLASSES, CLASSES))))
    assert [row["prediction"] for row in rows] == ["a, b", 'say "c"', ""] * 2
    assert rows[0]["probability_a, b"] == "0.75"
    assert (rows[1]["top_1"], rows[1]["top_1_probability"]) == ('say "c"', "1.0")


def test_a_table_shows_the_beginning_of_many_rows() -> None:
    many = Predictions(["x"], [[float(i) for i in range(700)]])
    text = written("table", many, many)
    assert "... and 400 more rows; --format csv writes all" in text
    assert text.count("\n") < 1010
    assert "[b]" in written("table", Predictions(["x"], [["[b]no markup"]]))


@pytest.mark.parametrize("output_format", FORMATS)
def test_no_predictions_give_an_empty_output(output_format: str) -> None:
    text = written(output_format)
    assert text.strip() in {"", "[]"} or text.split()[0] == "row"
