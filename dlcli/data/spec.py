"""What data offer to a model: fields, their blocks, the batch; knows no encoder and no model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import prod
from typing import Literal

from torch import Tensor

Kind = Literal["number", "category", "image", "tokens", "steps", "sound"]

NUMBERS = "numbers"
CATEGORIES = "categories"
KNOWN = "known"
VECTOR = "vector"
"""All inputs side by side (N, F), as a model's body sees them."""
PADDING = 0
"""The code of a token that is none; texts shorter than the longest end in it."""
UNKNOWN = 1
"""The code of a token that training did not show."""


def mask_name(block: str) -> str:
    """Return the name of the block that says what to blank of a block of sounds.

    It is (N, 4) int64: first frame, frames, first band, bands.
    """
    return f"{block}/mask"


@dataclass(frozen=True)
class Spectrogram:
    """How a sound becomes frames of mel bands, in samples.

    Attributes:
        sample_rate: Samples per second.
        window: Samples of a frame.
        hop: Samples from one frame to the next.
        n_mels: Bands of a frame.
    """

    sample_rate: int
    window: int
    hop: int
    n_mels: int


@dataclass(frozen=True)
class Field:
    """One encoded column.

    Attributes:
        name: The column's name.
        kind: `number` (float32), `category` (integer codes), `image` (uint8), `tokens` (integer
            codes, `PADDING` after the last one), `steps` (float32) or `sound` (int16
            samples).
        shape: Shape of one stored example: `(k,)` for numbers, `()` for a category, `(C, H, W)` for
            an image, `(T,)` for tokens and sounds, `(T, F + 1)` for steps, whose last column is 1
            where there is a step and 0 after the last one.
        size: Number of codes of a category (as an input, code 0 is the unknown one) or of tokens,
            or classes.
        embedding_size: Width of a category's or token's embedding; 0 asks for one-hot.
        mean: Per channel, in stored units, for an image that the model normalises; per mel band
            for a sound; else empty.
        std: Likewise.
        spectrogram: Of a sound.
    """

    name: str
    kind: Kind
    shape: tuple[int, ...] = ()
    size: int = 0
    embedding_size: int = 0
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    spectrogram: Spectrogram | None = None

    @property
    def block(self) -> str:
        """Name of the tensor that holds it: that of all numbers, of all categories, or its own."""
        shared = {"number": NUMBERS, "category": CATEGORIES}.get(self.kind)
        # Columns may be called anything.
        is_taken = self.name in (NUMBERS, CATEGORIES, KNOWN, VECTOR)
        return shared or (f"{self.kind}/{self.name}" if is_taken else self.name)


@dataclass(frozen=True)
class Window:
    """How examples are cut from rows in order of time, or from running text.

    Attributes:
        past: Rows that a model sees.
        horizon: Rows that it is to tell: of text, the rows that it sees, each one ahead.
        known: Names of number fields that are known for the horizon too; their future rows are the
            block `known` (N, horizon, width).
        targets: Columns of the block `numbers` that hold the targets' past, in their order.
        subtract_last: The model takes the last value off these columns and adds it to its outputs.
        per_channel: The model sees each target's past alone.
        season: Rows of a season; 0 where none fits in the past.
        time: Columns that tell a row's time; none where rows are counted.
        step: From a row to the next, as unit and count: (`months`, 1).
        patch: Rows that a sequence model sees as one step; it divides the past.
    """

    past: int
    horizon: int
    known: tuple[str, ...] = ()
    targets: tuple[int, ...] = ()
    subtract_last: bool = False
    per_channel: bool = False
    season: int = 0
    time: tuple[str, ...] = ()
    step: tuple[str, float] = ("rows", 1)
    patch: int = 1


@dataclass(frozen=True)
class DataSpec:
    """The fields of a data set; a model's sizes come from here.

    With a window, the blocks of an example have its `past` rows: numbers (N, past, F), categories
    (N, past, C), tokens (N, past).
    """

    inputs: tuple[Field, ...]
    targets: tuple[Field, ...]
    window: Window | None = None

    @property
    def blocks(self) -> dict[str, tuple[Field, ...]]:
        """Input fields by the tensor that holds them, in the order of that tensor's columns.

        All numbers share the block `numbers` (N, sum of their shapes), all categories the block
        `categories` (N, count), so that a batch takes one index operation each; an image is a
        block of its own.
        """
        blocks: dict[str, tuple[Field, ...]] = {}
        for field in self.inputs:
            blocks[field.block] = (*blocks.get(field.block, ()), field)
        return blocks

    @property
    def is_stream(self) -> bool:
        """Whether examples are stretches of running text, each step of which tells the next."""
        return self.window is not None and self.inputs[0].kind == "tokens"

    @property
    def known_columns(self) -> tuple[int, ...]:
        """Columns of the block `numbers` that are known for the horizon too."""
        known = self.window.known if self.window else ()
        columns: list[int] = []
        start = 0
        for field in self.blocks.get(NUMBERS, ()):
            if field.name in known:
                columns += range(start, start + prod(field.shape))
            start += prod(field.shape)
        return tuple(columns)

    def one_channel(self) -> DataSpec:
        """Return the spec of one target's past alone, beside what is known ahead."""
        assert self.window is not None
        known = tuple(field for field in self.inputs if field.name in self.window.known)
        window = replace(self.window, targets=(0,), per_channel=False)
        own = Field(self.targets[0].name, "number", (1,))  # no name of a column that is known
        return DataSpec((own, *known), self.targets[:1], window)


@dataclass(frozen=True)
class Batch:
    """Rows that go through the model together.

    Attributes:
        inputs: Block name to tensor (N, ...); see `DataSpec.blocks`.
        targets: (N,) int64 classes; (N,) float32 for one number, (N, D) for several, (N, H, D)
            over a horizon; (N, T) int64 tokens; (N, K) float32 shares of classes that were mixed.
    """

    inputs: dict[str, Tensor]
    targets: Tensor

    def __len__(self) -> int:
        return len(self.targets)

    def parts(self, count: int) -> Iterable[Batch]:
        """Yield up to `count` parts of nearly equal size, in order; views, not copies."""
        size = -(-len(self) // count)
        for start in range(0, len(self), size):
            cut = slice(start, start + size)
            yield Batch(
                {name: block[cut] for name, block in self.inputs.items()}, self.targets[cut]
            )
