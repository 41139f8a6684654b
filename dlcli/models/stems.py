"""From a batch's input blocks to features in a form that a body takes; knows no architecture."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor, nn

from dlcli.data.spec import CATEGORIES, NUMBERS, DataSpec, Field
from dlcli.errors import ConfigError
from dlcli.models.features import Features, Shape


def build_stem(spec: DataSpec, takes: Sequence[str]) -> VectorStem:
    """Return the stem that leads from the data to the first form that the body takes.

    Raises:
        ConfigError: No stem makes any of these forms of this data.
    """
    if "vector" in takes:
        return VectorStem(spec)
    names = ", ".join(f"`{field.name}` ({field.kind})" for field in spec.inputs)
    raise ConfigError(
        f"the model takes {' or '.join(takes)} features, which cannot be made of {names}",
        path=("model",),
    )


class VectorStem(nn.Module):
    """All inputs side by side as one vector: numbers, categories, flattened images.

    Of numbers alone it costs nothing: their block is passed on as it is.

    Attributes:
        out: Shape of the vector, (F,).
    """

    def __init__(self, spec: DataSpec) -> None:
        super().__init__()
        blocks = spec.blocks
        self.names = tuple(blocks)
        self.blocks = nn.ModuleList(_block(name, fields) for name, fields in blocks.items())
        self.out = Shape("vector", (sum(_width(field) for field in spec.inputs),))

    def forward(self, inputs: dict[str, Tensor]) -> Features:
        """Blocks (N, ...) by name -> values (N, F)."""
        parts = [block(inputs[name]) for name, block in zip(self.names, self.blocks, strict=True)]
        return Features(parts[0] if len(parts) == 1 else torch.cat(parts, 1))


class Categories(nn.Module):
    """Each category becomes its embedding, or one-hot where its embedding size is 0."""

    def __init__(self, fields: Sequence[Field]) -> None:
        super().__init__()
        self.embeddings = nn.ModuleList(
            nn.Embedding(field.size, field.embedding_size)
            if field.embedding_size
            else OneHot(field.size)
            for field in fields
        )

    def forward(self, codes: Tensor) -> Tensor:
        """Codes (N, columns) -> (N, F)."""
        columns = codes.long().unbind(1)
        return torch.cat(
            [embed(column) for embed, column in zip(self.embeddings, columns, strict=True)], 1
        )


class OneHot(nn.Module):
    """One number per code: 1 for the row's own, 0 for the others."""

    codes: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("codes", torch.arange(size), persistent=False)

    def forward(self, column: Tensor) -> Tensor:
        """Codes (N,) -> (N, size)."""
        return (column.unsqueeze(1) == self.codes).to(torch.get_default_dtype())


class FlatImage(nn.Module):
    """Pixels, normalised per channel where the data says how, then flattened."""

    mean: Tensor
    std: Tensor

    def __init__(self, field: Field) -> None:
        super().__init__()
        channels = field.shape[0]
        for name, values in (
            ("mean", field.mean or (0.0,) * channels),
            ("std", field.std or (1.0,) * channels),
        ):
            self.register_buffer(name, torch.tensor(values).view(-1, 1, 1))

    def forward(self, pixels: Tensor) -> Tensor:
        """Pixels (N, C, H, W) in stored units -> (N, C * H * W)."""
        return ((pixels.to(self.mean.dtype) - self.mean) / self.std).flatten(1)


def _block(name: str, fields: Sequence[Field]) -> nn.Module:
    if name == NUMBERS:
        return nn.Identity()
    if name == CATEGORIES:
        return Categories(fields)
    return FlatImage(fields[0])


def _width(field: Field) -> int:
    if field.kind == "category":
        return field.embedding_size or field.size
    return prod(field.shape)
