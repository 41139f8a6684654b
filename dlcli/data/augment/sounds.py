"""How each training sound is varied; samples stay in stored units, those of int16."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from dlcli.config.data.augment import SoundAugmentOptions
from dlcli.data.augment.draws import UNIFORM, Draws, either_way, whole
from dlcli.data.spec import Field, mask_name

_STARTS = 1 << 17
"""Places in an epoch's noise at which that of a sound can begin."""


@dataclass(frozen=True)
class Sounds:
    """How the sounds of a training part are varied; the masks are for the model to apply.

    Attributes:
        options: What is varied, and how much.
        field: The column of sounds.
        frames: Frames of their spectrogram.
    """

    options: SoundAugmentOptions
    field: Field
    frames: int

    @property
    def noise(self) -> int:
        """How many normal numbers an epoch draws."""
        return _STARTS + self.field.shape[0] if self.options.noise else 0

    @property
    def columns(self) -> dict[str, float]:
        """Columns of the draws that it reads; see `draw`."""
        options = self.options
        groups = (
            (("shift",), options.shift),
            (("gain",), options.gain),
            (("noise", "noise_start"), options.noise),
            (("first_frame", "frames", "first_band", "bands"), self._has_masks),
        )
        return {name: UNIFORM for group, is_on in groups if is_on for name in group}

    def __call__(self, inputs: dict[str, Tensor], draws: Draws) -> dict[str, Tensor]:
        """Blocks (N, ...) by name -> the same, sounds (N, S) varied, float32 or int16; masks."""
        options, sounds = self.options, inputs[self.field.block]
        if options.shift:
            most = int(options.shift * sounds.shape[1])
            sounds = shifted(sounds, whole(draws["shift"], 2 * most + 1) - most)
        if options.gain:
            sounds = louder(sounds, either_way(draws["gain"], options.gain))
        if options.noise:
            sounds = self._noisy(sounds.float(), draws)
        masks = {mask_name(self.field.block): self._masks(draws)} if self._has_masks else {}
        return inputs | {self.field.block: sounds} | masks

    def _noisy(self, sounds: Tensor, draws: Draws) -> Tensor:
        """Add to each sound a stretch of the epoch's noise, which begins where its row says."""
        stretches = draws.noise.unfold(0, sounds.shape[1], 1)  # (starts, S), a view
        noise = stretches.index_select(0, whole(draws["noise_start"], _STARTS))  # (N, S)
        share = (draws["noise"] * self.options.noise).unsqueeze(1)
        return sounds + noise * (_deviation(sounds) * share)

    def _masks(self, draws: Draws) -> Tensor:
        """Return masks (N, 4) int64."""
        options, spectrogram = self.options, self.field.spectrogram
        assert spectrogram is not None
        time = _stretch(self.frames, options.time_mask, draws["first_frame"], draws["frames"])
        bands = _stretch(
            spectrogram.n_mels, options.frequency_mask, draws["first_band"], draws["bands"]
        )
        return torch.stack([*time, *bands], 1)

    @property
    def _has_masks(self) -> bool:
        return bool(self.options.time_mask or self.options.frequency_mask)


def shifted(sounds: Tensor, later: Tensor) -> Tensor:
    """Move sounds (N, S), in their own type, later by samples (N,) int64; silence comes in."""
    size = sounds.shape[1]
    places = torch.arange(size, device=sounds.device) - later.unsqueeze(1)
    is_inside = (places >= 0) & (places < size)
    return sounds.gather(1, places.clamp(0, size - 1)) * is_inside


def louder(sounds: Tensor, decibels: Tensor) -> Tensor:
    """Make sounds (N, S) louder by decibels (N,) -> float32; nothing is clipped."""
    return sounds * (10 ** (decibels / 20)).unsqueeze(1)


def _deviation(sounds: Tensor) -> Tensor:
    """Return the standard deviation (N, 1), in a tenth of the time of `std`."""
    centred = sounds - sounds.mean(1, keepdim=True)
    norms: Tensor = torch.linalg.vector_norm(centred, dim=1, keepdim=True)
    return norms / math.sqrt(sounds.shape[1])


def _stretch(size: int, most: int, start: Tensor, length: Tensor) -> tuple[Tensor, Tensor]:
    """Turn uniform numbers (N,) into starts and lengths of up to `most` among `size`."""
    lengths = whole(length, most + 1)
    return whole(start, size - lengths + 1), lengths
