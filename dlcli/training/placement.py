"""Where the values of a model's parameters lie: all of them here, unless ranks share them out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn


class Placement(Protocol):
    """What of a model this process holds; every rank calls the same methods in the same order."""

    def parameters(self, model: nn.Module) -> dict[str, nn.Parameter]:
        """Return by name what this process's optimizer moves; gradients are found there."""
        ...

    def any(self, flag: Tensor) -> Tensor:
        """Return (1,) 1.0 if the flag (1,) is 1.0 anywhere; waits for no device."""
        ...

    def norm(self, gradients: Sequence[Tensor]) -> Tensor:
        """Return the length, a scalar, of the gradients of the whole model."""
        ...

    def whole(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return a state, named by parameters at the end, as one process has it; only rank 0."""
        ...

    def own(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return this process's share of a state that `whole` returned."""
        ...

    def load(self, model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
        """Give a model the parameters and buffers that `whole` returned."""
        ...


class Whole:
    """Everything is here."""

    def parameters(self, model: nn.Module) -> dict[str, nn.Parameter]:
        """Return the model's own."""
        return dict(model.named_parameters())

    def any(self, flag: Tensor) -> Tensor:
        """Return the flag."""
        return flag

    def norm(self, gradients: Sequence[Tensor]) -> Tensor:
        """Return their length."""
        return torch.nn.utils.get_total_norm(gradients)

    def whole(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return them as they are."""
        return dict(tensors)

    def own(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return them as they are."""
        return dict(tensors)

    def load(self, model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
        """Load them."""
        model.load_state_dict(dict(tensors))
