"""Cells of any type as numbers or truth values, with the first one that is neither named."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dlcli.data.encoders.encoder import CellError

_TRUE, _FALSE = ["true", "yes", "t", "y", "1"], ["false", "no", "f", "n", "0"]


def numbers(array: pa.Array, column: str) -> np.ndarray:
    """Return cells as float64 (N,), NaN where missing.

    Raises:
        CellError: A cell is no number, or an infinite one.
    """
    is_read = array.type == pa.float64()
    try:
        cast = array if is_read else pc.cast(array, pa.float64(), safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise CellError(column, _not_a_number(array), "is not a number") from error
    values: np.ndarray = cast.to_numpy(zero_copy_only=False)
    if not is_finite(values) and np.isinf(values).any():
        cell = array[int(np.isinf(values).argmax())].as_py()
        is_digits = isinstance(cell, str) and any(sign.isdigit() for sign in cell)
        raise CellError(column, cell, "is too large for a number" if is_digits else "is infinite")
    return values


def is_finite(values: np.ndarray) -> bool:
    """Say whether none is NaN or infinite, in one pass; of huge ones whose sum is so, say no."""
    with np.errstate(over="ignore", invalid="ignore"):
        return math.isfinite(values.sum())


def booleans(array: pa.Array, column: str) -> pa.Array:
    """Return cells as truth values: true/false, yes/no, 1/0 in any case.

    Raises:
        CellError: A cell is none of these.
    """
    if pa.types.is_boolean(array.type):
        return array
    if not pa.types.is_string(array.type):
        array = pc.cast(pc.cast(array, pa.int64(), safe=False), pa.string())
    words = pc.utf8_lower(array)
    is_true = pc.is_in(words, value_set=pa.array(_TRUE))
    is_known = pc.or_(is_true, pc.is_in(words, value_set=pa.array([*_FALSE, None], pa.string())))
    if not pc.all(is_known).as_py() and len(array):
        value = array.filter(pc.invert(is_known))[0].as_py()
        raise CellError(column, value, "is neither true nor false")
    return pc.if_else(pc.is_valid(array), is_true, pa.scalar(None, pa.bool_()))


def _not_a_number(array: pa.Array) -> object:
    """Return the first cell that is no number."""
    for value in array.to_pylist():
        try:
            if value is not None:
                float(value)
        except (TypeError, ValueError):
            return value
    return array[0].as_py()
