"""Weighted totals of a loss: an accelerator is not waited for until they are read."""

from __future__ import annotations

from math import nan

import torch
from torch import Tensor


class Totals:
    """The sum of losses times weights, and the sum of weights, in float64.

    Args:
        device: Where the losses are. The sums stay there; those of the CPU are Python's own
            numbers, which are added in a tenth of the time.
    """

    def __init__(self, device: torch.device) -> None:
        self._loss = self._weight = 0.0
        self._sums: Tensor | None = None  # (loss x weight, weight), on an accelerator
        if device.type != "cpu":
            dtype = torch.float32 if device.type == "mps" else torch.float64
            self._sums = torch.zeros(2, dtype=dtype, device=device)

    def add(self, loss: Tensor, weight: Tensor | float, *, skip: Tensor | None = None) -> None:
        """Add a mean loss (scalar) over rows that weigh `weight` together.

        Args:
            loss: The mean.
            weight: What it stands for.
            skip: (1,) 1.0 where nothing is to be added after all.
        """
        if self._sums is None:
            if skip is None or not skip.item():
                self._loss += loss.item() * float(weight)
                self._weight += float(weight)
            return
        loss = loss.detach()
        if skip is not None:
            weight = weight * (1 - skip.squeeze())
            loss = loss.masked_fill(skip.squeeze() > 0, 0.0)  # 0 x infinity is no number
        self._sums[0] += loss * weight
        self._sums[1] += weight

    def state(self) -> Tensor:
        """Return (loss x weight, weight) (2,)."""
        if self._sums is None:
            return torch.tensor([self._loss, self._weight], dtype=torch.float64)
        return self._sums

    def load(self, state: Tensor) -> None:
        """Take up what `state` returned, from any device."""
        if self._sums is None:
            self._loss, self._weight = state.tolist()
        else:
            self._sums.copy_(state)

    def mean(self) -> float:
        """Return the weighted mean, NaN of nothing; waits for the device."""
        total, weight = self.state().tolist()
        return float(total) / float(weight) if weight else nan
