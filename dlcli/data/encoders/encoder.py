"""What every encoder and every fit of one offers."""

from __future__ import annotations

from typing import Any, Protocol

import pyarrow as pa
from torch import Tensor

from dlcli.data.spec import Field


class CellError(ValueError):
    """A cell that an encoder does not take; `Preprocessor` adds file and row.

    Args:
        column: Its column.
        value: The cell; None where it is missing.
        reason: What is wrong with it and what was expected.
    """

    def __init__(self, column: str, value: object, reason: str) -> None:
        super().__init__(reason)
        self.column, self.value, self.reason = column, value, reason


class Encoder(Protocol):
    """A fitted column: frozen, and wholly described by its state."""

    @property
    def field(self) -> Field:
        """What the column looks like to a model."""

    @property
    def is_constant(self) -> bool:
        """Training showed one value only."""

    def encode(self, array: pa.Array) -> Tensor:
        """Return cells as a tensor (N, *field.shape).

        Raises:
            CellError: A cell is not what the column holds.
        """

    def decode(self, values: Tensor) -> list[Any]:
        """Return what was encoded: classes by name, numbers in their units; N entries."""

    def notes(self, array: pa.Array, encoded: Tensor) -> dict[str, int]:
        """Count cells that training did not show, by what is unusual; empty if there are none.

        Args:
            array: The cells.
            encoded: What `encode` made of them.
        """

    def state(self) -> dict[str, Any]:
        """Return plain JSON data, `kind` among it, from which the encoder can be made again."""


class Fit(Protocol):
    """An encoder in the making; it is shown training rows only, chunk by chunk."""

    def add(self, array: pa.Array) -> None:
        """Take in the next training cells."""

    def again(self) -> bool:
        """Say, after a pass, whether the fit needs to be shown the same cells once more."""

    def finish(self) -> Encoder:
        """Return the fitted encoder."""
