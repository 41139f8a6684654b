"""What passes between stem, body and head; knows no data and no architecture."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Literal, NamedTuple

from torch import Tensor

Form = Literal["vector", "image", "sequence"]


@dataclass(frozen=True)
class Shape:
    """The form of one example's features, without the batch.

    Attributes:
        form: How the sizes are read.
        sizes: vector (F,), image (C, H, W) or sequence (T, F); T is 0 where it varies.
    """

    form: Form
    sizes: tuple[int, ...]

    @property
    def width(self) -> int:
        """Number of features of a vector; of other forms, values in one example."""
        return prod(self.sizes)


class Features(NamedTuple):
    """A batch of features.

    Attributes:
        values: (N, *sizes), floating point.
        lengths: (N,) steps that are no padding, for a sequence whose length varies; else None.
    """

    values: Tensor
    lengths: Tensor | None = None
