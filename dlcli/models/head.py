"""From a body's features to the task's outputs; knows neither task nor loss."""

from __future__ import annotations

from math import prod

from torch import Tensor, nn

from dlcli.models.features import Features, Shape


class Head(nn.Module):
    """A linear layer from a vector to the outputs of one example.

    Args:
        shape: What the body puts out.
        outputs: Shape of one example's outputs: `()` for one number, `(K,)` for several.
    """

    def __init__(self, shape: Shape, outputs: tuple[int, ...]) -> None:
        super().__init__()
        self.outputs = outputs
        self.linear = nn.Linear(shape.width, prod(outputs))

    def forward(self, features: Features) -> Tensor:
        """Values (N, F) -> logits (N, *outputs)."""
        logits: Tensor = self.linear(features.values)
        if len(self.outputs) == 1:
            return logits
        return logits.view(len(logits), *self.outputs)
