"""Every form of output holds the same predictions, written batch by batch."""

from __future__ import annotations

import csv
import io
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


def as_records(told: Predictions) -> list[dict[str, Any]]:
    """Return predictions as plain data, row by row."""
    records = []
    for row in range(len(told)):
        values = [column[row] for column in told.values]
        record: dict[str, Any] = {name: cells[row] for name, cells in told.places.items()}
        record["prediction"] = values[0] if len(values) == 1 else values
        if told.confidence is not None:
            record["confidence"] = told.confidence[row]
        if told.probabilities is not None:
            record["probabilities"] = {name: p[row] for name, p in told.probabilities.items()}
        if told.ranked is not None:
            ranks = [{"class": name, "probability": share} for name, share in told.ranked[row]]
            record["top_k"] = ranks
        records.append(record)
    return records


texts = st.text(st.characters(exclude_categories=["Cs"]))
numbers = st.floats(allow_nan=False, allow_infinity=False)
values = st.one_of(st.none(), st.booleans(), st.integers(), numbers, texts)


@st.composite
def told(draw: st.DrawFn) -> Predictions:
    rows = draw(st.integers(0, 3))

    def column(cells: st.SearchStrategy[Any]) -> list[Any]:
        kind = draw(st.sampled_from([cells, texts, numbers]) if cells is values else st.just(cells))
        return draw(st.lists(kind, min_size=rows, max_size=rows))

    names = draw(st.lists(texts, min_size=1, max_size=3, unique=True))
    ranks = st.lists(st.tuples(texts, numbers), min_size=2, max_size=2)
    return Predictions(
        names,
        [column(values) for _ in names],
        draw(st.none() | st.builds(lambda: column(numbers))),
        draw(st.none() | st.builds(lambda: {name: column(numbers) for name in names})),
        draw(st.none() | st.builds(lambda: column(ranks))),
        {name: column(values) for name in draw(st.sets(st.sampled_from(["%s", "confidence"])))},
    )


@given(told(), told())
def test_json_is_what_the_standard_library_writes_of_each_record(
    first: Predictions, second: Predictions
) -> None:
    records = as_records(first) + as_records(second)
    lines = [json.dumps(record, ensure_ascii=False) for record in records]
    assert written("jsonl", first, second) == "".join(f"{line}\n" for line in lines)
    whole = "[\n " + ",\n ".join(lines) + "\n]\n" if lines else "[]\n"
    assert written("json", first, second) == whole


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_json_has_no_number_that_is_not_finite(number: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        written("jsonl", Predictions(["y"], [[1.0, number]]))
