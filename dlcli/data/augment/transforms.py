"""Transforms of pictures (N, C, H, W) in stored units, 0 to 255, by amounts given per picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from dlcli.data.augment.draws import spans


@dataclass(frozen=True)
class Move:
    """First mirrored, then shifted.

    Attributes:
        down: Pixels (N,) int64.
        right: Pixels (N,) int64.
        is_upside_down: (N,) bool.
        is_mirrored: Left for right, (N,) bool.
    """

    down: Tensor
    right: Tensor
    is_upside_down: Tensor
    is_mirrored: Tensor


@dataclass(frozen=True)
class Warp:
    """Slanted, zoomed and turned about the centre.

    Attributes:
        degrees: Clockwise (N,).
        zoom: Factor (N,).
        shear: Degrees (N,): what is lower goes to the left.
    """

    degrees: Tensor
    zoom: Tensor
    shear: Tensor


def moved(pictures: Tensor, move: Move, *, margin: int) -> Tensor:
    """Move pictures by up to `margin` pixels, in their own type; what comes in is 0."""
    height, width = pictures.shape[2:]
    rows = _places(height, move.down, move.is_upside_down, margin)  # (N, H)
    columns = _places(width, move.right, move.is_mirrored, margin)  # (N, W)
    index = rows.unsqueeze(2) * (width + 2 * margin) + columns.unsqueeze(1)  # (N, H, W)
    planes = F.pad(pictures, (margin,) * 4).flatten(2)  # (N, C, padded pixels)
    # A gather within planes takes less than half the time of an index per dimension, or of slices.
    index = index.flatten(1).unsqueeze(1).expand(-1, planes.shape[1], -1)
    return planes.gather(2, index).view_as(pictures)


def warped(pictures: Tensor, move: Move, warp: Warp) -> Tensor:
    """Mirror, warp and shift pictures in one bilinear step -> float32; what comes in is 0."""
    height, width = pictures.shape[2:]
    turn, slant = torch.deg2rad(warp.degrees), torch.deg2rad(warp.shear).tan()
    sine, cosine = turn.sin(), turn.cos()
    # From where a pixel comes: the inverse of zoom * rotation @ [[1, -slant], [0, 1]].
    x_of_x = (cosine - sine * slant) / warp.zoom
    x_of_y = (sine + cosine * slant) / warp.zoom
    y_of_x, y_of_y = -sine / warp.zoom, cosine / warp.zoom
    x = torch.stack([x_of_x, x_of_y * height / width, _shift(x_of_x, x_of_y, move) * 2 / width], 1)
    y = torch.stack([y_of_x * width / height, y_of_y, _shift(y_of_x, y_of_y, move) * 2 / height], 1)
    x = torch.where(move.is_mirrored.unsqueeze(1), -x, x)
    y = torch.where(move.is_upside_down.unsqueeze(1), -y, y)
    grid = F.affine_grid(torch.stack([x, y], 1), list(pictures.shape), align_corners=False)
    return F.grid_sample(pictures.to(grid.dtype), grid, align_corners=False)


def recoloured(
    pictures: Tensor,
    *,
    brightness: Tensor | None = None,
    contrast: Tensor | None = None,
    saturation: Tensor | None = None,
) -> Tensor:
    """Change colours by factors (N,), in this order, as torchvision's functions do -> float32."""
    pictures = pictures.float()
    if brightness is not None:
        pictures = _blend(pictures, pictures.new_zeros(1), brightness)
    if contrast is not None:
        pictures = _blend(pictures, _grey(pictures).mean((2, 3), keepdim=True), contrast)
    if saturation is not None:
        pictures = _blend(pictures, _grey(pictures), saturation)
    return pictures


def rectangle(
    pictures: Tensor, tops: Tensor, lefts: Tensor, heights: Tensor, widths: Tensor
) -> Tensor:
    """Return where a rectangle is (N, 1, H, W) bool; what lies outside of a picture is cut off."""
    height, width = pictures.shape[2:]
    rows, columns = spans(height, tops, heights), spans(width, lefts, widths)
    return (rows.unsqueeze(2) & columns.unsqueeze(1)).unsqueeze(1)


def erased(pictures: Tensor, where: Tensor, colour: Sequence[float]) -> Tensor:
    """Fill pictures, in their own type, with a colour (C values) where (N, 1, H, W) says."""
    values = colour if pictures.is_floating_point() else [round(value) for value in colour]
    channels = [
        channel.masked_fill(where[:, 0], value)
        for channel, value in zip(pictures.unbind(1), values, strict=True)
    ]
    return torch.stack(channels, 1)


def _places(size: int, shift: Tensor, is_flipped: Tensor, margin: int) -> Tensor:
    """Return from where (N, size) each row or column comes, among those of the padded picture."""
    places = torch.arange(margin, margin + size, device=shift.device) - shift.unsqueeze(1)
    return torch.where(is_flipped.unsqueeze(1), size + 2 * margin - 1 - places, places)


def _shift(of_x: Tensor, of_y: Tensor, move: Move) -> Tensor:
    return -(of_x * move.right + of_y * move.down)


def _blend(pictures: Tensor, others: Tensor, factor: Tensor) -> Tensor:
    return torch.lerp(others, pictures, factor.view(-1, 1, 1, 1)).clamp_(0, 255)


def _grey(pictures: Tensor) -> Tensor:
    """Return the luma (N, 1, H, W) of red, green and blue (ITU-R BT.601), else the mean."""
    if pictures.shape[1] != 3:
        return pictures.mean(1, keepdim=True)
    red, green, blue = pictures.unbind(1)
    grey: Tensor = 0.2989 * red + 0.587 * green + 0.114 * blue
    return grey.unsqueeze(1)
