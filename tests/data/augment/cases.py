"""Small parts of pictures and of sounds, and what varies them."""

from __future__ import annotations

import torch

from dlcli.config.data import DataOptions, PictureAugmentOptions, SoundAugmentOptions
from dlcli.data.augment.examples import AugmentedExamples, augmented
from dlcli.data.examples import ResidentExamples
from dlcli.data.spec import DataSpec, Field, Spectrogram

ROWS, CLASSES = 40, 3
PICTURE = Field("x", "image", (3, 7, 9), mean=(100.0, 120.0, 140.0), std=(50.0, 60.0, 70.0))
SOUND = Field("x", "sound", (800,), mean=(0.0,) * 16, std=(1.0,) * 16,
              spectrogram=Spectrogram(8000, 200, 80, 16))  # fmt: skip
CLASS = Field("y", "category", size=CLASSES)
NUMBER = Field("y", "number", (1,))


class Pictures(DataOptions):
    """Data with pictures."""

    augment: PictureAugmentOptions


class Sounds(DataOptions):
    """Data with sounds."""

    augment: SoundAugmentOptions


def drawn(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def pictures(target: Field = CLASS, rows: int = ROWS, **options: float) -> AugmentedExamples:
    stored = (drawn(rows, *PICTURE.shape) * 256).to(torch.uint8)
    spec = DataSpec((PICTURE,), (target,))
    return made(stored, spec, Pictures(augment=PictureAugmentOptions(**options)))


def sounds(target: Field = CLASS, rows: int = ROWS, **options: float) -> AugmentedExamples:
    stored = ((drawn(rows, *SOUND.shape) - 0.5) * 20_000).to(torch.int16)
    spec = DataSpec((SOUND,), (target,))
    return made(stored, spec, Sounds(augment=SoundAugmentOptions(**options)))


def made(stored: torch.Tensor, spec: DataSpec, options: DataOptions) -> AugmentedExamples:
    rows, (target,) = len(stored), spec.targets
    targets = drawn(rows, seed=2)
    if target.kind == "category":
        targets = (targets * CLASSES).long()
    examples = augmented({"train": ResidentExamples({"x": stored}, targets)}, options, spec)
    train = examples["train"]
    assert isinstance(train, AugmentedExamples)
    return train
