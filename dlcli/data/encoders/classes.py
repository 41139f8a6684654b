"""Classes of a target as codes; there is no code for an unknown one."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from dlcli.data.encoders.encoder import CellError
from dlcli.data.encoders.parse import booleans, numbers
from dlcli.data.sources.cells import texts
from dlcli.data.spec import Field

ClassKind = Literal["text", "number", "boolean"]
_TYPES = {"text": pa.string(), "number": pa.float64(), "boolean": pa.bool_()}


@dataclass(frozen=True)
class ClassEncoder:
    """A target of classes; see `Encoder`.

    Attributes:
        name: The column.
        cells: What the classes are.
        classes: In the order of their codes: texts sorted, numbers by size, false before true.
    """

    name: str
    cells: ClassKind
    classes: tuple[str | int | float | bool, ...]

    @property
    def field(self) -> Field:
        """One code."""
        return Field(self.name, "category", (), len(self.classes))

    @property
    def is_constant(self) -> bool:
        """There is one class only."""
        return len(self.classes) < 2

    def encode(self, array: pa.Array) -> Tensor:
        """Return codes (N,) int64."""
        given = class_values(array, self.name, self.cells)
        place = pc.index_in(given, value_set=pa.array(self.classes, _TYPES[self.cells]))
        if given.null_count:
            raise CellError(self.name, None, "is missing, but it is the target")
        if place.null_count:
            value = array[place.is_null().to_numpy(zero_copy_only=False).argmax()].as_py()
            shown = ", ".join(map(str, self.classes[:10])) + (", ..." * (len(self.classes) > 10))
            raise CellError(self.name, value, f"is no class of the training rows ({shown})")
        return torch.from_numpy(place.to_numpy(zero_copy_only=False).astype(np.int64))

    def decode(self, values: Tensor) -> list[str | int | float | bool]:
        """Return the classes by name."""
        return [self.classes[code] for code in values.tolist()]

    def notes(self, array: pa.Array, encoded: Tensor) -> dict[str, int]:  # noqa: ARG002
        """Return nothing: what is unknown is an error."""
        return {}

    def state(self) -> dict[str, Any]:
        """Return plain data."""
        return {"kind": "class", **asdict(self), "classes": list(self.classes)}


class ClassFit:
    """Fits a `ClassEncoder` in one pass.

    Args:
        name: The target.
        cells: What its classes are.
    """

    def __init__(self, name: str, cells: ClassKind) -> None:
        self._name, self._cells = name, cells
        self._counts: Counter[Any] = Counter()

    def add(self, array: pa.Array) -> None:
        """Take in training cells; see `Fit`."""
        given = class_values(array, self._name, self._cells)
        for entry in pc.value_counts(given.drop_null()).to_pylist():
            self._counts[entry["values"]] += entry["counts"]

    def again(self) -> bool:
        """Return False: one pass is enough."""
        return False

    def finish(self) -> ClassEncoder:
        """Return the encoder."""
        classes = tuple(_whole(value) for value in sorted(self._counts))
        return ClassEncoder(self._name, self._cells, classes)


def class_values(array: pa.Array, column: str, cells: ClassKind) -> pa.Array:
    """Return cells as texts, numbers or truth values, null where missing."""
    if cells == "number":
        return pa.array(numbers(array, column), from_pandas=True)
    return booleans(array, column) if cells == "boolean" else texts(array)


def _whole(value: Any) -> Any:
    is_whole = isinstance(value, float) and value.is_integer() and abs(value) < 2**53
    return int(value) if is_whole else value
