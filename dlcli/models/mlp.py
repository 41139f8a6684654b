"""Fully connected layers."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from torch import Tensor, nn

from dlcli.config.model import MLPOptions
from dlcli.models.activations import ACTIVATIONS
from dlcli.models.features import Features, Shape
from dlcli.models.normalization import BatchNorm


class MLP(nn.Module):
    """Hidden layers in a row, each `linear, normalization, activation, dropout`."""

    def __init__(self, options: MLPOptions, shape: Shape) -> None:
        super().__init__()
        widths = [shape.width, *options.hidden_sizes]
        self.layers = nn.Sequential(
            *(_layer(options, before, after) for before, after in pairwise(widths))
        )
        self.out = Shape("vector", (widths[-1],))

    def forward(self, features: Features) -> Features:
        """Values (N, F) -> (N, last hidden size)."""
        return Features(self.layers(features.values))

    @property
    def row(self) -> list[nn.Module] | None:
        """The layers, if each feeds the next and nothing else."""
        if any(isinstance(layer, Residual) for layer in self.layers):
            return None
        return [module for layer in self.layers for module in layer.children()]


class Residual(nn.Sequential):
    """Modules in a row whose input is added to their output."""

    def forward(self, values: Tensor) -> Tensor:
        """Values (N, F) -> (N, F)."""
        out = values
        for module in self:
            out = module(out)
        return values + out


def _layer(options: MLPOptions, before: int, after: int) -> nn.Sequential:
    kind = Residual if options.residual and before == after else nn.Sequential
    return kind(nn.Linear(before, after), *_after_linear(options, after))


def _after_linear(options: MLPOptions, width: int) -> Iterator[nn.Module]:
    if options.normalization == "batch":
        yield BatchNorm(width)
    elif options.normalization == "layer":
        yield nn.LayerNorm(width)
    yield ACTIVATIONS[options.activation]()
    if options.dropout:
        yield nn.Dropout(options.dropout)
