"""Columns and pictures as Python has them, lists, arrays, tensors or a data frame, as Arrow's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import pyarrow as pa
from torch import Tensor

from dlcli.data.sources.cells import column_array
from dlcli.data.sources.source import origin
from dlcli.data.spec import Field
from dlcli.errors import DataError


class ArrowTable(Protocol):
    """What can be handed over as Arrow: a table of pyarrow, a data frame of pandas or polars.

    https://arrow.apache.org/docs/format/CDataInterface/PyCapsuleInterface.html
    """

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...


Columns = Mapping[str, object] | ArrowTable
"""N values by column name: a list, an array or a tensor each; or a table."""
Record = Mapping[str, object]
Pictures = Mapping[str, tuple[Sequence[np.ndarray | Tensor], Field]]
"""The pictures of N records by column name."""


def as_table(columns: Columns, fields: Sequence[Field]) -> pa.Table:
    """Return columns as a table; arrays are not copied where they need not be.

    Args:
        columns: Pictures are (N, H, W), (N, H, W, C) or (N, C, H, W) of values from 0 to 255.
        fields: The model's inputs.

    Raises:
        DataError: They are no columns, or differ in length.
    """
    shapes = {name: field.shape for name, field in _images(fields).items()}
    try:
        if isinstance(columns, Mapping):
            return pa.table({n: _cells(cells, shapes.get(n)) for n, cells in columns.items()})
        return pa.table(columns)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise DataError(
            f"these are no columns: {error}",
            suggestion="give lists or arrays of one length by name, or a list of records: "
            f'[{{"{fields[0].name}": ...}}]',
        ) from error


def apart(records: Sequence[Record], fields: Sequence[Field]) -> tuple[Sequence[Record], Pictures]:
    """Return records with null for their pictures, and the pictures, if all are arrays or tensors.

    Where only some are, these become rows of pixels, and none is returned apart.

    Args:
        records: A picture is (H, W), (H, W, C) or (C, H, W) of values from 0 to 255, a path, or
            rows of pixels.
        fields: The model's inputs.
    """
    pictures: dict[str, tuple[list[np.ndarray | Tensor], Field]] = {}
    for name, field in _images(fields).items():
        found = [record.get(name) for record in records]
        arrays = [cell for cell in found if isinstance(cell, np.ndarray | Tensor)]
        if not arrays:
            continue
        if len(arrays) == len(found):
            pictures[name] = arrays, field
            records = [{**record, name: None} for record in records]
        else:
            records = [
                {**record, name: _pixels(cell, field).tolist()}
                if isinstance(cell := record.get(name), np.ndarray | Tensor)
                else record
                for record in records
            ]
    return records, pictures


def with_pictures(batch: pa.RecordBatch, pictures: Pictures) -> pa.RecordBatch:
    """Return records that were read by `apart` with their pictures; the batch says which rows."""
    first = origin(batch)[1]
    for name, (arrays, field) in pictures.items():
        cells = _stacked(arrays[first : first + batch.num_rows], field)
        batch = batch.set_column(batch.schema.get_field_index(name), name, cells)
    return batch


def _stacked(arrays: Sequence[np.ndarray | Tensor], field: Field) -> pa.Array:
    """Return pictures as lists of fixed size; of several sizes, each as a list of rows."""
    pixels = [_pixels(array, field) for array in arrays]
    try:
        return pa.array(_cells(np.stack(pixels), None))
    except (pa.ArrowException, ValueError):
        return column_array([array.tolist() for array in pixels])


def _pixels(array: np.ndarray | Tensor, field: Field) -> np.ndarray:
    """Return (H, W), (H, W, C) or (C, H, W) with colours first.

    The model's own pictures (C, H, W) tell one order from the other.
    """
    values = array.detach().cpu().numpy() if isinstance(array, Tensor) else array
    has_colours_last = values.ndim == 3 and values.shape[:2] == field.shape[1:]
    return values.transpose(2, 0, 1) if has_colours_last else values


def _images(fields: Sequence[Field]) -> dict[str, Field]:
    return {field.name: field for field in fields if field.kind == "image"}


def _cells(cells: object, shape: tuple[int, ...] | None) -> object:
    """Return N cells as Arrow takes them: of an array (N, ...) lists of fixed size."""
    array = cells.detach().cpu().numpy() if isinstance(cells, Tensor) else cells
    if not isinstance(array, np.ndarray) or array.ndim < 2:
        return array
    if shape is not None and array.ndim == 4 and array.shape[1:3] == shape[1:]:
        array = array.transpose(0, 3, 1, 2)  # colours last: (N, H, W, C)
    found = pa.array(np.ascontiguousarray(array).reshape(-1))
    for size in array.shape[:0:-1]:
        found = pa.FixedSizeListArray.from_arrays(found, size)
    return found
