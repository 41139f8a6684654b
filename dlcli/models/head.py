"""From a body's features to the task's outputs; knows neither task nor loss."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor, nn

from dlcli.models.features import Features, Shape
from dlcli.models.pooling import Pool


class Head(nn.Module):
    """Pools, then a linear layer to the outputs of one example.

    Args:
        shape: What the body puts out.
        outputs: Shape of one example's outputs: `()`, `(K,)`, `(D,)` or `(H, D)`.
        known: Numbers of one example that the body has not seen.
    """

    def __init__(self, shape: Shape, outputs: tuple[int, ...], *, known: int = 0) -> None:
        super().__init__()
        self.outputs = outputs
        self.pool = Pool(shape)
        self.dropout = dropout(shape)
        self.linear = nn.Linear(self.pool.width + known, prod(outputs))

    def forward(self, features: Features, known: Tensor | None = None) -> Tensor:
        """Values (N, ...), known (N, ...) -> logits (N, *outputs)."""
        values = self.dropout(self.pool(features))
        if known is not None:
            values = torch.cat([values, known.flatten(1)], 1)
        logits: Tensor = self.linear(values)
        return logits if len(self.outputs) == 1 else logits.view(len(logits), *self.outputs)

    @property
    def row(self) -> list[nn.Module] | None:
        """Its layers, if there is nothing else to it: of one vector, and nothing known beside."""
        if self.pool.form != "vector" or self.pool.width != self.linear.in_features:
            return None
        return [self.dropout, self.linear]


class StepHead(nn.Module):
    """A linear layer to the outputs of every step.

    Args:
        shape: What the body puts out, a sequence.
        outputs: Shape of one step's outputs, `(V,)`.
    """

    def __init__(self, shape: Shape, outputs: tuple[int, ...]) -> None:
        super().__init__()
        self.dropout = dropout(shape)
        self.linear = nn.Linear(shape.sizes[-1], prod(outputs))

    def forward(self, features: Features, known: Tensor | None = None) -> Tensor:  # noqa: ARG002
        """Values (N, T, F) -> logits (N, T, V)."""
        logits: Tensor = self.linear(self.dropout(features.values))
        return logits


def dropout(shape: Shape) -> nn.Module:
    """Return the dropout that a body asks for before the head."""
    return nn.Dropout(shape.dropout) if shape.dropout else nn.Identity()


class NoHead(nn.Module):
    """For a body whose features are the outputs."""

    def forward(self, features: Features, known: Tensor | None = None) -> Tensor:  # noqa: ARG002
        """Values (N, *outputs) as they are."""
        return features.values
