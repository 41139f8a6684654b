"""Dates: many ways of writing them, one encoding."""

import datetime
import json

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dlcli.config.data import MissingOptions
from dlcli.data.encoders.date import DateFit
from dlcli.data.encoders.encoder import CellError
from dlcli.data.encoders.registry import encoder_from_state

dates = st.dates(datetime.date(1800, 1, 1), datetime.date(2200, 12, 31))


def fit(cells, **missing):
    date_fit = DateFit("d", MissingOptions(**missing))
    date_fit.add(pa.array(cells))
    return date_fit.finish()


@given(st.lists(dates, min_size=1, max_size=30))
def test_dates_go_there_and_back(days):
    cells = [day.isoformat() for day in days]
    encoder = fit(cells)
    assert encoder.field.shape == (7,)
    assert encoder.decode(encoder.encode(pa.array(cells))) == cells
    assert encoder_from_state(json.loads(json.dumps(encoder.state()))) == encoder


def test_times_add_the_hour():
    cells = ["2020-02-29 23:59", "2021-03-01 00:00"]
    encoder = fit(cells)
    assert encoder.field.shape == (9,)
    assert encoder.decode(encoder.encode(pa.array(cells))) == cells


@pytest.mark.parametrize(
    "cell", ["2024-03-01", "2024/3/1", "1.3.2024", "2024-03", "2024-03-01T00:00:00Z"]
)
def test_ways_of_writing_a_date(cell):
    encoder = fit(["2020-01-01", "2024-12-31"])
    assert torch.equal(encoder.encode(pa.array([cell])), encoder.encode(pa.array(["2024-03-01"])))


def test_typed_dates_and_times_are_taken():
    encoder = fit(["2020-01-01", "2024-12-31"])
    expected = encoder.encode(pa.array(["2024-03-01"]))
    day = datetime.date(2024, 3, 1)
    assert torch.equal(encoder.encode(pa.array([day])), expected)
    stamp = pa.array(np.array(["2024-03-01"], "datetime64[ns]"))
    assert torch.equal(encoder.encode(stamp), expected)


def test_weekday_is_a_circle():
    encoder = fit(["2024-03-04", "2024-03-10"])  # a Monday and a Sunday
    encoded = encoder.encode(pa.array(["2024-03-04", "2024-03-11", "2024-03-10"]))
    assert torch.equal(encoded[0, 5:7], encoded[1, 5:7])
    assert encoded[0, 5:7].tolist() == [0.0, 1.0]


def test_missing_dates_are_zeros_with_an_indicator():
    encoder = fit(["2024-03-04", None])
    encoded = encoder.encode(pa.array([None, "2024-03-04"]))
    assert encoded[:, -1].tolist() == [1.0, 0.0]
    assert not encoded[0, :-1].any()
    assert encoder.decode(encoded)[0] is None
    with pytest.raises(CellError, match="refuse"):
        fit(["2024-03-04", None], numeric="refuse")


def test_what_is_no_date_is_named():
    with pytest.raises(CellError, match="not a date such as") as caught:
        fit(["2024-03-04"]).encode(pa.array(["2024-03-04", "soon"]))
    assert caught.value.value == "soon"
