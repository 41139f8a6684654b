"""Cells of any kind as pixels: rows of numbers, those as JSON, or paths; knows no statistics."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from dlcli.data.encoders.encoder import CellError
from dlcli.data.encoders.parse import numbers
from dlcli.data.pictures import PictureError, Resize, decoded, with_channels
from dlcli.data.sources.files import is_file

_NO_IMAGES = (CellError, pa.ArrowInvalid, pa.ArrowTypeError, OverflowError)
"""What lists that are no images raise on their way to an array."""
_PLAIN = (pa.int64(), pa.float64(), pa.float32(), pa.int32(), pa.int16(), pa.uint16())
_VALUES_AT_ONCE = 1 << 16
"""So many stay near the processor between a copy and a comparison."""


def image_sizes(array: pa.Array) -> list[int]:
    """Return [H, W] or [C, H, W] of the first cell; nothing where it is no image."""
    sizes, own = [], array.type
    while pa.types.is_fixed_size_list(own):
        sizes.append(own.list_size)
        own = own.value_type
    if not sizes:
        cell = array[0].as_py()
        try:
            sizes = list(np.array(json.loads(cell) if isinstance(cell, str) else cell).shape)
        except (ValueError, RecursionError):  # rows of several lengths, or no JSON
            return []
    return sizes if len(sizes) in (2, 3) else []


def image_pixels(
    array: pa.Array, column: str, shape: tuple[int, int, int], resize: Resize
) -> np.ndarray:
    """Return images (N, C, H, W) uint8; where the cells are such bytes already, a view of them."""
    if array.null_count:
        raise CellError(column, None, "is missing")
    if not len(array):
        return np.empty((0, *shape), np.uint8)
    if not pa.types.is_string(array.type):
        return _from_lists(array, column, shape)
    texts = array.to_pylist()
    cells = [_path_or_rows(text, column, shape) for text in texts]
    if not any(isinstance(cell, str) for cell in cells):
        try:
            return _from_lists(pa.array(cells), column, shape)
        except _NO_IMAGES:  # some are none, or they are grey and coloured: each for itself
            return np.concatenate(
                [_from_rows(*pair, column, shape) for pair in zip(cells, texts, strict=True)]
            )

    def read(cell: Any, text: str) -> np.ndarray:
        if isinstance(cell, str):
            return _from_file(cell, column, shape, resize)
        return _from_rows(cell, text, column, shape)

    with ThreadPoolExecutor() as pool:
        return np.concatenate(list(pool.map(read, cells, texts)))


def _path_or_rows(text: str, column: str, shape: tuple[int, int, int]) -> Any:
    """Return what a text is: JSON, or the path of a file."""
    if text[:1] not in {"[", '"'}:
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        if is_file(Path(text)):
            return text
        raise CellError(column, text, _expected(shape)) from error


def _from_file(name: str, column: str, shape: tuple[int, int, int], resize: Resize) -> np.ndarray:
    """Return the picture of a file (1, C, H, W)."""
    try:
        pixels = decoded(Path(name).read_bytes(), shape[1:], resize)
    except (OSError, ValueError) as error:
        reason = str(error) if isinstance(error, PictureError) else "is no file that can be read"
        raise CellError(column, name, reason) from error
    return with_channels(pixels[None], shape[0])


def _from_rows(cell: Any, text: str, column: str, shape: tuple[int, int, int]) -> np.ndarray:
    """Return the image (1, C, H, W) that a JSON text holds."""
    try:
        return _from_lists(pa.array([cell]), column, shape)
    except _NO_IMAGES as error:
        raise CellError(column, text, _expected(shape)) from error


def _from_lists(array: pa.Array, column: str, shape: tuple[int, int, int]) -> np.ndarray:
    """Return images (N, C, H, W) from lists, which may have another number of channels."""
    sizes = image_sizes(array)
    if not sizes:
        raise CellError(column, array[0].as_py(), _expected(shape))
    given = [1, *sizes][-3:]
    is_convertible = given[0] == shape[0] or {given[0], shape[0]} == {1, 3}
    flat = array
    for size in sizes:
        if (*given[1:],) != shape[1:] or not is_convertible or not _has_length(flat, size):
            raise CellError(column, array[0].as_py(), _expected(shape))
        flat = flat.flatten()
    values = _bytes(flat, column)
    if values is None or len(values) != len(array) * math.prod(given):
        raise CellError(column, array[0].as_py(), _expected(shape))
    return with_channels(values.reshape(len(array), *given), shape[0])


def _expected(shape: Sequence[int]) -> str:
    return f"is not an image of {shape[1]} rows of {shape[2]} pixels from 0 to 255"


def _has_length(array: pa.Array, size: int) -> bool:
    if pa.types.is_fixed_size_list(array.type):
        return bool(array.type.list_size == size)
    if not pa.types.is_list(array.type) or array.null_count:
        return False
    return bool((np.diff(array.offsets.to_numpy()) == size).all())


def _bytes(array: pa.Array, column: str) -> np.ndarray | None:
    """Return values as uint8, without a copy where they are; None where some are no bytes."""
    if array.type == pa.uint8() and not array.null_count:
        view: np.ndarray = array.to_numpy()
        return view
    if array.type in _PLAIN and not array.null_count:
        found = _whole(array.to_numpy())
        if found is not None:
            return found
    values = numbers(array, column)  # says which one is infinite
    if not ((values >= 0) & (values <= 255) & (values == np.floor(values))).all():
        return None
    return values.astype(np.uint8)


def _whole(values: np.ndarray) -> np.ndarray | None:
    """Return values that are 0, 1, ... 255 as uint8, without a copy as float64; None for others."""
    found = np.empty(len(values), np.uint8)
    with np.errstate(invalid="ignore"):  # what is no byte becomes one that it does not equal
        for start in range(0, len(values), _VALUES_AT_ONCE):
            some = slice(start, start + _VALUES_AT_ONCE)
            found[some] = values[some]
            if not (found[some] == values[some]).all():
                return None
    return found
