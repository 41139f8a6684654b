"""Stem, body and head in a row: inputs in, logits out."""

from __future__ import annotations

from typing import ClassVar, Protocol

from torch import Tensor, nn

from dlcli.models.features import Features, Shape


class Body(Protocol):
    """What every architecture offers beside being a module; it never pools and knows no classes.

    It is built as `Body(options, shape)`, with the shape that its stem puts out.

    Attributes:
        takes: Forms of features that it accepts, the best first.
        out: Shape of what it puts out.
    """

    takes: ClassVar[tuple[str, ...]]
    out: Shape

    def __call__(self, features: Features) -> Features:
        """Values (N, *shape) -> (N, *out)."""


class Network(nn.Module):
    """A whole model.

    Its parts are to be built in the order stem, body, head: a seed then draws the weights that it
    draws for the same layers written out by hand.
    """

    def __init__(self, stem: nn.Module, body: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.stem = stem
        self.body = body
        self.head = head

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        """Input blocks (N, ...) by name -> logits (N, *outputs)."""
        logits: Tensor = self.head(self.body(self.stem(inputs)))
        return logits
