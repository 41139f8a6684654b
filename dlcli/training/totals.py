"""Weighted totals of a loss on its own device: never waits for the device until it is read."""

from __future__ import annotations

from math import nan

import torch
from torch import Tensor


class Totals:
    """The sum of losses times weights, and the sum of weights, in float64.

    Args:
        device: Where the losses are; the sums stay there.
    """

    def __init__(self, device: torch.device) -> None:
        dtype = torch.float32 if device.type == "mps" else torch.float64
        self.sums = torch.zeros(2, dtype=dtype, device=device)  # (loss x weight, weight)

    def add(self, loss: Tensor, weight: Tensor | float, *, skip: Tensor | None = None) -> None:
        """Add a mean loss (scalar) over rows that weigh `weight` together.

        Args:
            loss: The mean.
            weight: What it stands for.
            skip: (1,) 1.0 where nothing is to be added after all.
        """
        loss = loss.detach()
        if skip is not None:
            weight = weight * (1 - skip.squeeze())
            loss = loss.masked_fill(skip.squeeze() > 0, 0.0)  # 0 x infinity is no number
        self.sums[0] += loss * weight
        self.sums[1] += weight

    def mean(self) -> float:
        """Return the weighted mean, NaN of nothing; waits for the device."""
        total, weight = self.sums.tolist()
        return float(total) / float(weight) if weight else nan
