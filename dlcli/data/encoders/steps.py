"""Sequences of numbers: each column scaled, padding marked."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from dlcli.config.data import MissingOptions, Scaling
from dlcli.data.encoders.encoder import CellError
from dlcli.data.encoders.number import NumberEncoder, NumberFit
from dlcli.data.encoders.parse import numbers
from dlcli.data.sources.cells import column_array
from dlcli.data.spec import Field
from dlcli.data.wording import counted

_MEAN = MissingOptions(numeric="mean", indicator=False)


@dataclass(frozen=True)
class StepsEncoder:
    """A column of sequences, each step of which is (x - shift) / scale per column; see `Encoder`.

    A cell is a list of steps: lists of numbers, or records with a name for each.

    Attributes:
        name: The column.
        columns: Names of a step's numbers, F of them.
        shift: Per number, in its units.
        scale: Likewise, above 0.
        fill: Likewise; takes the place of missing ones: the mean of the training steps.
        length: Steps of the longest sequence; of longer ones the last so many are used.
    """

    name: str
    columns: tuple[str, ...]
    shift: tuple[float, ...]
    scale: tuple[float, ...]
    fill: tuple[float, ...]
    length: int

    @property
    def field(self) -> Field:
        """One sequence, the last column of which says where there is a step."""
        return Field(self.name, "steps", (self.length, len(self.columns) + 1))

    @property
    def is_constant(self) -> bool:
        """Return False: it is not looked into."""
        return False

    def encode(self, array: pa.Array) -> Tensor:
        """Return (N, T, F + 1) float32; 0 after the last step."""
        values, counts = _steps(array, self.name, self.columns)  # (all steps, F), (N,)
        values = np.where(np.isnan(values), self.fill, values)
        scaled = (values - self.shift) / self.scale
        row = np.repeat(np.arange(len(counts)), counts)
        if scaled.size and np.abs(scaled).max() > np.finfo(np.float32).max:
            step, column = divmod(int(np.abs(scaled).argmax()), len(self.columns))
            cell = array[int(row[step])].as_py()
            found = f"holds {values[step, column]}, which is too large for a float32 number"
            raise CellError(self.name, cell, found)
        first = np.cumsum(counts) - np.minimum(counts, self.length)  # that is kept
        place = np.arange(len(row)) - first[row]
        kept = place >= 0
        encoded = np.zeros((len(counts), self.length, len(self.columns) + 1), np.float32)
        encoded[row[kept], place[kept], :-1] = scaled[kept]
        encoded[row[kept], place[kept], -1] = 1
        return torch.from_numpy(encoded)

    def decode(self, values: Tensor) -> list[Any]:
        """Return lists of steps, lists of numbers in their units, without padding."""
        scale, shift = torch.tensor(self.scale), torch.tensor(self.shift)
        steps = values[:, :, :-1].double() * scale.double() + shift.double()
        return [one[is_step > 0].tolist() for one, is_step in zip(steps, values[..., -1])]  # noqa: B905

    def notes(self, array: pa.Array, encoded: Tensor) -> dict[str, int]:  # noqa: ARG002
        """Count sequences longer than those of training, and missing values."""
        values, counts = _steps(array, self.name, self.columns)
        found = {
            f"longer than {self.length} steps, of which the last are used": counts > self.length,
            "missing value, taken for the mean of training": np.isnan(values),
        }
        return {what: int(mask.sum()) for what, mask in found.items() if mask.any()}

    def state(self) -> dict[str, Any]:
        """Return plain data."""
        plain = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}
        return {"kind": "steps", **plain}


class StepsFit:
    """Fits a `StepsEncoder`, each column as a `NumberFit` over all steps.

    Args:
        name: The column.
        scaling: How to scale each number of a step.
        max_length: Steps of the longest sequence; None takes that of training.
    """

    def __init__(self, name: str, scaling: Scaling, max_length: int | None) -> None:
        self._name, self._scaling, self._max_length = name, scaling, max_length
        self._fits: dict[str, NumberFit] = {}
        self._longest = 0

    def add(self, array: pa.Array) -> None:
        """Take in training cells, whose steps are records; see `Fit`."""
        if not self._fits:
            names = [field.name for field in array.type.value_type]
            self._fits = {name: NumberFit(name, self._scaling, _MEAN) for name in names}
        values, counts = _steps(array, self._name, tuple(self._fits))
        self._longest = max(self._longest, int(counts.max(initial=0)))
        for fit, column in zip(self._fits.values(), values.T, strict=True):
            fit.add(pa.array(column))

    def again(self) -> bool:
        """Ask once for a second pass if a median or quartile is needed."""
        wishes = [fit.again() for fit in self._fits.values()]  # each is to be asked
        return any(wishes)

    def finish(self) -> StepsEncoder:
        """Return the encoder."""
        columns: list[NumberEncoder] = [fit.finish() for fit in self._fits.values()]
        return StepsEncoder(
            self._name,
            tuple(self._fits),
            shift=tuple(column.shift for column in columns),
            scale=tuple(column.scale for column in columns),
            fill=tuple(column.fill or 0.0 for column in columns),
            length=min(self._longest, self._max_length or self._longest),
        )


def _steps(array: pa.Array, name: str, columns: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return all steps (M, F) float64, NaN where missing, and how many each cell has (N,).

    Raises:
        CellError: Of the first cell that is none.
    """
    try:
        return _read(array, name, columns)
    except CellError:
        for cell in array.to_pylist():
            _check_alone(cell, name, columns)
        raise


def _check_alone(cell: object, name: str, columns: tuple[str, ...]) -> None:
    """Raise the CellError of a cell that is none; a list beside cells of other types is JSON."""
    try:
        value = json.loads(cell) if isinstance(cell, str) else cell
    except (ValueError, RecursionError):
        value = cell
    try:
        _read(column_array([value]), name, columns)
    except CellError as error:
        raise CellError(name, cell, error.reason) from error


def _read(array: pa.Array, name: str, columns: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    if array.null_count:
        raise CellError(name, None, "is missing")
    expected = f"is no list of steps, each {counted(len(columns), 'number')}: {', '.join(columns)}"
    if not pa.types.is_list(array.type):
        raise CellError(name, array[0].as_py() if len(array) else None, expected)
    counts = pc.list_value_length(array).to_numpy(zero_copy_only=False)
    if not counts.all():
        raise CellError(name, [], "has no steps")
    flat = array.flatten()
    if pa.types.is_struct(flat.type):
        there = {field.name for field in flat.type}
        if not there.issuperset(columns):
            raise CellError(name, array[0].as_py(), expected)
        return np.stack([_numbers(flat.field(one), name) for one in columns], 1), counts
    widths = pc.list_value_length(flat) if pa.types.is_list(flat.type) else pa.nulls(len(flat))
    if not pc.all(pc.equal(widths, len(columns)).fill_null(False), min_count=0).as_py():
        raise CellError(name, array[0].as_py(), expected)
    return _numbers(flat.flatten(), name).reshape(-1, len(columns)), counts


def _numbers(array: pa.Array, name: str) -> np.ndarray:
    try:
        return numbers(array, name)
    except CellError as error:
        raise CellError(name, error.value, f"holds {error.value}, which {error.reason}") from error
