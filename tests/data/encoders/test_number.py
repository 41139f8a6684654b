"""Numbers against scikit-learn and against themselves, cut in any way."""

import json
import math
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler

from dlcli.config.data import MissingOptions
from dlcli.data.encoders.encoder import CellError
from dlcli.data.encoders.moments import Moments
from dlcli.data.encoders.number import NumberEncoder, NumberFit
from dlcli.data.encoders.registry import encoder_from_state

SCALERS = {"standard": StandardScaler, "min_max": MinMaxScaler, "robust": RobustScaler}
finite = st.floats(-1e6, 1e6, allow_nan=False, width=32)


def fit(values, scaling="standard", chunks=1, **missing) -> NumberEncoder:
    number_fit = NumberFit("x", scaling, MissingOptions(**missing))
    parts = [pa.array(part, from_pandas=True) for part in np.array_split(np.array(values), chunks)]
    for part in parts:
        number_fit.add(part)
    if number_fit.again():
        for part in parts:
            number_fit.add(part)
    assert not number_fit.again()
    return number_fit.finish()


@pytest.mark.parametrize("scaling", SCALERS)
def test_scaling_is_that_of_scikit_learn(scaling):
    values = np.random.default_rng(0).gamma(2.0, 30.0, 501)
    encoder = fit(values, scaling, chunks=7)
    expected = SCALERS[scaling]().fit_transform(values[:, None])
    torch.testing.assert_close(
        encoder.encode(pa.array(values)), torch.from_numpy(expected).float(), rtol=1e-6, atol=1e-6
    )


def test_no_scaling_keeps_the_numbers():
    encoder = fit([1.5, -2.0, 8.0], "none")
    assert encoder.encode(pa.array([1.5, -2.0])).tolist() == [[1.5], [-2.0]]


@given(st.lists(finite, min_size=1, max_size=60), st.integers(1, 7))
def test_moments_of_chunks_are_moments_of_the_whole(values, chunks):
    whole = np.array(values, np.float64)
    moments = Moments()
    for part in np.array_split(whole, chunks):
        moments.add(part)
    assert moments.count == len(whole)
    assert (moments.low, moments.high) == (whole.min(), whole.max())
    assert math.isclose(moments.mean, whole.mean(), rel_tol=1e-9, abs_tol=1e-7)
    assert math.isclose(moments.deviation, whole.std(), rel_tol=1e-6, abs_tol=1e-6)


def test_a_large_mean_does_not_swallow_the_deviation():
    values = 1e9 + np.random.default_rng(0).standard_normal(10_000)
    assert fit(values, chunks=9).scale == pytest.approx(values.std(), rel=1e-6)


@pytest.mark.parametrize(
    ("policy", "expected"), [("median", 2.0), ("mean", 4.0), ("most_frequent", 1.0)]
)
def test_missing_numbers_are_filled_from_training(policy, expected):
    encoder = fit([1.0, 1.0, 2.0, np.nan, 6.0, 10.0], chunks=2, numeric=policy)
    assert encoder.fill == expected
    encoded = encoder.encode(pa.array([None, expected]))
    assert encoded[0, 0] == encoded[1, 0]
    assert encoded[:, 1].tolist() == [1.0, 0.0]


def test_a_column_complete_in_training_takes_missing_values_later():
    encoder = fit([1.0, 2.0, 9.0])
    assert encoder.field.shape == (1,)
    assert encoder.encode(pa.array([None], pa.float64())).tolist() == [[0.0]]
    cells = pa.array([None, 5.0])
    assert encoder.notes(cells, encoder.encode(cells)) == {"missing value": 1}


def test_constant_policy_fills_with_the_given_value():
    encoder = fit([1.0, np.nan, 3.0], "none", numeric="constant", fill_value=-7, indicator=False)
    assert encoder.encode(pa.array([None], pa.float64())).tolist() == [[-7.0]]


def test_refused_missing_values_are_errors():
    with pytest.raises(CellError, match="refuse"):
        fit([1.0, np.nan], numeric="refuse")
    with pytest.raises(CellError, match="is missing"):
        fit([1.0, 2.0], numeric="refuse").encode(pa.array([None], pa.float64()))


@pytest.mark.parametrize("scaling", [*SCALERS, "none"])
def test_a_constant_column_is_scaled_by_one(scaling):
    encoder = fit([0.1] * 7, scaling, chunks=3)
    assert encoder.scale == 1.0
    assert encoder.is_constant


@pytest.mark.parametrize("cell", ["abc", "1,234", "0x10"])
def test_text_that_is_no_number_is_named(cell):
    with pytest.raises(CellError, match="not a number") as caught:
        fit([1.0, 2.0]).encode(pa.array(["1", cell]))
    assert caught.value.value == cell


def test_infinite_and_too_large_numbers_are_refused():
    with pytest.raises(CellError, match="infinite"):
        fit([1.0, np.inf])
    with pytest.raises(CellError, match="too large"):
        fit([1.0, 2.0], "none").encode(pa.array([1e39]))


def test_texts_and_integers_encode_as_numbers_do():
    encoder = fit([1.0, 2.0, 4.0])
    expected = encoder.encode(pa.array([1.0, 4.0]))
    assert torch.equal(encoder.encode(pa.array(["1", "4.0"])), expected)
    assert torch.equal(encoder.encode(pa.array([1, 4])), expected)


@given(st.lists(finite, min_size=2, max_size=20), st.sampled_from([*SCALERS, "none"]))
@example([0.0, 0.0, 0.0, 2115.0, 6.213065920735659e-36], "robust")
def test_decoding_gives_the_numbers_back(values, scaling):
    encoder = fit(values, scaling, chunks=2)
    decoded = encoder.decode(encoder.encode(pa.array(values)))
    span = max(max(values) - min(values), 1e-3)
    tolerance = 1e-5 * max(span, abs(encoder.shift), *map(abs, values))
    np.testing.assert_allclose(decoded, values, rtol=1e-6, atol=tolerance)


@given(st.lists(finite, min_size=1, max_size=20))
def test_state_survives_json_exactly(values):
    encoder = fit(values)
    assert encoder_from_state(json.loads(json.dumps(encoder.state()))) == encoder


def test_values_far_outside_the_range_are_counted():
    encoder, cells = fit([0.0, 10.0]), pa.array([5.0, 19.0, 21.0, -11.0])
    assert encoder.notes(cells, encoder.encode(cells)) == {
        "value far outside the training range": 2
    }


cell = st.one_of(st.none(), finite, st.sampled_from([1e300, -1e300, 21.0, -11.0]))


@given(st.lists(cell, max_size=20), st.booleans())
@example([10.0, None, 1e300], False)
@example([1e308, 1e308, -1e308], True)
def test_cells_are_scaled_and_noted_one_by_one(values, has_indicator):
    encoder = replace(fit([0.0, 10.0, 3.0]), fill=4.0, has_indicator=has_indicator, scale=1e300)
    cells = pa.array(values, pa.float64())
    encoded = encoder.encode(cells)
    scaled = [(4.0 if x is None else x) - encoder.shift for x in values]
    rows = [[x / 1e300, x_given is None] for x, x_given in zip(scaled, values, strict=True)]
    expected = np.array(rows, np.float64).reshape(-1, 2).astype(np.float32)
    assert torch.equal(encoded, torch.from_numpy(expected[:, : 1 + has_indicator]))
    found = {
        "value far outside the training range": sum(
            x is not None and not -10 <= x <= 20 for x in values
        ),
        "missing value": 0 if has_indicator else values.count(None),
    }
    assert encoder.notes(cells, encoded) == {what: n for what, n in found.items() if n}


def test_numbers_whose_sum_is_too_large_are_numbers():
    encoder = replace(fit([0.0, 10.0]), scale=1e305)
    assert encoder.encode(pa.array([1.5e308, 1.5e308])).isfinite().all()
    with pytest.raises(CellError, match="too large"):
        encoder.encode(pa.array(["1.5e308", "1e999"]))
