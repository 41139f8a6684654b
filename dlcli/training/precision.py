"""In which precision forward and backward run, as one object; knows no optimizer."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from math import isfinite
from typing import Protocol

import torch
from torch import Tensor


class Precision(Protocol):
    """Wraps the forward pass, starts the backward pass and says whether its gradients are sound.

    Attributes:
        forgives: Whether a step that is not finite is left out and training goes on, as where a
            scaled loss overflows; otherwise it ends training.
    """

    forgives: bool

    def forward(self) -> AbstractContextManager[None]:
        """Return the context in which outputs and loss are computed."""
        ...

    def backward(self, loss: Tensor) -> None:
        """Add the gradient of a scalar loss to every parameter's `grad`."""
        ...

    def faults(self, gradients: Sequence[Tensor], loss: Tensor) -> Tensor:
        """Bring gradients to their true size; return (1,) 1.0 if they or the loss are not finite.

        Waits for no device.
        """
        ...

    def adapt(self, faults: Tensor) -> None:
        """Learn from the step that gave these faults; waits for no device."""
        ...

    def is_spent(self) -> Tensor:
        """Return (1,) bool: nothing is left to forgive with; waits for no device."""
        ...

    def state(self) -> dict[str, Tensor]:
        """Return what the next step depends on, by name."""
        ...

    def load(self, state: dict[str, Tensor]) -> None:
        """Take up what `state` returned."""
        ...


class FullPrecision:
    """The tensors' own precision: nothing is changed.

    Args:
        device: Where the model is.
    """

    forgives = False

    def __init__(self, device: torch.device) -> None:
        self._one = torch.ones(1, device=device)
        self._is_near = device.type == "cpu"

    def forward(self) -> AbstractContextManager[None]:
        """Return a context that does nothing."""
        return nullcontext()

    def backward(self, loss: Tensor) -> None:
        """Run autograd's backward."""
        loss.backward()  # type: ignore[no-untyped-call]

    def faults(self, gradients: Sequence[Tensor], loss: Tensor) -> Tensor:
        """See `Precision.faults`; a factor of 1 changes no bit of a gradient."""
        if self._is_near and not isfinite(loss.item()):
            return self._one
        found = _unscaled(gradients, self._one)
        return found if self._is_near else _or_not_finite(found, loss)

    def adapt(self, faults: Tensor) -> None:
        """Do nothing: there is nothing to learn."""

    def is_spent(self) -> Tensor:
        """Say yes: nothing is ever forgiven."""
        return self._one.bool()

    def state(self) -> dict[str, Tensor]:
        """Return nothing."""
        return {}

    def load(self, state: dict[str, Tensor]) -> None:
        """Do nothing."""


class Autocast(FullPrecision):
    """Matrix products and convolutions in another precision; weights and sums stay as they are.

    Args:
        device: Where the model is.
        dtype: `torch.bfloat16`, or float16 in `ScaledAutocast`.
    """

    def __init__(self, device: torch.device, dtype: torch.dtype) -> None:
        super().__init__(device)
        self._device, self._dtype = device, dtype

    def forward(self) -> AbstractContextManager[None]:
        """Return torch's autocast."""
        return torch.autocast(self._device.type, self._dtype)


class ScaledAutocast(Autocast):
    """float16, whose small gradients vanish unless the loss is scaled up.

    The scale halves at a step whose gradients overflow, which is left out, and doubles after 2000
    that did not: the arithmetic of `torch.amp.GradScaler`, by the same two kernels. Micikevicius
    et al., "Mixed precision training", 2018.

    Args:
        device: Where the model is.
    """

    forgives = True

    START = 2.0**16
    LEAST = 2.0**-14
    """Below this it is not the scale: the loss itself is not finite."""
    GROWTH_STEPS = 2000

    def __init__(self, device: torch.device) -> None:
        super().__init__(device, torch.float16)
        self._scale = torch.full((1,), self.START, device=device)
        self._sound_steps = torch.zeros(1, dtype=torch.int32, device=device)

    def backward(self, loss: Tensor) -> None:
        """Run autograd's backward from the scaled loss."""
        (loss * self._scale.to(loss.dtype).squeeze()).backward()  # type: ignore[no-untyped-call]

    def faults(self, gradients: Sequence[Tensor], loss: Tensor) -> Tensor:
        """See `Precision.faults`; the gradients are divided by the scale."""
        return _or_not_finite(_unscaled(gradients, self._scale.reciprocal()), loss)

    def adapt(self, faults: Tensor) -> None:
        """Halve the scale after an overflow, double it after enough sound steps."""
        torch._amp_update_scale_(
            self._scale, self._sound_steps, faults, 2.0, 0.5, self.GROWTH_STEPS
        )

    def is_spent(self) -> Tensor:
        """Say whether the scale fell as far as it can: halving it no longer helps."""
        return self._scale < self.LEAST

    def state(self) -> dict[str, Tensor]:
        """Return the scale and the sound steps since it changed."""
        return {"scale": self._scale, "sound_steps": self._sound_steps}

    def load(self, state: dict[str, Tensor]) -> None:
        """Take up the scale, if there was one."""
        if state:
            self._scale.copy_(state["scale"])
            self._sound_steps.copy_(state["sound_steps"])


def _unscaled(gradients: Sequence[Tensor], factor: Tensor) -> Tensor:
    """Multiply gradients in place, by one kernel; return (1,) 1.0 if one of them is not finite."""
    found = torch.zeros_like(factor)
    values = [g._values() if g.is_sparse else g for g in gradients]
    torch._amp_foreach_non_finite_check_and_unscale_(values, found, factor)
    return found


def _or_not_finite(found: Tensor, loss: Tensor) -> Tensor:
    """Return (1,) 1.0 if that was found, or the loss is not finite; waits for no device."""
    return torch.where(loss.isfinite(), found, torch.ones_like(found))
