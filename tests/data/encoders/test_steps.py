import json

import numpy as np
import pyarrow as pa
import pytest

from dlcli.data.encoders.encoder import CellError
from dlcli.data.encoders.registry import encoder_from_state
from dlcli.data.encoders.steps import StepsFit
from dlcli.data.preprocessor import located
from dlcli.data.sources.cells import records_batch

NAN = float("nan")
TRAINING = [
    [{"x": 1.0, "y": 10.0}, {"x": 2.0, "y": 20.0}, {"x": 3.0, "y": NAN}],
    [{"x": 4.0, "y": 30.0}],
]
ALL = np.array([[1, 10], [2, 20], [3, NAN], [4, 30]])


def fitted(scaling="standard", max_length=None):
    fit = StepsFit("steps", scaling, max_length)
    for _ in range(2):
        for cell in TRAINING:
            fit.add(pa.array([cell]))
        if not fit.again():
            break
    return fit.finish()


@pytest.mark.parametrize(
    ("scaling", "shift", "scale"),
    [
        ("standard", np.nanmean(ALL, 0), np.nanstd(ALL, 0)),
        ("min_max", np.nanmin(ALL, 0), np.nanmax(ALL, 0) - np.nanmin(ALL, 0)),
        (
            "robust",
            np.nanmedian(ALL, 0),
            np.diff(np.nanpercentile(ALL, [25, 75], axis=0), axis=0)[0],
        ),
        ("none", [0, 0], [1, 1]),
    ],
)
def test_each_column_is_scaled_by_all_training_steps(scaling, shift, scale):
    encoder = fitted(scaling)
    filled = np.where(np.isnan(ALL), np.nanmean(ALL, 0), ALL)
    expected = (filled - shift) / scale
    found = encoder.encode(pa.array(TRAINING)).numpy()
    np.testing.assert_allclose(found[0, :, :2], expected[:3], rtol=1e-6)
    np.testing.assert_allclose(found[1, :1, :2], expected[3:], rtol=1e-6)


def test_padding_is_zero_and_marked():
    found = fitted().encode(pa.array(TRAINING))
    assert found.shape == (2, 3, 3) == (2, *fitted().field.shape)
    assert found[:, :, -1].tolist() == [[1, 1, 1], [1, 0, 0]]
    assert not found[1, 1:].any()


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("max_length", [None, 2])
def test_of_a_longer_sequence_the_last_steps_are_kept(steps, max_length):
    encoder = fitted("none", max_length)
    length = max_length or 3
    assert encoder.length == length
    cell = [[float(t), float(-t)] for t in range(steps)]
    found = encoder.encode(pa.array([cell, cell]))
    assert encoder.decode(found) == [cell[-length:]] * 2
    cells = pa.array([cell])
    notes = encoder.notes(cells, encoder.encode(cells))
    assert list(notes.values()) == ([1] if steps > length else [])


def test_it_comes_back_from_its_state():
    encoder = fitted()
    assert encoder_from_state(json.loads(json.dumps(encoder.state()))) == encoder


def test_records_and_lists_in_any_order_and_type_are_the_same():
    encoder = fitted()
    expected = encoder.encode(pa.array(TRAINING[1:]))
    assert encoder.encode(pa.array([[[4, 30]]])).equal(expected)
    assert encoder.encode(pa.array([[{"y": 30, "z": 1, "x": 4}]])).equal(expected)
    assert encoder.encode(pa.array([TRAINING[0], TRAINING[1]])[1:]).equal(expected)


def test_no_sequences_are_none_of_the_right_shape():
    nothing = pa.array([], pa.list_(pa.list_(pa.float64())))
    assert fitted().encode(nothing).shape == (0, 3, 3)


def test_missing_values_are_noted():
    encoder, cells = fitted(), pa.array([[[1.0, None]]])
    assert encoder.notes(cells, encoder.encode(cells)) == {
        "missing value, taken for the mean of training": 1
    }


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (pa.array([None, [[1.0, 2.0]]]), "is missing"),
        (pa.array([[[1.0, 2.0]], []]), "has no steps"),
        (pa.array([[[1.0]]]), "each 2 numbers: x, y"),
        (pa.array([[{"x": 1.0}]]), "each 2 numbers: x, y"),
        (pa.array([[1.0, 2.0]]), "each 2 numbers: x, y"),
        (pa.array(["text"]), "each 2 numbers: x, y"),
        (pa.array([[["1", "two"]]]), "is not a number"),
        (pa.array([[[1e300, 2.0]]]), "too large"),
    ],
)
def test_what_is_no_sequence_is_named(array, said):
    with pytest.raises(CellError, match=said):
        fitted().encode(array)


@pytest.mark.parametrize(
    ("cells", "row"),
    [
        ([[[1, 2]], [[3, 4], [5]], [[6, 7]]], 2),
        ([[[1, 2]], [[3, 4]], [[3, 4], [6, 7, 8]]], 3),
        ([[[1, 2]], [[3, 4], None]], 2),
        ([[["1", "2"]], [["3", "4"], ["5", "six"]]], 2),
        ([[{"x": "1", "y": "2"}], [{"x": "1", "y": "2"}, {"x": "3", "y": "four"}]], 2),
        ([[["1", "2"], ["3", "4"]], [["1e999", "4"]]], 2),
        ([[[1, 2]], "text"], 2),
        ([[[1, 2]], 3], 2),
        ([[[1, 2]], [3, 4]], 2),
        ([[[1, 2]], [[3, "four"]]], 2),
        ([[[1, 2]], "[" * 100_000], 2),
        ([[[1.0, 2.0], [2.0, 2.0]], [[1e300, 2.0]]], 2),
        ([[[1.0, NAN]], [[1e300, NAN]]], 2),
        ([[[1, 2]], []], 2),
    ],
)
def test_the_sequence_that_is_none_is_named_by_its_row(cells, row):
    batch = records_batch([{"steps": cell} for cell in cells], ["steps"])
    with pytest.raises(CellError) as error:
        fitted().encode(batch.column("steps"))
    assert f"row {row}, column `steps`" in str(located(error.value, batch))
