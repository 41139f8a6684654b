"""What passes between stem, body and head; knows no data and no architecture."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Literal, NamedTuple

from torch import Tensor

Form = Literal["vector", "image", "sequence", "ids", "outputs"]
Pooling = Literal["mean", "max", "last", "ends", "attention", "flatten"]
"""How a head makes one vector of an image or a sequence; `ends` is the last step of the first half
of the features and the first step of the second half, which ran backwards."""


@dataclass(frozen=True)
class Shape:
    """The form of one example's features, without the batch.

    Attributes:
        form: How the sizes are read.
        sizes: vector (F,), image (C, H, W), sequence (T, F), ids (sizes of the id columns), or the
            outputs themselves.
        varies: Sequences may be shorter than T; then features come with their lengths.
        is_causal: No step may look at a later one: each is to tell the next.
        pooling: How a head is to pool an image or a sequence.
        dropout: Share of pooled features that each training step leaves out.
    """

    form: Form
    sizes: tuple[int, ...]
    varies: bool = False
    is_causal: bool = False
    pooling: Pooling = "mean"
    dropout: float = 0.0

    @property
    def width(self) -> int:
        """Number of features of a vector; of other forms, values in one example."""
        return prod(self.sizes)


class Features(NamedTuple):
    """A batch of features.

    Attributes:
        values: (N, *sizes), floating point; of ids (N, columns) int64.
        lengths: (N,) steps that are no padding, at least 1, for sequences whose length varies; else
            None. With them, a batch may have fewer steps than T.
    """

    values: Tensor
    lengths: Tensor | None = None
