"""What data offer to a model: fields, their blocks, the batch; knows no encoder and no model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

Kind = Literal["number", "category", "image"]

NUMBERS = "numbers"
CATEGORIES = "categories"


@dataclass(frozen=True)
class Field:
    """One encoded column.

    Attributes:
        name: The column's name.
        kind: `number` (float32), `category` (integer codes) or `image` (uint8, C x H x W).
        shape: Shape of one stored example: `(k,)` for numbers, `()` for a category, `(C, H, W)`.
        size: Number of codes of a category (as an input, code 0 is the unknown one) or classes.
        embedding_size: Width of a category's embedding; 0 asks for one-hot.
        mean: Per channel, in stored units, for an image that the model normalises; else empty.
        std: Likewise.
    """

    name: str
    kind: Kind
    shape: tuple[int, ...] = ()
    size: int = 0
    embedding_size: int = 0
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()


@dataclass(frozen=True)
class DataSpec:
    """The fields of a data set; a model's sizes come from here."""

    inputs: tuple[Field, ...]
    targets: tuple[Field, ...]

    @property
    def blocks(self) -> dict[str, tuple[Field, ...]]:
        """Input fields by the tensor that holds them, in the order of that tensor's columns.

        All numbers share the block `numbers` (N, sum of their shapes), all categories the block
        `categories` (N, count), so that a batch takes one index operation each; an image is a
        block of its own name.
        """
        blocks: dict[str, tuple[Field, ...]] = {}
        for field in self.inputs:
            name = {"number": NUMBERS, "category": CATEGORIES}.get(field.kind, field.name)
            blocks[name] = (*blocks.get(name, ()), field)
        return blocks


@dataclass(frozen=True)
class Batch:
    """Rows that go through the model together.

    Attributes:
        inputs: Block name to tensor (N, ...); see `DataSpec.blocks`.
        targets: (N,) int64 classes; (N,) float32 for one number, (N, D) for several.
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
