"""From an image or a sequence to one vector; padding counts for nothing."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dlcli.models.features import Features, Shape


class Pool(nn.Module):
    """Pools features as their shape asks.

    Args:
        shape: What comes in.

    Attributes:
        width: Features of the vector that comes out.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.form, self.pooling = shape.form, shape.pooling
        self.width = _width(shape)
        self.scores = nn.Linear(shape.sizes[-1], 1) if shape.pooling == "attention" else None

    def forward(self, features: Features) -> Tensor:
        """Values (N, F), (N, C, H, W) or (N, T, F) -> (N, width)."""
        values, lengths = features
        if self.form == "vector" or self.pooling == "flatten":
            return values.flatten(1)
        if self.form == "image":
            return values.amax((2, 3)) if self.pooling == "max" else values.mean((2, 3))
        return self._steps(values, lengths)

    def _steps(self, values: Tensor, lengths: Tensor | None) -> Tensor:
        if self.pooling == "last":
            return last_step(values, lengths)
        if self.pooling == "ends":
            forwards, backwards = values.chunk(2, 2)
            return torch.cat([last_step(forwards, lengths), backwards[:, 0]], 1)
        mask = None if lengths is None else step_mask(lengths, values.shape[1])  # (N, T, 1)
        if self.pooling == "max":
            hidden = values if mask is None else values.masked_fill(~mask, -torch.inf)
            return hidden.amax(1)
        if self.scores is not None:
            scores: Tensor = self.scores(values)  # (N, T, 1)
            scores = scores if mask is None else scores.masked_fill(~mask, -torch.inf)
            return (values * scores.softmax(1)).sum(1)
        if lengths is None or mask is None:
            return values.mean(1)
        return values.masked_fill(~mask, 0).sum(1) / lengths[:, None].to(values.dtype)


def step_mask(lengths: Tensor, steps: int) -> Tensor:
    """Return (N, T, 1), true where a step is no padding."""
    return (torch.arange(steps, device=lengths.device) < lengths[:, None]).unsqueeze(2)


def longest(lengths: Tensor, steps: int) -> int:
    """Return the steps to keep: those of the longest sequence, where that is known at no cost."""
    if lengths.device.type != "cpu":
        return steps  # the host would have to wait for the device
    return max(1, int(lengths.max()))


def last_step(values: Tensor, lengths: Tensor | None) -> Tensor:
    """Return the last step that is no padding: values (N, T, F) -> (N, F)."""
    if lengths is None:
        return values[:, -1]
    return values[torch.arange(len(values), device=values.device), lengths - 1]


def _width(shape: Shape) -> int:
    if shape.form == "vector" or shape.pooling == "flatten":
        return shape.width
    return shape.sizes[0] if shape.form == "image" else shape.sizes[1]
