"""A loss of the user's: a mean over rows, so that parts of a batch add up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from dlcli.config.code import Code
from dlcli.config.own import OwnLossOptions, keywords
from dlcli.losses import Loss


@dataclass(frozen=True)
class OwnLoss(Loss):
    """See `Loss`; of running text the user's loss is shown every told token as a row.

    Attributes:
        code: What it was made from, for messages.
    """

    code: Code | None = None

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Outputs (N, *outputs), targets as in `Batch.targets` -> mean loss, scalar.

        Raises:
            OwnCodeError: The user's loss gives something else.
        """
        if self.padding is None:
            return self._checked(self.function(outputs, targets), outputs, len(targets)).mean()
        outputs, targets = outputs.flatten(0, 1), targets.flatten().long()
        is_told = targets != self.padding
        # Not by choosing rows: an accelerator would be waited for.
        rows = self.function(outputs, targets)  # padding has a code like any token
        rows = self._checked(rows, outputs, len(targets), needs_rows=True)
        return rows.where(is_told, 0).sum() / is_told.sum()

    def padded(self, padding: int | None) -> Loss:
        """See `Loss`; the tokens are told by softmax unless the user's loss says how."""
        is_untold = padding is not None and self.link is _as_they_are
        return replace(self, padding=padding, link=_softmax if is_untold else self.link)

    def to(self, device: torch.device | str) -> Loss:
        """Return the loss with its tensors on a device."""
        if isinstance(self.function, nn.Module):
            self.function.to(device)
        return super().to(device)

    def _checked(
        self, found: Any, outputs: Tensor, rows: int, *, needs_rows: bool = False
    ) -> Tensor:
        """Return what the user's loss gives.

        Raises:
            OwnCodeError: It is neither a mean nor a value for each row.
        """
        assert self.code is not None
        if not isinstance(found, Tensor) or not found.is_floating_point():
            what = found.dtype if isinstance(found, Tensor) else type(found).__name__
            raise self.code.error(f"gives {what}, expected a tensor of floating point numbers")
        is_mean = found.ndim == 0 and not needs_rows
        is_rows = found.shape[:1] == (rows,) and (found.ndim == 1 or not needs_rows)
        if not is_mean and not is_rows:
            raise self.code.error(
                f"gives a tensor of shape {tuple(found.shape)}, expected ({rows},): a value a row"
                + ("" if needs_rows else ", or their mean")
            )
        if outputs.requires_grad and torch.is_grad_enabled() and not found.requires_grad:
            raise self.code.error("gives a value that does not depend on the outputs")
        return found


def build_own_loss(
    options: OwnLossOptions,
    *,
    shape: tuple[int, ...],
    classes: Sequence[str],
    class_counts: Tensor | None = None,
    own: Any,
) -> Loss:
    """Build a loss of the user's over outputs as the task has them.

    Args:
        options: What it is given by name.
        shape: (K,) classes or tokens, () or (D,) numbers, (H, D) over a horizon.
        classes: Names of the classes; empty where there are none.
        class_counts: Not passed on.
        own: A function of outputs and targets, or a class of which each object is one. A method
            `link` turns its outputs into answers; else classes are told by softmax, and numbers
            as they are.

    Raises:
        OwnCodeError: It cannot be called, or has parameters that nothing would train.
    """
    del class_counts
    code = options.code
    assert code is not None
    given = keywords(options)
    called: Any = own(**given) if isinstance(own, type) else partial(own, **given)
    if not callable(called):
        raise code.error("is a class without `__call__(self, outputs, targets)`")
    if isinstance(called, nn.Module) and any(p.requires_grad for p in called.parameters()):
        raise code.error(
            "has parameters, which are not trained", suggestion="put them into the model"
        )
    link = getattr(called, "link", None)
    return OwnLoss(
        shape,
        called,
        partial(_linked, link, code) if link else _softmax if classes else _as_they_are,
        has_probabilities=bool(classes) and options.has_probabilities,
        code=code,
    )


def _linked(link: Callable[[Tensor], Any], code: Code, outputs: Tensor) -> Tensor:
    """Return what the user's `link` makes of outputs."""
    answers = link(outputs)
    if not isinstance(answers, Tensor) or answers.shape != outputs.shape:
        found = tuple(answers.shape) if isinstance(answers, Tensor) else type(answers).__name__
        raise code.error(f"gives answers {found} by `link`, expected {tuple(outputs.shape)}")
    return answers


def _softmax(outputs: Tensor) -> Tensor:
    return outputs.softmax(-1)


def _as_they_are(outputs: Tensor) -> Tensor:
    return outputs
