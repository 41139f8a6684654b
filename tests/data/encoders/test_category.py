"""Categories, classes and truth values."""

import json

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dlcli.config.data import CategoryOptions, MissingOptions
from dlcli.data.encoders.category import CategoryFit, code_type, embedding_width
from dlcli.data.encoders.classes import ClassFit
from dlcli.data.encoders.encoder import CellError
from dlcli.data.encoders.registry import encoder_from_state

words = st.lists(st.text("abcé ", min_size=1, max_size=3), min_size=1, max_size=40)


def fit(cells, kind="categorical", min_count=1, encoding="embedding", chunks=2, **missing):
    options = CategoryOptions(min_count=min_count, encoding=encoding)
    category_fit = CategoryFit("c", kind, MissingOptions(**missing), options)
    for start in range(0, len(cells), max(1, len(cells) // chunks)):
        category_fit.add(pa.array(cells[start : start + max(1, len(cells) // chunks)]))
    return category_fit.finish()


def fit_classes(cells, kind="text"):
    class_fit = ClassFit("y", kind)
    class_fit.add(pa.array(cells))
    return class_fit.finish()


@given(words)
def test_categories_go_there_and_back(cells):
    encoder = fit(cells)
    codes = encoder.encode(pa.array(cells))
    assert encoder.decode(codes) == cells
    assert encoder.categories == tuple(sorted(set(cells)))
    assert int(codes.min()) >= 1
    assert int(codes.max()) < encoder.field.size
    assert encoder_from_state(json.loads(json.dumps(encoder.state()))) == encoder


@given(words, st.integers(1, 6))
def test_chunks_do_not_matter(cells, chunks):
    assert fit(cells, chunks=chunks) == fit(cells, chunks=1)


def test_unseen_and_rare_categories_get_code_0():
    encoder = fit(["a", "a", "b"], min_count=2)
    cells = pa.array(["a", "b", "z"])
    assert encoder.encode(cells).tolist() == [1, 0, 0]
    assert encoder.notes(cells, encoder.encode(cells)) == {
        "category not seen (often enough) in training": 2
    }


def test_missing_is_a_category_of_its_own_where_training_has_it():
    assert fit(["a", None, "b"]).encode(pa.array(["b", None])).tolist() == [2, 3]
    assert fit(["a", "b"]).encode(pa.array(["b", None])).tolist() == [2, 0]


def test_other_policies_for_missing_categories():
    cells = ["b", "a", "b", None]
    assert fit(cells, categorical="most_frequent").encode(pa.array([None, "b"])).tolist() == [2, 2]
    encoder = fit(cells, categorical="constant", fill_category="none")
    assert encoder.decode(encoder.encode(pa.array([None], pa.string()))) == ["none"]
    with pytest.raises(CellError, match="refuse"):
        fit(cells, categorical="refuse")
    with pytest.raises(CellError, match="is missing"):
        fit(["a"], categorical="refuse").encode(pa.array([None], pa.string()))


@pytest.mark.parametrize(
    "cells", [pa.array([True, False, None]), pa.array(["TRUE", "no", None]), pa.array([1, 0, None])]
)
def test_truth_values_in_any_writing_are_the_same(cells):
    encoder = fit([True, False], kind="boolean")
    assert encoder.decode(encoder.encode(cells)) == ["true", "false", "<unknown>"]


def test_what_is_neither_true_nor_false_is_named():
    with pytest.raises(CellError, match="neither true nor false") as caught:
        fit([True], kind="boolean").encode(pa.array(["true", "maybe"]))
    assert caught.value.value == "maybe"


def test_whole_floats_and_integers_are_the_same_category():
    encoder = fit(["1", "2"])
    assert (
        encoder.encode(pa.array([1, 2])).tolist() == encoder.encode(pa.array([1.0, 2.0])).tolist()
    )


@pytest.mark.parametrize(
    ("size", "expected"), [(256, np.uint8), (257, np.int16), (32768, np.int16), (32769, np.int32)]
)
def test_codes_take_the_smallest_type(size, expected):
    assert code_type(size) is expected


def test_one_hot_asks_for_no_embedding():
    assert fit(["a", "b"], encoding="one_hot").field.embedding_size == 0
    assert fit(["a", "b"]).field.embedding_size == embedding_width(3) == 3


@pytest.mark.parametrize(
    ("cells", "kind", "classes"),
    [
        (["b", "a", "b"], "text", ("a", "b")),
        (["10", "9", "2"], "number", (2, 9, 10)),
        ([0.5, 2.0], "number", (0.5, 2)),
        ([True, False], "boolean", (False, True)),
    ],
)
def test_classes_are_in_order_and_come_back(cells, kind, classes):
    encoder = fit_classes(cells, kind)
    assert encoder.classes == classes
    assert encoder.decode(torch.arange(len(classes))) == list(classes)
    assert [classes[code] for code in encoder.encode(pa.array(cells)).tolist()] == [
        type(classes[0])(cell) if kind != "number" else float(cell) for cell in cells
    ]
    assert encoder_from_state(json.loads(json.dumps(encoder.state()))) == encoder


def test_an_unknown_or_missing_class_is_an_error():
    encoder = fit_classes(["a", "b"])
    with pytest.raises(CellError, match=r"no class of the training rows \(a, b\)") as caught:
        encoder.encode(pa.array(["a", "z"]))
    assert caught.value.value == "z"
    with pytest.raises(CellError, match="is missing"):
        encoder.encode(pa.array(["a", None]))
