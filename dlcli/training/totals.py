"""Weighted totals of a loss on its own device: never waits for the device until it is read."""

from __future__ import annotations

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

    def add(self, loss: Tensor, weight: Tensor | float) -> None:
        """Add a mean loss (scalar) over rows that weigh `weight` together."""
        self.sums[0] += loss.detach() * weight
        self.sums[1] += weight

    def mean(self) -> float:
        """Return the weighted mean; waits for the device."""
        total, weight = self.sums.tolist()
        return float(total) / float(weight)
