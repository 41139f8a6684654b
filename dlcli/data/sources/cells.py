"""One treatment for every cell, wherever it came from: strip, missing values, replacements."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import PurePath

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dlcli.data.sources.dialect import Dialect, cell_text
from dlcli.errors import DataError


def clean(array: pa.Array, column: str, dialect: Dialect, *, nulled: bool = False) -> pa.Array:
    """Return a column's cells stripped, then null where missing, then replaced.

    Args:
        array: Cells of any type.
        column: Its name, for `replace`.
        dialect: What to strip, what is missing, what to replace.
        nulled: The reader has matched missing values already; only stripping can show new ones.
    """
    changes = dialect.replace.get(column)
    array = _plain(array)
    if changes and not pa.types.is_string(array.type) and not pa.types.is_nested(array.type):
        array = texts(array)
    if pa.types.is_floating(array.type) or pa.types.is_integer(array.type):
        return _clean_numbers(array, dialect)
    if not pa.types.is_string(array.type):
        return array
    stripped = dialect.strip and _has_space(array)
    if stripped:
        array = pc.ascii_trim_whitespace(array)
    if stripped or not nulled:
        missing = pc.is_in(array, value_set=pa.array(dialect.na_values, pa.string()))
        array = pc.if_else(missing, pa.scalar(None, pa.string()), array)
    return _replace(array, changes) if changes else array


def texts(array: pa.Array) -> pa.Array:
    """Return cells as texts: `1` for 1 and 1.0, `true` for true, dates in ISO form."""
    if pa.types.is_string(array.type):
        return array
    if pa.types.is_integer(array.type) or pa.types.is_temporal(array.type):
        return pc.cast(array, pa.string())
    values = array.to_pylist()
    return pa.array([None if value is None else _text(value) for value in values], pa.string())


def column_array(values: Sequence[object]) -> pa.Array:
    """Return one column of parsed JSON or YAML values; texts where their types differ.

    Raises:
        DataError: A text has half of a character.
    """
    try:
        array = pa.array(values)
    except UnicodeEncodeError as error:
        raise DataError(f"a text is no Unicode text: {error}") from error
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        given = [None if value is None else _text(value) for value in values]
        return pa.array(given, pa.string())
    return array.cast(pa.string()) if pa.types.is_null(array.type) else array


def records_batch(
    records: Sequence[Mapping[str, object]], columns: Sequence[str]
) -> pa.RecordBatch:
    """Return records as a batch of these columns; a key that a record lacks is null there."""
    arrays = [column_array([record.get(name) for record in records]) for name in columns]
    return pa.record_batch(arrays, names=list(columns))


def _text(value: object) -> str:
    if isinstance(value, str | int | float):
        return cell_text(value)
    return str(value) if isinstance(value, PurePath) else json.dumps(value, default=str)


def _plain(array: pa.Array) -> pa.Array:
    """Return the array with its type among string, integer, float, bool, time and list."""
    arrow_type = array.type
    if pa.types.is_dictionary(arrow_type):
        return _plain(array.dictionary_decode())
    if pa.types.is_large_string(arrow_type) or pa.types.is_string_view(arrow_type):
        return array.cast(pa.string())
    if pa.types.is_null(arrow_type):
        return array.cast(pa.string())
    if pa.types.is_decimal(arrow_type) or pa.types.is_float16(arrow_type):
        return array.cast(pa.float64())
    return array


def _clean_numbers(array: pa.Array, dialect: Dialect) -> pa.Array:
    if pa.types.is_floating(array.type) and pc.any(pc.is_nan(array)).as_py():
        array = pc.if_else(pc.is_nan(array), pa.scalar(None, array.type), array)
    markers = list(filter(np.isfinite, map(_number, dialect.na_values)))
    if markers:
        missing = pc.is_in(pc.cast(array, pa.float64()), value_set=pa.array(markers, pa.float64()))
        array = pc.if_else(missing, pa.scalar(None, array.type), array)
    return array


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _has_space(array: pa.Array) -> bool:
    """Say whether any byte of the texts is white space: far cheaper than stripping each."""
    data = array.buffers()[2]
    return data is not None and bool((np.frombuffer(data, np.uint8) <= 32).any())


def _replace(array: pa.Array, changes: Mapping[str, str | None]) -> pa.Array:
    old, new = pa.array(list(changes), pa.string()), pa.array(list(changes.values()), pa.string())
    place = pc.index_in(array, value_set=old)
    return pc.if_else(pc.is_valid(place), pc.take(new, place), array)
