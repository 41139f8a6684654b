"""Averages of the weights over training, as one object."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol

import torch
from torch import Tensor, nn

from dlcli.training.placement import Placement, Whole


class Averaging(Protocol):
    """Follows the weights and lends its averages for evaluation."""

    def update(self, skip: Tensor | None = None) -> None:
        """Take in the weights after an optimizer step.

        Args:
            skip: (1,) 1.0 where that step was not made and counts for nothing.
        """
        ...

    def applied(self) -> AbstractContextManager[None]:
        """Return a context in which the model has the averaged weights."""
        ...

    def state(self) -> dict[str, Tensor]:
        """Return the averages by parameter name."""
        ...

    def load(self, state: dict[str, Tensor]) -> None:
        """Take up the averages that `state` returned."""
        ...


class NoAveraging:
    """The weights as they are."""

    def update(self, skip: Tensor | None = None) -> None:
        """Do nothing."""

    def applied(self) -> AbstractContextManager[None]:
        """Return a context that changes nothing."""
        return nullcontext()

    def state(self) -> dict[str, Tensor]:
        """Return nothing: there are no averages."""
        return {}

    def load(self, state: dict[str, Tensor]) -> None:
        """Do nothing: there are no averages."""


class ExponentialAverage:
    """average = decay x average + (1 - decay) x weights, after every step.

    It begins with the initial weights, and the decay rises to its value as (1 + n) / (10 + n) over
    steps n, so that a short training is not held back by where it began (the rule of TensorFlow's
    ExponentialMovingAverage). Buffers, as batch norm's, are not averaged: they are averages
    already.

    Args:
        model: Its trained parameters are averaged.
        decay: Between 0 and 1.
        placement: What of them is here.
    """

    def __init__(self, model: nn.Module, decay: float, placement: Placement | None = None) -> None:
        self._decay = decay
        named = (placement or Whole()).parameters(model)
        self._named = {name: p for name, p in named.items() if p.requires_grad}
        self._averages = [parameter.detach().clone() for parameter in self._named.values()]
        device = self._averages[0].device
        self._steps = torch.zeros(1, dtype=torch.float64, device=device)

    @torch.no_grad()
    def update(self, skip: Tensor | None = None) -> None:
        """See `Averaging.update`."""
        made = 1 - skip.double() if skip is not None else 1.0
        self._steps += made
        rate = 1 - ((1 + self._steps) / (10 + self._steps)).clamp(max=self._decay)
        weights = [parameter.detach() for parameter in self._named.values()]
        share = (rate * made).to(weights[0].dtype).squeeze()
        # average += share x (weights - average), all parameters in a few kernels
        change = torch._foreach_sub(weights, self._averages)
        torch._foreach_mul_(change, share)
        torch._foreach_add_(self._averages, change)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Lend the averages to the model; its own weights come back bitwise."""
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    def state(self) -> dict[str, Tensor]:
        """Return the averages by parameter name, and under `steps` how many went into them."""
        return {"steps": self._steps} | dict(zip(self._named, self._averages, strict=True))

    def load(self, state: dict[str, Tensor]) -> None:
        """Take up the averages; what had none until now begins with the weights as they are."""
        if "steps" in state:
            self._steps.copy_(state["steps"])
        for (name, weight), average in zip(self._named.items(), self._averages, strict=True):
            average.copy_(state.get(name, weight.detach()))

    @torch.no_grad()
    def _exchange(self) -> None:
        """Exchange the values, not the tensors: others hold on to these."""
        for parameter, average in zip(self._named.values(), self._averages, strict=True):
            weights = parameter.clone()
            parameter.copy_(average)
            average.copy_(weights)
