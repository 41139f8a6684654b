"""Rows of the user's: whatever form they come in, they are the same table."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from dlcli.build import component
from dlcli.config.data import DataOptions
from dlcli.data.prepare import prepare
from dlcli.data.sources.source import Sources
from dlcli.errors import ConfigError, DataError, OwnCodeError
from tests.own.made import made

PREPARED = """
import numpy as np
import pyarrow as pa
from pathlib import Path

A = [1.0, None, 3.0] * 10
B = ["p", "q", " p "] * 10
Y = ["no", "yes", None] * 10
ROWS = [dict(zip("aby", row)) for row in zip(A, B, Y)]
"""
FORMS = {
    "list": "def X(): return ROWS",
    "generator": "def X():\n for row in ROWS: yield row",
    "numpy cells": "def X(): return [{**row, 'a': np.float64(row['a'] or np.nan)} for row in ROWS]",
    "columns": "def X(): return {'a': A, 'b': B, 'y': Y}",
    "arrays": "def X(): return {'a': np.array(A, float), 'b': np.array(B), 'y': Y}",
    "arrow": "def X(): return pa.table({'a': A, 'b': B, 'y': Y})",
    "batch": "def X(): return pa.record_batch({'a': A, 'b': B, 'y': Y})",
    "chunks of rows": "class X:\n def chunks(self, columns): yield from (ROWS[:7], ROWS[7:])",
    "chunks of columns": "class X:\n def chunks(self, columns):\n  for n in (0, 15):\n"
    "   yield pa.table({c: [row[c] for row in ROWS[n:n+15]] for c in columns or 'aby'})",
}


def opened(text: str, folder: Path = Path(), **own: Any) -> Sources:
    options = made(DataOptions, PREPARED + text, **{"target": "y", **own})
    sources: Sources = component(options)(options, folder)
    return sources


def rows_of(sources: Sources, columns: list[str] | None = None) -> list[dict[str, Any]]:
    batches = list(sources.train.chunks(columns))
    return [row for batch in batches for row in batch.to_pylist()]


@pytest.mark.parametrize("form", FORMS)
def test_rows_are_the_same_in_whatever_form_they_come(form: str) -> None:
    sources = opened(FORMS[form])
    assert sources.train.kinds == {"a": "numeric", "b": "categorical", "y": "categorical"}
    assert (sources.inputs, sources.targets) == (("a", "b"), ("y",))
    assert rows_of(sources) == [
        {"a": a, "b": b, "y": y}
        for a, b, y in zip([1.0, None, 3.0] * 10, "pqp" * 10, ["no", "yes", None] * 10, strict=True)
    ]
    assert rows_of(sources, ["y", "a"])[0] == {"y": "no", "a": 1.0}
    assert rows_of(sources) == rows_of(sources)


def test_the_fingerprint_follows_the_rows() -> None:
    one = opened("def X(n: int = 3): return [{'a': i, 'y': i} for i in range(n)]", n=30)
    same = opened("def X(n: int = 3): return {'a': [*range(n)], 'y': [*range(n)]}", n=30)
    other = opened("def X(n: int = 3): return [{'a': i, 'y': i + 1} for i in range(n)]", n=30)
    assert one.fingerprint == same.fingerprint != other.fingerprint
    assert len(one.fingerprint) == len(hashlib.sha256().hexdigest())


def test_many_rows_of_changing_types_are_one_column() -> None:
    text = "def X():\n for i in range(40_000): "
    text += "yield {'a': None if i < 20_000 else i / 2, 'b': i if i < 20_000 else i + 0.5, 'y': i}"
    sources = opened(text)
    assert sources.train.kinds == {"a": "numeric", "b": "numeric", "y": "numeric"}
    assert rows_of(sources)[-1] == {"a": 19999.5, "b": 39999.5, "y": 39999}


def test_pictures_are_arrays() -> None:
    text = "def X():\n pictures = np.arange(24 * 5 * 4 * 3, dtype=np.uint8).reshape(24, 5, 4, 3)"
    columns = opened(text + "\n return {'image': pictures[..., 0], 'y': ['a', 'b'] * 12}")
    cells = opened(
        text + "\n for n in range(24): yield {'image': pictures[n, :, :, 0], 'y': n % 2}"
    )
    for sources in (columns, cells):
        assert sources.train.kinds["image"] == "image"
        options = made(DataOptions, "def X(): pass", target="y")
        prepared = prepare(sources, options, task="classification")
        (field,) = prepared.preprocessor.spec.inputs
        assert (field.kind, field.shape) == ("image", (1, 5, 4))


def test_paths_are_relative_to_the_config(tmp_path: Path) -> None:
    text = "def X(file: Path, more: list[Path] = [], tag: str = 'z', none: Path | None = None):\n"
    text += " assert none is None\n"
    text += " return [{'a': i, 'y': str([file, *more]), 'b': tag} for i in range(3)]"
    given = opened(text, tmp_path, file="f.csv", more=["g", "/h"])
    expected = [tmp_path / "f.csv", tmp_path / "g", Path("/h")]
    assert rows_of(given)[0] == {"a": 0, "y": str(expected), "b": "z"}
    assert given.folder == tmp_path


def test_types_and_columns_to_drop_are_those_of_a_table() -> None:
    text = "def X(): return {'a': ['1', '2'] * 9, 'b': [1, 2] * 9, 'c': [0] * 18, 'y': [1.5] * 18}"
    sources = opened(text, types={"b": "categorical"}, drop=["c"], target=["y"])
    assert sources.train.kinds == {"a": "numeric", "b": "categorical", "y": "numeric"}
    grouped = opened(text, split={"group": "b"})
    assert grouped.inputs == ("a", "c")


@pytest.mark.parametrize(
    ("text", "own", "said"),
    [
        (FORMS["list"], {"target": "z"}, "`x.py:X` has no column `z`"),
        (FORMS["list"], {"drop": ["z"]}, "`x.py:X` has no column `z`"),
        (FORMS["list"], {"types": {"z": "numeric"}}, "`x.py:X` has no column `z`"),
        (FORMS["list"], {"split": {"column": "z"}}, "`x.py:X` has no column `z`"),
    ],
)
def test_a_column_that_is_not_there_is_a_fault_of_the_config(
    text: str, own: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        opened(text, **own)
    assert caught.value.faults[0].path[:2] == ("data", next(iter(own)))
    assert caught.value.faults[0].note == "its columns: a, b, y"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def X(): return []", "`x.py:X` gives no rows"),
        ("def X(): return {'a': [], 'y': []}", "`x.py:X` gives no rows"),
        ("def X(): return [{'y': 1}] * 9", "no column is left to predict from"),
        ("def X(): return {'a': [{'b': 1}] * 9, 'y': [1] * 9}", "column `a` holds struct"),
    ],
)
def test_rows_that_nothing_can_be_learned_of_are_a_fault_of_the_data(text: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        opened(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def X(): pass", "gives NoneType, expected rows"),
        ("def X(): return 'a.csv'", "gives str, expected rows"),
        ("def X(): return 3", "gives int, expected rows"),
        ("def X(): return [1, 2]", "gives a row that is int, expected a dict"),
        ("def X(): return {'a': [1], 'y': [1, 2]}", "different lengths: 1 of `a` and 2 of `y`"),
        (FORMS["chunks of columns"].replace("columns or", "columns and 'ab' or"), "lack `y`"),
    ],
)
def test_what_is_no_rows_is_one_clear_line(text: str, said: str) -> None:
    with pytest.raises(OwnCodeError, match=said):
        rows_of(opened(text))
