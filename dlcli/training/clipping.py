"""Gradients cut to a size, by entry and by length; knows no optimizer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import nn

from dlcli.training.placement import Placement, Whole


@dataclass(frozen=True)
class Clipping:
    """How gradients are cut, in place and without waiting for the device.

    Attributes:
        value: Largest entry; None cuts none.
        norm: Largest length of all gradients together; None leaves it.
        placement: Where those that are not here are found.
    """

    value: float | None = None
    norm: float | None = None
    placement: Placement = field(default_factory=Whole)

    def __call__(self, parameters: Sequence[nn.Parameter]) -> None:
        """Cut each entry first, then all gradients together."""
        if self.value is not None:
            torch.nn.utils.clip_grad_value_(parameters, self.value)
        if self.norm is not None:
            length = self.placement.norm([p.grad for p in parameters if p.grad is not None])
            torch.nn.utils.clip_grads_with_norm_(parameters, self.norm, length)
