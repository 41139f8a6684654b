"""Images as they are: uint8, C x H x W; the model normalises them by figures kept here."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from dlcli.data.encoders.encoder import CellError
from dlcli.data.encoders.parse import numbers
from dlcli.data.spec import Field


@dataclass(frozen=True)
class ImageEncoder:
    """A column of images of one size; see `Encoder`.

    Attributes:
        name: The column.
        shape: (C, H, W).
        mean: Per channel, over the training rows, in stored units (0..255).
        std: Likewise; 1 where the channel is constant.
    """

    name: str
    shape: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def field(self) -> Field:
        """One image."""
        return Field(self.name, "image", self.shape, mean=self.mean, std=self.std)

    @property
    def is_constant(self) -> bool:
        """Return False: a picture is not looked into."""
        return False

    def encode(self, array: pa.Array) -> Tensor:
        """Return (N, C, H, W) uint8."""
        return torch.from_numpy(_pixels(array, self.name, self.shape).copy())

    def decode(self, values: Tensor) -> list[Any]:
        """Return rows of pixels: H lists of W numbers, or C lists of those."""
        images: list[Any] = (values.squeeze(1) if self.shape[0] == 1 else values).tolist()
        return images

    def notes(self, array: pa.Array) -> dict[str, int]:  # noqa: ARG002 - nothing to note
        """Return nothing."""
        return {}

    def state(self) -> dict[str, Any]:
        """Return plain data."""
        plain = {key: list(value) for key, value in asdict(self).items() if key != "name"}
        return {"kind": "image", "name": self.name, **plain}


class ImageFit:
    """Fits an `ImageEncoder` in one pass; sums are of integers, so exact.

    Args:
        name: The column.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._shape: tuple[int, int, int] | None = None
        self._count = 0
        self._sums: np.ndarray = np.zeros(0)
        self._squares: np.ndarray = np.zeros(0)

    def add(self, array: pa.Array) -> None:
        """Take in training cells; see `Fit`."""
        if not len(array):
            return
        if self._shape is None:
            self._shape = _shape(array[0].as_py(), self._name)
            self._sums = np.zeros(self._shape[0], np.int64)
            self._squares = np.zeros(self._shape[0], np.int64)
        pixels = _pixels(array, self._name, self._shape).astype(np.int64)
        self._count += pixels.size // self._shape[0]
        self._sums += pixels.sum(axis=(0, 2, 3))
        self._squares += np.square(pixels).sum(axis=(0, 2, 3))

    def again(self) -> bool:
        """Return False: one pass is enough."""
        return False

    def finish(self) -> ImageEncoder:
        """Return the encoder."""
        if self._shape is None:
            raise CellError(self._name, None, "is missing in every training row")
        mean = [int(total) / self._count for total in self._sums]
        spread = [
            (self._count * int(squares) - int(total) ** 2) / self._count**2
            for squares, total in zip(self._squares, self._sums, strict=True)
        ]
        std = tuple(math.sqrt(value) or 1.0 for value in spread)
        return ImageEncoder(self._name, self._shape, tuple(mean), std)


def _shape(image: object, column: str) -> tuple[int, int, int]:
    try:
        shape = np.array(json.loads(image) if isinstance(image, str) else image).shape
    except ValueError as error:
        raise CellError(column, image, "is not an image") from error
    if len(shape) == 2:
        return (1, *shape)
    if len(shape) == 3:
        return shape
    raise CellError(column, image, "is not an image: rows of pixels, H lists of W numbers")


def _pixels(array: pa.Array, column: str, shape: tuple[int, int, int]) -> np.ndarray:
    """Return images (N, C, H, W) uint8."""
    if array.null_count:
        raise CellError(column, None, "is missing")
    expected = f"is not an image of {shape[1]} rows of {shape[2]} pixels from 0 to 255"
    if pa.types.is_string(array.type):
        try:
            array = pa.array([json.loads(text) for text in array.to_pylist()])
        except ValueError as error:
            raise CellError(column, array[0].as_py(), expected) from error
    sizes = shape[1:] if shape[0] == 1 else shape
    flat = array
    for size in sizes:
        if not _has_length(flat, size):
            raise CellError(column, array[0].as_py(), expected)
        flat = flat.flatten()
    values = numbers(flat, column)
    if len(values) != len(array) * math.prod(shape) or not _are_bytes(values):
        raise CellError(column, array[0].as_py(), expected)
    return values.astype(np.uint8).reshape(len(array), *shape)


def _has_length(array: pa.Array, size: int) -> bool:
    if pa.types.is_fixed_size_list(array.type):
        return bool(array.type.list_size == size)
    if not pa.types.is_list(array.type) or array.null_count:
        return False
    return bool((np.diff(array.offsets.to_numpy()) == size).all())


def _are_bytes(values: np.ndarray) -> bool:
    return bool(((values >= 0) & (values <= 255) & (values == np.floor(values))).all())
