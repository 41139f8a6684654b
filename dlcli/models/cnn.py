"""Convolutional networks, over pictures (2-D) and over sequences (1-D)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlcli.config.model import Activation, CNNOptions
from dlcli.errors import ConfigError
from dlcli.models.activations import ACTIVATIONS
from dlcli.models.features import Features, Shape
from dlcli.models.normalization import BatchNorm
from dlcli.models.pooling import step_mask

Size = TypeVar("Size", int, Tensor)


class CNN(nn.Module):
    """Stages in a row; what they see beyond a sequence's end is zero, as beyond a picture's edge.

    Raises:
        ConfigError: The picture is too small for the stages, or sequences of varying length are to
            be flattened.
    """

    def __init__(self, options: CNNOptions, shape: Shape) -> None:
        super().__init__()
        self.is_image = shape.form == "image"
        if shape.varies and options.pooling == "flatten":
            raise ConfigError(
                "`pooling: flatten` needs sequences of one length, and these vary",
                path=("model", "pooling"),
                suggestion="`pooling: max` or `mean`",
            )
        before, *sizes = shape.sizes if self.is_image else reversed(shape.sizes)
        self.stages = nn.ModuleList()
        for number, after in enumerate(options.channels, 1):
            stage = Stage(options, before, after, sizes)
            if self.is_image and min(stage.sizes) < 1:
                seen = " x ".join(map(str, sizes))
                raise ConfigError(
                    f"stage {number} of `channels` sees {seen} pixels, too few for `kernel_size: "
                    f"{options.kernel_size}`",
                    path=("model", "channels"),
                    suggestion="fewer stages, `pool: 1`, or a smaller `kernel_size` or `stride`",
                )
            self.stages.append(stage)
            before, sizes = after, stage.sizes
        self.out = replace(
            shape,
            sizes=(before, *sizes) if self.is_image else (*sizes, before),
            pooling=options.pooling,
            dropout=options.dropout,
        )

    def forward(self, features: Features) -> Features:
        """Values (N, C, H, W) or (N, T, F) -> values of the same form, (N, *out)."""
        values, lengths = features
        if self.is_image:
            for stage in self.stages:
                values = stage(values).values
            return Features(values)
        values = _zero_beyond(values.transpose(1, 2), lengths)  # (N, F, T)
        for stage in self.stages:
            values, lengths = stage(values, lengths)
        return Features(values.transpose(1, 2), lengths)


class Stage(nn.Module):
    """Convolutions in a row, then max pooling.

    Attributes:
        sizes: (H, W) or (T,) of what comes out.
    """

    def __init__(self, options: CNNOptions, before: int, after: int, sizes: list[int]) -> None:
        super().__init__()
        own = Places(options.kernel_size, stride=options.stride, padding=options.padding)
        self.convolutions = nn.ModuleList()
        for number in range(options.depth):
            places = own if number == 0 else replace(own, stride=1)
            width = before if number == 0 else after
            self.convolutions.append(Convolution(options, width, after, places, len(sizes)))
            sizes = [places.count(size) for size in sizes]
        self.is_residual = options.residual
        reduces = before != after or options.stride > 1
        self.shortcut = (
            Convolution(
                options, before, after, Places(1, stride=options.stride), len(sizes), "identity"
            )
            if self.is_residual and reduces
            else None
        )
        size = options.pool
        self.size = size
        if len(sizes) == 2:  # an axis that is shorter than the pool is left as it is
            pools = [size if length >= size else 1 for length in sizes]
            self.sizes = [length // pool for length, pool in zip(sizes, pools, strict=True)]
            self.pool: nn.Module = nn.MaxPool2d(tuple(pools))
        else:
            self.sizes = [-(-max(length, 1) // size) for length in sizes]
            self.pool = nn.MaxPool1d(size, ceil_mode=True)

    def forward(self, values: Tensor, lengths: Tensor | None = None) -> Features:
        """Values (N, C, H, W), or (N, C, T) that are zero beyond their lengths -> the same form."""
        beside = None
        if self.is_residual:
            beside = values if self.shortcut is None else self.shortcut(values, lengths).values
        *rest, last = self.convolutions
        for convolution in rest:
            values, lengths = convolution(values, lengths)
        values, lengths = last(values, lengths, beside)
        if self.size == 1:
            return Features(values, lengths)
        if lengths is None:
            return Features(self.pool(values))
        values = self.pool(values.masked_fill(~_steps(values, lengths), -torch.inf))
        lengths = -(-lengths // self.size)
        return Features(_zero_beyond(values, lengths), lengths)


@dataclass(frozen=True)
class Places:
    """Where a convolution looks; along each axis alike.

    Attributes:
        kernel_size: Pixels or steps that it sees.
        stride: From one place to the next.
        padding: Zeros on each side; None is half the kernel.
    """

    kernel_size: int
    stride: int = 1
    padding: int | None = None

    @property
    def zeros(self) -> int:
        """Zeros on each side."""
        return self.kernel_size // 2 if self.padding is None else self.padding

    def count(self, size: Size) -> Size:
        """Return how many places there are along so many pixels or steps."""
        return (size + 2 * self.zeros - self.kernel_size) // self.stride + 1


class Convolution(nn.Module):
    """A convolution, its normalization and its activation."""

    def __init__(
        self,
        options: CNNOptions,
        before: int,
        after: int,
        places: Places,
        dimensions: int,
        activation: Activation | None = None,
    ) -> None:
        super().__init__()
        self.places = places
        kind = nn.Conv2d if dimensions == 2 else nn.Conv1d
        is_normalised = options.normalization == "batch"
        self.convolution = kind(
            before,
            after,
            places.kernel_size,
            places.stride,
            places.zeros,
            bias=not is_normalised,
        )
        self.norm = BatchNorm(after) if is_normalised else None
        # In place, which changes no bit: nothing else needs what a convolution put out.
        name = activation or options.activation
        self.activation = nn.ReLU(inplace=True) if name == "relu" else ACTIVATIONS[name]()

    def forward(
        self, values: Tensor, lengths: Tensor | None, beside: Tensor | None = None
    ) -> Features:
        """Convolve, normalise, add what is beside, activate.

        Args:
            values: (N, C, H, W), or (N, C, T) that are zero beyond the lengths.
            lengths: (N,) steps, where they vary.
            beside: Of the shape that comes out.
        """
        missing = self.places.kernel_size - 2 * self.places.zeros - values.shape[-1]
        if missing > 0:  # sequences that are shorter than the kernel
            values = F.pad(values, (0, missing))
        values = self.convolution(values)
        lengths = None if lengths is None else self.places.count(lengths).clamp(min=1)
        if self.norm is not None:
            values = self.norm(values, None if lengths is None else _steps(values, lengths))
        values = self.activation(values if beside is None else values + beside)
        return Features(_zero_beyond(values, lengths), lengths)


def _zero_beyond(values: Tensor, lengths: Tensor | None) -> Tensor:
    """Return values (N, C, T) with zeros after each sequence's last step."""
    return values if lengths is None else values.masked_fill(~_steps(values, lengths), 0)


def _steps(values: Tensor, lengths: Tensor) -> Tensor:
    """Return (N, 1, T), true where a step of values (N, C, T) is no padding."""
    return step_mask(lengths, values.shape[2]).transpose(1, 2)
