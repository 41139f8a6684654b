"""Pictures that are arrays in records are those that the same rows of pixels are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch import Tensor

from dlcli.config.data import ImageFolderOptions
from dlcli.data.columns_given import apart, with_pictures
from dlcli.data.encoders.classes import ClassEncoder
from dlcli.data.encoders.image import ImageEncoder
from dlcli.data.encoders.number import NumberEncoder
from dlcli.data.preprocessor import Preprocessor
from dlcli.data.sources.source import with_origin
from dlcli.data.unseen import records_to_predict
from dlcli.errors import DataError

PREPROCESSOR = Preprocessor(
    {
        "grey": ImageEncoder("grey", (1, 3, 2), (0.0,), (1.0,)),
        "n": NumberEncoder("n"),
        "coloured": ImageEncoder("coloured", (3, 4, 5), (0.0,) * 3, (1.0,) * 3),
    },
    {"kind": ClassEncoder("kind", "text", ("a", "b"))},
)
FIELDS = PREPROCESSOR.spec.inputs
RANDOM = np.random.default_rng(0)
GREY = RANDOM.integers(0, 256, (6, 3, 2), np.uint8)
COLOURED = RANDOM.integers(0, 256, (6, 3, 4, 5), np.uint8)

Record = Mapping[str, Any]


def encoded(records: Sequence[Record]) -> dict[str, Tensor]:
    options = ImageFolderOptions(path="pictures")
    batches = [
        PREPROCESSOR.encode_inputs(batch)
        for batch, _names in records_to_predict(records, options, PREPROCESSOR)
    ]
    return {name: torch.cat([batch[name] for batch in batches]) for name in batches[0]}


def records(grey: Sequence[Any], coloured: Sequence[Any]) -> list[Record]:
    pairs = zip(grey, coloured, strict=True)
    return [{"grey": one, "n": n, "coloured": other} for n, (one, other) in enumerate(pairs)]


EXPECTED = encoded(records(GREY.tolist(), COLOURED.tolist()))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda pixels: pixels, id="bytes"),
        pytest.param(lambda pixels: pixels.astype(float), id="floats"),
        pytest.param(lambda pixels: pixels.astype(">i4"), id="another byte order"),
        pytest.param(lambda pixels: pixels.astype(object), id="objects"),
        pytest.param(lambda pixels: np.asfortranarray(pixels), id="another order in memory"),
        pytest.param(lambda pixels: pixels.tolist(), id="lists"),
        pytest.param(lambda pixels: str(pixels.tolist()), id="texts"),
        pytest.param(torch.from_numpy, id="tensors"),
        pytest.param(lambda pixels: torch.tensor(pixels).float().requires_grad_(), id="trained"),
        pytest.param(np.atleast_3d, id="three axes"),
    ],
)
def test_pictures_are_the_same_in_every_form(change: Callable[[np.ndarray], Any]) -> None:
    coloured = [change(pixels) for pixels in COLOURED]
    grey = [change(pixels) for pixels in GREY]
    found = encoded(records(grey, coloured))
    assert found.keys() == EXPECTED.keys()
    for name, block in found.items():
        assert block.dtype == EXPECTED[name].dtype
        assert torch.equal(block, EXPECTED[name])


def test_colours_may_stand_last() -> None:
    found = encoded(records([*GREY], [pixels.transpose(1, 2, 0) for pixels in COLOURED]))
    assert torch.equal(found["coloured"], EXPECTED["coloured"])


def test_forms_may_be_mixed() -> None:
    grey = [*GREY[:2], *GREY[2:4].tolist(), *torch.from_numpy(GREY[4:])]
    types = [np.uint8, np.float32, np.int64, float, np.uint8, np.int16]
    coloured = [pixels.astype(own) for pixels, own in zip(COLOURED, types, strict=True)]
    found = encoded(records(grey, coloured))
    for name, block in found.items():
        assert torch.equal(block, EXPECTED[name])


def test_the_order_is_kept_over_batches() -> None:
    count = 40_000
    grey = np.arange(count, dtype=np.uint16).view(np.uint8).reshape(count, 2)
    grey = np.repeat(grey[:, None], 3, axis=1)  # (N, 3, 2)
    coloured = np.zeros((3, 4, 5), np.uint8)
    found = encoded(records([*grey], [coloured] * count))
    assert torch.equal(found["grey"], torch.from_numpy(grey)[:, None])
    assert torch.equal(found["numbers"][:, 0], torch.arange(count).float())


def test_records_are_not_changed() -> None:
    given = records([*GREY], [*COLOURED])
    before = [dict(record) for record in given]
    encoded(given)
    assert all(
        record[name] is former[name]
        for record, former in zip(given, before, strict=True)
        for name in former
    )


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (np.zeros((2, 2)), "is not an image of 3 rows of 2 pixels"),
        (np.zeros(6), "is not an image of 3 rows of 2 pixels"),
        (np.zeros((3, 0)), "is not an image of 3 rows of 2 pixels"),
        (np.full((3, 2), -1), "is not an image of 3 rows of 2 pixels"),
        (np.full((3, 2), 0.5), "is not an image of 3 rows of 2 pixels"),
        (None, "records, row 6, column `grey`: a value is missing"),
    ],
)
@pytest.mark.parametrize("is_alone", [True, False])
def test_a_picture_that_is_none_is_told(wrong: object, message: str, *, is_alone: bool) -> None:
    grey = [wrong] * 6 if is_alone and wrong is not None else [*GREY[:5], wrong]
    with pytest.raises(DataError, match=message):
        encoded(records(grey, [*COLOURED]))


def test_only_whole_columns_of_arrays_are_taken_apart() -> None:
    given = records([*GREY], [*COLOURED[:5].tolist(), COLOURED[5]])
    rest, pictures = apart(given, FIELDS)
    assert [*pictures] == ["grey"]
    assert [record["grey"] for record in rest] == [None] * 6
    assert [record["coloured"] for record in rest] == COLOURED.tolist()
    assert apart([{"n": 1}], FIELDS) == ([{"n": 1}], {})
    assert apart([], FIELDS) == ([], {})
    batch = with_origin(pa.record_batch({"n": [4, 5], "grey": pa.nulls(2)}), "records", 4)
    filled = with_pictures(batch, pictures)
    assert filled["grey"].to_pylist() == GREY[4:].tolist()
    assert filled.schema.metadata == batch.schema.metadata
