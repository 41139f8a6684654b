"""In which precision forward and backward run, as one object."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from torch import Tensor


class Precision(Protocol):
    """Wraps the forward pass and starts the backward pass."""

    def forward(self) -> AbstractContextManager[None]:
        """Return the context in which outputs and loss are computed."""
        ...

    def backward(self, loss: Tensor) -> None:
        """Add the gradient of a scalar loss to every parameter's `grad`."""
        ...


class FullPrecision:
    """The tensors' own precision: nothing is changed."""

    def forward(self) -> AbstractContextManager[None]:
        """Return a context that does nothing."""
        return nullcontext()

    def backward(self, loss: Tensor) -> None:
        """Run autograd's backward."""
        loss.backward()  # type: ignore[no-untyped-call]
