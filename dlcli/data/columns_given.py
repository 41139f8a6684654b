"""Columns as Python has them, lists, arrays, tensors or a data frame, as one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import pyarrow as pa
from torch import Tensor

from dlcli.data.spec import Field
from dlcli.errors import DataError


class ArrowTable(Protocol):
    """What can be handed over as Arrow: a table of pyarrow, a data frame of pandas or polars.

    https://arrow.apache.org/docs/format/CDataInterface/PyCapsuleInterface.html
    """

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...


Columns = Mapping[str, object] | ArrowTable
"""N values by column name: a list, an array or a tensor each; or a table."""


def as_table(columns: Columns, fields: Sequence[Field]) -> pa.Table:
    """Return columns as a table; arrays are not copied where they need not be.

    Args:
        columns: Pictures are (N, H, W), (N, H, W, C) or (N, C, H, W) of values from 0 to 255.
        fields: The model's inputs.

    Raises:
        DataError: They are no columns, or differ in length.
    """
    shapes = {field.name: field.shape for field in fields if field.kind == "image"}
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
