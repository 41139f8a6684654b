"""`data.augment`: how training examples are varied, anew in each epoch; computes nothing."""

from __future__ import annotations

from collections.abc import Set
from typing import Annotated

from pydantic import Field

from dlcli.config.options import Fraction, Index, NonNegativeFloat, Options

Degrees = Annotated[float, Field(ge=0, le=180)]
Probability = Annotated[float, Field(ge=0, le=1)]


class PictureAugmentOptions(Options):
    """How training pictures are varied; each option is off at its default."""

    crop: Index = Field(
        0, description="Shift by up to so many pixels each way; what comes in is black."
    )
    horizontal_flip: Probability = Field(
        0.0, description="Probability of a mirror image, left for right."
    )
    vertical_flip: Probability = Field(
        0.0, description="Probability of a mirror image, top for bottom."
    )
    rotation: Degrees = Field(0.0, description="Turn by up to so many degrees either way.")
    scale: Fraction = Field(0.0, description="Zoom by up to this share, in or out.")
    shear: Annotated[float, Field(ge=0, lt=90)] = Field(
        0.0, description="Slant by up to so many degrees either way."
    )
    brightness: Fraction = Field(0.0, description="Brighter or darker by up to this share.")
    contrast: Fraction = Field(0.0, description="More or less contrast by up to this share.")
    saturation: Fraction = Field(0.0, description="More or less colour by up to this share.")
    erase: Probability = Field(
        0.0, description="Probability that a random rectangle is filled with the mean colour."
    )
    erase_size: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.3, description="Largest share of the height and of the width that it covers."
    )
    mixup: NonNegativeFloat = Field(
        0.0,
        description="Mix each picture and its target with another's; the share is drawn from "
        "Beta(mixup, mixup) (arXiv 1710.09412).",
    )
    cutmix: NonNegativeFloat = Field(
        0.0,
        description="Put a rectangle of another picture in; its share is drawn from "
        "Beta(cutmix, cutmix) (arXiv 1905.04899). With `mixup` each is taken half of the time.",
    )

    @property
    def mixes(self) -> str:
        """The option that makes one example of two; empty where none does."""
        return "mixup" if self.mixup else "cutmix" if self.cutmix else ""

    @property
    def is_on(self) -> bool:
        """Whether anything is varied."""
        return _is_any_on(self, but={"erase_size"})


class SoundAugmentOptions(Options):
    """How training sounds are varied; each option is off at its default."""

    shift: Fraction = Field(
        0.0, description="Move the sound in time by up to this share of its length, either way."
    )
    gain: Annotated[float, Field(ge=0, le=60)] = Field(
        0.0, description="Louder or softer by up to so many decibels."
    )
    noise: Annotated[float, Field(ge=0, le=100)] = Field(
        0.0, description="Add white noise of up to this share of the sound's own deviation."
    )
    time_mask: Index = Field(
        0, description="Blank up to so many frames in a row (SpecAugment, arXiv 1904.08779)."
    )
    frequency_mask: Index = Field(0, description="Blank up to so many mel bands in a row.")

    @property
    def is_on(self) -> bool:
        """Whether anything is varied."""
        return _is_any_on(self)


def _is_any_on(options: Options, but: Set[str] = frozenset()) -> bool:
    return any(getattr(options, name) for name in type(options).model_fields.keys() - but)
