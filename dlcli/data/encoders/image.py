"""Images as they are: uint8, C x H x W; the model normalises them by figures kept here."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor
from torch.utils.dlpack import from_dlpack

from dlcli.config.data import NormalizeOptions, PictureFileOptions
from dlcli.data.encoders.encoder import CellError
from dlcli.data.encoders.pixels import image_pixels, image_sizes
from dlcli.data.pictures import Resize
from dlcli.data.spec import Field
from dlcli.errors import ConfigError

_ROWS_AT_ONCE = 256
_LEVELS = np.arange(256)


@dataclass(frozen=True)
class ImageEncoder:
    """A column of images of one size; see `Encoder`.

    A cell is rows of pixels, those as JSON text, or the path of a picture file, which is brought
    to this size.

    Attributes:
        name: The column.
        shape: (C, H, W); C is 1 for grey.
        mean: Per channel, in stored units (0..255).
        std: Likewise; 1 where the channel is constant.
        resize: How a file of another shape is brought to this one; see `PictureFileOptions`.
    """

    name: str
    shape: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    resize: Resize = "crop"

    @property
    def field(self) -> Field:
        """One image."""
        return Field(self.name, "image", self.shape, mean=self.mean, std=self.std)

    @property
    def is_constant(self) -> bool:
        """Return False: a picture is not looked into."""
        return False

    def encode(self, array: pa.Array) -> Tensor:
        """Return (N, C, H, W) uint8; of such bytes a view, which no one may write to."""
        pixels = image_pixels(array, self.name, self.shape, self.resize)
        if pixels.flags.writeable:
            return torch.from_numpy(pixels)
        # by way of Arrow: `from_numpy` warns of memory that may not be written
        return from_dlpack(pa.array(pixels.reshape(-1))).view(pixels.shape)

    def decode(self, values: Tensor) -> list[Any]:
        """Return rows of pixels: H lists of W numbers, or C lists of those."""
        images: list[Any] = (values.squeeze(1) if self.shape[0] == 1 else values).tolist()
        return images

    def notes(self, array: pa.Array, encoded: Tensor) -> dict[str, int]:  # noqa: ARG002
        """Return nothing."""
        return {}

    def state(self) -> dict[str, Any]:
        """Return plain data."""
        plain = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}
        return {"kind": "image", **plain}


class ImageFit:
    """Fits an `ImageEncoder` in one pass; it counts how often each value occurs, so is exact.

    Args:
        name: The column.
        files: How picture files become pixels.
        normalize: Given figures; None takes those of the training rows.
    """

    def __init__(
        self, name: str, files: PictureFileOptions, normalize: NormalizeOptions | None
    ) -> None:
        self._name, self._files, self._normalize = name, files, normalize
        self._shape: tuple[int, int, int] | None = None
        self._counts = np.zeros((0, 256), np.int64)
        self._is_grey = True

    def add(self, array: pa.Array) -> None:
        """Take in training cells; see `Fit`."""
        if not len(array):
            return
        if self._shape is None:
            sizes = image_sizes(array)
            if not sizes:
                expected = "is not an image: rows of pixels, H lists of W numbers"
                raise CellError(self._name, array[0].as_py(), expected)
            channels, height, width = [1, *sizes][-3:]
            channels = {"grey": 1, "rgb": 3}.get(self._files.mode, channels)
            self._shape = (channels, height, width)
            self._is_grey = self._files.mode != "rgb" and channels in (1, 3)
            self._counts = np.zeros((channels, 256), np.int64)
        pixels = image_pixels(array, self._name, self._shape, self._files.resize)
        for start in range(0, len(pixels), _ROWS_AT_ONCE):
            some = pixels[start : start + _ROWS_AT_ONCE]
            self._is_grey = self._is_grey and bool((some == some[:, :1]).all())
            for channel, counts in enumerate(self._counts):
                counts += np.bincount(some[:, channel].reshape(-1), minlength=256)

    def again(self) -> bool:
        """Return False: one pass is enough."""
        return False

    def finish(self) -> ImageEncoder:
        """Return the encoder, a grey one if no training pixel has a colour.

        Raises:
            ConfigError: The figures given are for another number of channels.
        """
        if self._shape is None:
            raise CellError(self._name, None, "is missing in every training row")
        counts = self._counts[:1] if self._is_grey else self._counts
        shape = (len(counts), *self._shape[1:])
        mean, std = _given(self._normalize, len(counts)) or _moments(counts)
        return ImageEncoder(self._name, shape, mean, std, self._files.resize)


_Figures = tuple[tuple[float, ...], tuple[float, ...]]


def _moments(counts: np.ndarray) -> _Figures:
    """Return mean and deviation of each channel, from how often each value (C, 256) occurs."""
    means: list[float] = []
    deviations: list[float] = []
    for channel in counts:
        count, total = int(channel.sum()), int(channel @ _LEVELS)
        squares = int(channel @ _LEVELS**2)
        means.append(total / count)
        deviations.append(math.sqrt((count * squares - total**2) / count**2) or 1.0)
    return tuple(means), tuple(deviations)


def _given(figures: NormalizeOptions | None, channels: int) -> _Figures | None:
    """Return figures for values from 0 to 1 in stored units; one serves every channel."""
    if figures is None:
        return None
    if len(figures.mean) not in (1, channels):
        raise ConfigError(
            f"`normalize` is for {len(figures.mean)} channels, and the pictures have {channels}",
            path=("data", "normalize"),
            suggestion="give one figure, or one for each channel",
        )
    mean, std = (
        tuple(255 * value for value in (values * channels if len(values) == 1 else values))
        for values in (figures.mean, figures.std)
    )
    return mean, std
