"""The body of a single-layer model: nothing, the head is the layer."""

from __future__ import annotations

from torch import nn

from dlcli.config.model import LinearOptions
from dlcli.models.features import Features, Shape


class Linear(nn.Module):
    """Pass the vector on to the head as it is."""

    def __init__(self, options: LinearOptions, shape: Shape) -> None:  # noqa: ARG002
        super().__init__()
        self.out = shape

    def forward(self, features: Features) -> Features:
        """Values (N, F) -> (N, F)."""
        return features

    @property
    def row(self) -> list[nn.Module]:
        """No layers."""
        return []
