"""How each training picture is varied: draws turned into amounts; values stay in stored units."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from dlcli.config.data.augment import PictureAugmentOptions
from dlcli.data.augment.draws import UNIFORM, Draws, either_way, whole
from dlcli.data.augment.transforms import (
    Move,
    Warp,
    erased,
    moved,
    recoloured,
    rectangle,
    warped,
)
from dlcli.data.spec import Field

_MOVE = ("down", "right", "horizontal_flip", "vertical_flip")
_WARP = ("rotation", "scale", "shear")
_COLOUR = ("brightness", "contrast", "saturation")
_ERASE = ("erase", "erase_height", "erase_width", "erase_top", "erase_left")


@dataclass(frozen=True)
class Pictures:
    """How the pictures of a training part are varied, each for itself.

    Attributes:
        options: What is varied, and how much.
        field: The column of pictures.
    """

    options: PictureAugmentOptions
    field: Field
    noise = 0

    @property
    def columns(self) -> dict[str, float]:
        """Columns of the draws that it reads; see `draw`."""
        groups = (
            (_MOVE, self._has_moves or self._has_warps),
            (_WARP, self._has_warps),
            (_COLOUR, self._has_colours),
            (_ERASE, self.options.erase),
        )
        return {name: UNIFORM for group, is_on in groups if is_on for name in group}

    def __call__(self, inputs: dict[str, Tensor], draws: Draws) -> dict[str, Tensor]:
        """Blocks (N, ...) by name -> the same, pictures (N, C, H, W) varied, float32 or uint8."""
        options, pictures = self.options, inputs[self.field.block]
        if self._has_warps:
            pictures = warped(pictures, self._move(draws), self._warp(draws))
        elif self._has_moves:
            pictures = moved(pictures, self._move(draws), margin=options.crop)
        if self._has_colours:
            factors = {
                name: 1 + either_way(draws[name], most)
                for name in _COLOUR
                if (most := getattr(options, name))
            }
            pictures = recoloured(pictures, **factors)
        if options.erase:
            colour = self.field.mean or (0.0,) * pictures.shape[1]
            pictures = erased(pictures, self._rectangle(pictures, draws), colour)
        return inputs | {self.field.block: pictures}

    def _move(self, draws: Draws) -> Move:
        options = self.options
        down, right = (
            whole(draws[name], 2 * options.crop + 1) - options.crop for name in ("down", "right")
        )
        return Move(
            down,
            right,
            draws["vertical_flip"] < options.vertical_flip,
            draws["horizontal_flip"] < options.horizontal_flip,
        )

    def _warp(self, draws: Draws) -> Warp:
        options = self.options
        return Warp(
            degrees=either_way(draws["rotation"], options.rotation),
            zoom=1 + either_way(draws["scale"], options.scale),
            shear=either_way(draws["shear"], options.shear),
        )

    def _rectangle(self, pictures: Tensor, draws: Draws) -> Tensor:
        """Return where each picture is erased (N, 1, H, W) bool."""
        (height, width), share = pictures.shape[2:], self.options.erase_size
        heights = 1 + whole(draws["erase_height"], max(1, int(share * height)))
        widths = 1 + whole(draws["erase_width"], max(1, int(share * width)))
        tops = whole(draws["erase_top"], height - heights + 1)
        lefts = whole(draws["erase_left"], width - widths + 1)
        is_erased = draws["erase"] < self.options.erase
        return rectangle(pictures, tops, lefts, heights * is_erased, widths)

    @property
    def _has_moves(self) -> bool:
        return any((self.options.crop, self.options.horizontal_flip, self.options.vertical_flip))

    @property
    def _has_warps(self) -> bool:
        return any(getattr(self.options, name) for name in _WARP)

    @property
    def _has_colours(self) -> bool:
        return any(getattr(self.options, name) for name in _COLOUR)
