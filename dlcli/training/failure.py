"""Which step was the first that may not be made, kept on the device until the host asks."""

from __future__ import annotations

import torch
from torch import Tensor


class FirstFailure:
    """Once a step has failed, every later one is left out: the weights stay the last sound ones.

    Args:
        device: Where the steps are computed.
    """

    def __init__(self, device: torch.device) -> None:
        self._step = torch.full((1,), -1, dtype=torch.int64, device=device)

    def note(self, is_fatal: Tensor, step: int) -> None:
        """Remember the step (0-based) if it failed (1,) bool and is the first; does not wait."""
        is_first = is_fatal & (self._step < 0)
        self._step.masked_fill_(is_first, step)

    def has_happened(self) -> Tensor:
        """Return (1,) bool; does not wait."""
        return self._step >= 0

    def step(self) -> int | None:
        """Return the step (0-based), None if none failed; waits for the device."""
        number = int(self._step)
        return None if number < 0 else number
