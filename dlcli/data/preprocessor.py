"""Every column's encoder: the only way from records to tensors, and from answers back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from math import prod
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from dlcli.data.encoders.category import code_type
from dlcli.data.encoders.classes import ClassEncoder
from dlcli.data.encoders.encoder import CellError, Encoder
from dlcli.data.encoders.number import NumberEncoder
from dlcli.data.encoders.parse import numbers
from dlcli.data.encoders.registry import encoder_from_state
from dlcli.data.examples import ResidentExamples
from dlcli.data.sources.cells import texts
from dlcli.data.sources.source import origin
from dlcli.data.spec import CATEGORIES, NUMBERS, Batch, DataSpec, Field, Window
from dlcli.errors import CheckpointError, DataError


@dataclass(frozen=True)
class Preprocessor:
    """Fitted encoders by column, in the order of the fields.

    Attributes:
        inputs: Encoders of the input columns.
        targets: Encoders of the target columns.
        window: How examples are cut from rows in order of time; None where each row is one.
    """

    inputs: Mapping[str, Encoder]
    targets: Mapping[str, Encoder]
    window: Window | None = None

    @cached_property
    def spec(self) -> DataSpec:
        """The fields that a model sees."""
        return DataSpec(
            tuple(encoder.field for encoder in self.inputs.values()),
            tuple(encoder.field for encoder in self.targets.values()),
            self.window,
        )

    @property
    def classes(self) -> tuple[str | int | float | bool, ...]:
        """Class names in the order of their codes; empty for regression."""
        (first, *_) = self.targets.values()
        return first.classes if isinstance(first, ClassEncoder) else ()

    def encode(self, records: pa.RecordBatch, *, among: pa.RecordBatch | None = None) -> Batch:
        """Return records as inputs and targets.

        Args:
            records: Rows with every input and target column.
            among: The batch that they were chosen from, if any: errors name rows there.

        Raises:
            DataError: A cell is not what its column holds; file, row, column and value are named.
        """
        try:
            return Batch(self._encode_inputs(records), self._encode_targets(records))
        except CellError as error:
            raise located(error, records if among is None else among) from error

    def encode_inputs(self, records: pa.RecordBatch) -> dict[str, Tensor]:
        """Return the blocks (N, ...) of `DataSpec.blocks`; targets need not be there.

        Raises:
            DataError: As for `encode`.
        """
        try:
            return self._encode_inputs(records)
        except CellError as error:
            raise located(error, records) from error

    def encode_targets(self, records: pa.RecordBatch) -> Tensor:
        """Return the targets of records; inputs need not be there.

        Raises:
            DataError: As for `encode`.
        """
        try:
            return self._encode_targets(records)
        except CellError as error:
            raise located(error, records) from error

    def _encode_inputs(
        self, records: pa.RecordBatch, notes: dict[str, dict[str, int]] | None = None
    ) -> dict[str, Tensor]:
        return {
            name: self._encode_block(records, name, fields, notes)
            for name, fields in self.spec.blocks.items()
        }

    def _encode_targets(self, records: pa.RecordBatch) -> Tensor:
        encoded = [encoder.encode(records.column(name)) for name, encoder in self.targets.items()]
        if len(encoded) == 1:
            return encoded[0] if self.classes else encoded[0][:, 0]
        return torch.cat(encoded, dim=1)

    def decode(self, answers: Tensor) -> list[Any]:
        """Return targets as people know them.

        Args:
            answers: (N,) class codes, or (N,) or (N, D) numbers as the model gives them.

        Returns:
            N class names, numbers in their units, or lists of D numbers.
        """
        encoders = list(self.targets.values())
        if len(encoders) == 1:
            return encoders[0].decode(answers)
        columns = [encoder.decode(answers[:, [i]]) for i, encoder in enumerate(encoders)]
        return [list(row) for row in zip(*columns, strict=True)]

    def unscale(self, answers: Tensor) -> Tensor:
        """Return regression answers or targets (N,) or (N, D) in their units."""
        encoders = [one for one in self.targets.values() if isinstance(one, NumberEncoder)]
        if len(encoders) == 1:
            return encoders[0].unscale(answers)
        columns = [encoder.unscale(answers[:, i]) for i, encoder in enumerate(encoders)]
        return torch.stack(columns, dim=1)

    def encode_noting(
        self, records: pa.RecordBatch
    ) -> tuple[dict[str, Tensor], dict[str, dict[str, int]]]:
        """Return what `encode_inputs` does, and what is unusual about the cells.

        Returns:
            The blocks; and per input column counts of cells of a kind that training did not show.

        Raises:
            DataError: As for `encode`.
        """
        found: dict[str, dict[str, int]] = {}
        try:
            blocks = self._encode_inputs(records, found)
        except CellError as error:
            raise located(error, records) from error
        return blocks, {name: found[name] for name in self.inputs if found[name]}

    def allocate(self, rows: int) -> ResidentExamples:
        """Return tensors for so many rows, yet to be filled."""
        blocks = {
            name: torch.empty((rows, *_block_shape(name, fields)), dtype=_block_type(fields))
            for name, fields in self.spec.blocks.items()
        }
        if self.classes:
            return ResidentExamples(blocks, torch.empty(rows, dtype=torch.int64))
        shape = (rows,) if len(self.targets) == 1 else (rows, len(self.targets))
        return ResidentExamples(blocks, torch.empty(shape))

    def state(self) -> dict[str, Any]:
        """Return plain JSON data from which the preprocessor can be made again."""
        return {
            "inputs": [encoder.state() for encoder in self.inputs.values()],
            "targets": [encoder.state() for encoder in self.targets.values()],
            "window": asdict(self.window) if self.window else None,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Preprocessor:
        """Return the preprocessor whose `state()` this was, also after a way through JSON.

        Raises:
            CheckpointError: It is no such state.
        """
        try:
            inputs, targets = (
                {str(one["name"]): encoder_from_state(one) for one in state[part]}
                for part in ("inputs", "targets")
            )
            return cls(inputs, targets, _window(state.get("window")))
        except (AttributeError, KeyError, TypeError) as error:
            raise CheckpointError(f"the stored preprocessing is not valid: {error}") from error

    def _encode_block(
        self,
        records: pa.RecordBatch,
        name: str,
        fields: tuple[Field, ...],
        notes: dict[str, dict[str, int]] | None,
    ) -> Tensor:
        if name not in (NUMBERS, CATEGORIES):
            (field,) = fields
            return self._encode_column(records, field.name, notes)
        shape, dtype = _block_shape(name, fields), _block_type(fields)
        block = torch.empty((records.num_rows, *shape), dtype=dtype)
        cells = block.numpy()  # torch's threads cost more here than they save
        start = 0
        for field in fields:
            width = prod(field.shape)
            encoded = self._encode_column(records, field.name, notes)
            cells[:, start : start + width] = encoded.numpy().reshape(-1, width)
            start += width
        return block

    def _encode_column(
        self, records: pa.RecordBatch, name: str, notes: dict[str, dict[str, int]] | None
    ) -> Tensor:
        """Return one input column's tensor; what is unusual about it goes into `notes`."""
        cells, encoder = records.column(name), self.inputs[name]
        if notes is None:
            return encoder.encode(cells)
        if isinstance(encoder, NumberEncoder):
            cells = pa.array(numbers(cells, name))  # read once, NaN where missing
        encoded = encoder.encode(cells)
        notes[name] = encoder.notes(cells, encoded)
        return encoded


def located(error: CellError, records: pa.RecordBatch) -> DataError:
    """Return the error of a cell with its file and row (1-based, the header not counted)."""
    place, first = origin(records)
    array = records.column(error.column)
    is_cell = array.is_null() if error.value is None else _equals(array, error.value)
    index = pc.index(is_cell, value=True).as_py()
    row = f"row {first + index + 1}, " if index >= 0 else ""
    shown = "a value" if error.value is None else _shown(error.value)
    before = f"{place}, {row}" if place else row
    return DataError(f"{before}column `{error.column}`: {shown} {error.reason}")


def _window(state: Mapping[str, Any] | None) -> Window | None:
    if state is None:
        return None
    own: dict[str, Any] = {
        name: tuple(v) if isinstance(v, list) else v for name, v in state.items()
    }
    return Window(**own)


def _equals(array: pa.Array, value: object) -> pa.Array:
    if pa.types.is_nested(array.type):
        wanted = repr(value)  # where NaN is NaN
        return pa.array([repr(cell) == wanted for cell in array.to_pylist()], pa.bool_())
    wanted = texts(pa.array([value]))[0]
    return pc.equal(texts(array), wanted)


def _shown(value: object) -> str:
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _block_shape(name: str, fields: tuple[Field, ...]) -> tuple[int, ...]:
    if name in (NUMBERS, CATEGORIES):
        return (sum(prod(field.shape) for field in fields),)
    return fields[0].shape


def _block_type(fields: tuple[Field, ...]) -> torch.dtype:
    """Return the type of a block as it is stored: of codes, the smallest that holds them."""
    kind = fields[0].kind
    if kind in ("category", "tokens"):
        widest = code_type(max(field.size for field in fields))
        dtype: torch.dtype = getattr(torch, widest.__name__)
        return dtype
    return {"image": torch.uint8, "sound": torch.int16}.get(kind, torch.float32)
