"""Real files: what is published about them must be what is read."""

import numpy as np
import pytest

from dlcli.config.data import TableOptions
from dlcli.data.prepare import encode_labelled, prepare
from dlcli.data.sources.dialect import dialect_of
from dlcli.data.sources.records import read_records
from dlcli.data.sources.table import open_table

pytestmark = pytest.mark.realdata

ADULT = [
    *("age", "workclass", "fnlwgt", "education", "education_num", "marital", "occupation"),
    *("relationship", "race", "sex", "gain", "loss", "hours", "country", "income"),
]


def test_adult(real_data):
    options = TableOptions(
        path="adult-train.csv",
        test_path="adult-test.csv",
        header=False,
        columns=ADULT,
        na_values=["?"],
        replace={"income": {"<=50K.": "<=50K", ">50K.": ">50K"}},
        target="income",
    )
    prepared = prepare(open_table(options, real_data / "csv"), options, task=None)
    assert prepared.task == "classification"
    assert prepared.preprocessor.classes == ("<=50K", ">50K")
    assert {part: len(rows) for part, rows in prepared.rows.items()} == {
        "train": 29_305,
        "val": 3_256,
        "test": 16_281,
    }
    assert np.bincount(prepared.examples["test"].targets.numpy()).tolist() == [12_435, 3_846]
    inputs = prepared.preprocessor.inputs
    assert inputs["workclass"].missing == len(inputs["workclass"].categories) + 1
    records = read_records(
        real_data / "csv" / "adult-test.csv",
        dialect_of(options),
        needed=list(inputs),
        optional=["income"],
    )
    again = encode_labelled(records, prepared.preprocessor)
    assert (again.targets == prepared.examples["test"].targets).all()


@pytest.mark.parametrize(
    ("options", "rows"),
    [
        ({"path": "csv/titanic.csv", "target": "Survived"}, 891),
        (
            {"path": "csv/iris.csv", "target": "y", "header": False, "columns": list("abcdy")},
            150,
        ),
        (
            {
                "path": "text/sms-spam.tsv",
                "target": "label",
                "header": False,
                "columns": ["label", "text"],
                "quoting": "none",
                "types": {"text": "categorical"},
            },
            5_574,
        ),
        ({"path": "series/ETTh1.csv", "target": "OT"}, 17_420),
        ({"path": "series/airline-passengers.csv", "target": "Passengers"}, 144),
    ],
)
def test_no_row_is_lost(real_data, options, rows):
    chosen = TableOptions.model_validate(options)
    prepared = prepare(open_table(chosen, real_data), chosen, task=None)
    assert sum(len(rows) for rows in prepared.rows.values()) == rows


def test_quotes_that_swallow_rows_are_told(real_data):
    options = TableOptions(
        path="sms-spam.tsv",
        target="label",
        header=False,
        columns=["label", "text"],
        types={"text": "categorical"},
    )
    (warning,) = open_table(options, real_data / "text").warnings
    assert "the first in line 5082" in warning
    assert "`quoting: none`" in warning
