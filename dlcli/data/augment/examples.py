"""Training examples that differ from epoch to epoch; all else sees them as they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from dlcli.config.data import DataOptions, PictureAugmentOptions, SoundAugmentOptions
from dlcli.data.augment.draws import Draws, draw
from dlcli.data.augment.mixing import Mixing
from dlcli.data.augment.pictures import Pictures
from dlcli.data.augment.sounds import Sounds
from dlcli.data.examples import Examples
from dlcli.data.logmel import LogMel
from dlcli.data.spec import Batch, DataSpec
from dlcli.errors import ConfigError
from dlcli.training.randomness import Order


class Variation(Protocol):
    """How examples are varied, each for itself."""

    @property
    def columns(self) -> dict[str, float]:
        """Columns of the draws that it reads; see `draw`."""

    @property
    def noise(self) -> int:
        """How many normal numbers an epoch draws."""

    def __call__(self, inputs: dict[str, Tensor], draws: Draws) -> dict[str, Tensor]:
        """Blocks (N, ...) by name, and what was drawn for each row -> blocks."""


@dataclass(frozen=True)
class AugmentedExamples:
    """Examples that `take` varies within an epoch.

    What becomes of a row depends on (seed, epoch, row) alone: not on its batch, nor on where a
    training was resumed.

    Attributes:
        examples: As they are stored; `slice` gives these.
        variation: What is done to each.
        mixing: What is done to two; or None.
        draws: Those of the epoch, on the examples' device; None outside of epochs.
    """

    examples: Examples
    variation: Variation
    mixing: Mixing | None = None
    draws: Draws | None = None

    def __len__(self) -> int:
        return len(self.examples)

    @property
    def targets(self) -> Tensor:
        """Every target, unmixed."""
        return self.examples.targets

    @property
    def nbytes(self) -> int:
        """Bytes of the stored examples."""
        return self.examples.nbytes

    def take(self, index: Tensor) -> Batch:
        """Return the examples at `index` (N,), varied within an epoch."""
        if self.draws is None:
            return self.examples.take(index)
        draws = self.draws.take(index)
        batch = self._varied(index, draws)
        if self.mixing is None:
            return batch
        others = self.mixing.partners(draws, len(self))
        there = draws.to(batch.targets.device)
        return self.mixing(batch, self._varied(others, self.draws.take(others)), there)

    def slice(self, start: int, stop: int) -> Batch:
        """Return the examples from start up to stop as they are stored."""
        return self.examples.slice(start, stop)

    def for_epoch(self, seed: int, epoch: int) -> AugmentedExamples:
        """Return the examples with what is drawn for an epoch (0-based)."""
        columns = self.variation.columns | (self.mixing.columns if self.mixing else {})
        noise = self.variation.noise
        draws = draw(columns, len(self), seed=seed, epoch=epoch, noise=noise)
        return replace(
            self,
            examples=self.examples.for_epoch(seed, epoch),
            draws=draws.to(self.targets.device),
        )

    def order(self, seed: int, epoch: int) -> Order:
        """Return the order of the stored examples."""
        return self.examples.order(seed, epoch)

    def to(self, device: torch.device | str) -> AugmentedExamples:
        """Return the examples on a device."""
        draws = None if self.draws is None else self.draws.to(device)
        return replace(self, examples=self.examples.to(device), draws=draws)

    def _varied(self, index: Tensor, draws: Draws) -> Batch:
        batch = self.examples.take(index)
        there = draws.to(batch.targets.device)  # where batches go that are stored elsewhere
        return Batch(self.variation(batch.inputs, there), batch.targets)


def augmented(
    parts: Mapping[str, Examples], options: DataOptions, spec: DataSpec
) -> dict[str, Examples]:
    """Return the parts, `train` varied as `data.augment` says.

    Raises:
        ConfigError: A shift or a mask is as large as the whole; or pictures that have other inputs
            beside them are to be mixed.
    """
    pictures, sounds = options.section(PictureAugmentOptions), options.section(SoundAugmentOptions)
    if pictures is not None and pictures.is_on:
        train = _with_pictures(parts["train"], pictures, spec)
    elif sounds is not None and sounds.is_on:
        train = _with_sounds(parts["train"], sounds, spec)
    else:
        return dict(parts)
    return {**parts, "train": train}


def _with_pictures(train: Examples, options: PictureAugmentOptions, spec: DataSpec) -> Examples:
    (field,) = (field for field in spec.inputs if field.kind == "image")
    _check("crop", options.crop, min(field.shape[1:]), "a side of the pictures in pixels")
    mixing = None
    if options.mixes:
        if beside := [one.name for one in spec.inputs if one is not field]:
            raise ConfigError(
                f"`{options.mixes}` mixes pictures, and these have other inputs beside them: "
                + ", ".join(beside),
                path=("data", "augment", options.mixes),
                suggestion="leave it out, or leave out these columns",
            )
        classes = spec.targets[0].size if spec.targets[0].kind == "category" else 0
        mixing = Mixing(options.mixup, options.cutmix, field.block, classes)
    return AugmentedExamples(train, Pictures(options, field), mixing)


def _with_sounds(train: Examples, options: SoundAugmentOptions, spec: DataSpec) -> Examples:
    (field,) = (field for field in spec.inputs if field.kind == "sound")
    assert field.spectrogram is not None
    frames = LogMel(field.spectrogram).frames(field.shape[0])
    _check("time_mask", options.time_mask, frames, "a sound's length in frames")
    return AugmentedExamples(train, Sounds(options, field, frames))


def _check(name: str, value: int, limit: int, what: str) -> None:
    if value >= limit:
        raise ConfigError(
            f"`{name}` is {value}, and {what} is {limit}: nothing might be left",
            path=("data", "augment", name),
            suggestion=f"at most {limit - 1}",
        )
