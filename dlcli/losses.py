"""Losses over torch's own functions: each a mean, what it divides by, and its link to answers.

They know no task and no model. A regression's outputs and answers are in the scale in which its
targets are given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from dlcli.config.loss import (
    BCEOptions,
    CrossEntropyOptions,
    FocalOptions,
    HingeOptions,
    LossOptions,
    RegressionLossOptions,
)
from dlcli.errors import ConfigError, Fault

_ATEN = torch.ops.aten
_MEAN = 1
"""What torch's kernels call the mean over rows."""
_IGNORED = -100
"""The target that `F.cross_entropy` leaves out."""


@dataclass(frozen=True)
class Loss:
    """What training lowers: a mean, which for every `F.xxx` is bitwise torch's own.

    For a batch cut into parts, the sum of `loss(part) * weight(part)` over the parts, divided by
    `weight(batch)`, is `loss(batch)`.

    Attributes:
        outputs: Shape of one row's outputs: `()` for one number, `(K,)` for several.
        function: Outputs (N, *outputs) and targets (N,) or (N, D) -> mean, scalar; it takes
            `weight` where there are class weights.
        link: Outputs (N, *outputs) -> answers: classes (N, K), or numbers shaped as the outputs.
        has_probabilities: Whether answers are probabilities of classes, not scores or numbers.
        class_weights: (K,) how much a row of each class counts; None for all alike.
        padding: Of targets at every step (N, T), the code of those that count for nothing.
        written_slope: Like `function`, but returns the gradient by the outputs as well; None leaves
            that to autograd.
    """

    outputs: tuple[int, ...]
    function: Callable[..., Tensor]
    link: Callable[[Tensor], Tensor]
    has_probabilities: bool = True
    class_weights: Tensor | None = None
    padding: int | None = None
    written_slope: Callable[..., tuple[Tensor, Tensor]] | None = None

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Outputs (N, *outputs), targets as in `Batch.targets` -> mean loss, scalar."""
        if self.padding is not None:  # outputs (N, T, V), targets (N, T)
            outputs, targets = outputs.flatten(0, 1), targets.flatten().long()
            targets = torch.where(targets == self.padding, _IGNORED, targets)
        if self.class_weights is None:
            return self.function(outputs, targets)
        return self.function(outputs, targets, weight=self.class_weights.to(outputs.dtype))

    def slope(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean loss and its gradient by the outputs, in every bit autograd's."""
        if self.written_slope is None or self.padding is not None:
            return _slope_by_autograd(self, outputs, targets)
        if self.class_weights is None:
            return self.written_slope(outputs, targets)
        return self.written_slope(outputs, targets, weight=self.class_weights.to(outputs.dtype))

    def weight(self, targets: Tensor) -> Tensor | int:
        """Return what the mean over these targets divides by: rows, tokens or class weights."""
        if self.padding is not None:
            return (targets != self.padding).sum(dtype=torch.float64)
        if self.class_weights is None:
            return len(targets)
        return self.class_weights[targets].sum(dtype=torch.float64)

    def padded(self, padding: int | None) -> Loss:
        """Return the loss for targets at every step, some of which count for nothing."""
        return replace(self, padding=padding)

    def to(self, device: torch.device | str) -> Loss:
        """Return the loss with its tensors on a device."""
        if self.class_weights is None:
            return self
        return replace(self, class_weights=self.class_weights.to(device))


def cross_entropy(
    options: CrossEntropyOptions,
    *,
    shape: tuple[int, ...],
    classes: Sequence[str],
    class_counts: Tensor | None = None,
) -> Loss:
    """Return softmax cross-entropy.

    Args:
        options: Class weights and label smoothing.
        shape: (K,), the number of classes.
        classes: Their names, in the order of their codes.
        class_counts: (K,) training rows of each class; needed for `balanced`.

    Raises:
        ConfigError: `class_weights` names a class that the target does not have; or the targets
            are tokens of running text.
    """
    return Loss(
        shape,
        partial(F.cross_entropy, label_smoothing=options.label_smoothing),
        _softmax,
        class_weights=_class_weights(options, classes, class_counts),
        written_slope=None if options.label_smoothing else _cross_entropy_slope,
    )


def bce(
    options: BCEOptions,
    *,
    shape: tuple[int, ...],
    classes: Sequence[str],
    class_counts: Tensor | None = None,
) -> Loss:
    """Return binary cross-entropy from one logit, which speaks for the second class.

    Raises:
        ConfigError: There are more than two classes.
    """
    del class_counts
    _need_two(options, shape, classes, "use `cross_entropy`")
    return Loss((), partial(_bce, pos_weight=options.pos_weight), _two_sigmoids)


def focal(
    options: FocalOptions,
    *,
    shape: tuple[int, ...],
    classes: Sequence[str],
    class_counts: Tensor | None = None,
) -> Loss:
    """Return the focal loss over softmax probabilities.

    Raises:
        ConfigError: `alpha` is given, and there are more than two classes.
    """
    del class_counts
    if options.alpha is not None:
        _need_two(options, shape, classes, "leave out `alpha`", "alpha")
    return Loss(shape, partial(_focal, gamma=options.gamma, alpha=options.alpha), _softmax)


def hinge(
    options: HingeOptions,
    *,
    shape: tuple[int, ...],
    classes: Sequence[str],
    class_counts: Tensor | None = None,
) -> Loss:
    """Return the hinge loss: two classes by one score, more by one score each."""
    del classes, class_counts
    if shape == (2,):
        function = partial(_hinge, margin=options.margin)
        return Loss((), function, _two_scores, has_probabilities=False)
    function = partial(F.multi_margin_loss, margin=options.margin)
    return Loss(shape, function, _identity, has_probabilities=False)


def regression(
    options: RegressionLossOptions,
    *,
    shape: tuple[int, ...],
    classes: Sequence[str] = (),
    class_counts: Tensor | None = None,
) -> Loss:
    """Return a regression loss of `shape` numbers, its options passed on as torch spells them."""
    del classes, class_counts
    function, link = _REGRESSION[options.name]
    own = options.model_dump(exclude={"name"})
    slope = _mse_slope if options.name == "mse" else None
    return Loss(shape, partial(function, **own), link, has_probabilities=False, written_slope=slope)


def _class_weights(
    options: CrossEntropyOptions, classes: Sequence[str], class_counts: Tensor | None
) -> Tensor | None:
    given = options.class_weights
    if given is None:
        return None
    if not classes:
        raise ConfigError(
            "`class_weights` weigh classes, and tokens of running text are none",
            path=("loss", "class_weights"),
            suggestion="leave it out",
        )
    if isinstance(given, Mapping):
        _check_names(given, classes)
        return torch.tensor([given.get(name, 1.0) for name in classes])
    assert class_counts is not None, "balanced class weights need class_counts"
    # As scikit-learn's compute_class_weight: rows / (classes * rows of the class).
    counts = class_counts.double().clamp(min=1)
    return (class_counts.sum() / (len(counts) * counts)).to(torch.get_default_dtype())


def _check_names(given: Mapping[str, float], classes: Sequence[str]) -> None:
    faults = []
    for name in given:
        if name not in classes:
            near = get_close_matches(name, classes, 1)
            faults.append(
                Fault(
                    f"unknown class `{name}` in `class_weights`",
                    ("loss", "class_weights", name),
                    f"did you mean `{near[0]}`?" if near else "",
                    f"the target's classes: {_some(classes)}",
                )
            )
    if faults:
        raise ConfigError(faults)


def _need_two(
    options: LossOptions, shape: tuple[int, ...], classes: Sequence[str], remedy: str, *key: str
) -> None:
    if shape != (2,):
        what = " with ".join(f"`{name}`" for name in (options.name, *key))
        raise ConfigError(
            f"{what} tells two classes apart, and the target has {shape[0]}: {_some(classes)}",
            path=("loss", *key),
            suggestion=remedy,
        )


def _some(classes: Sequence[str]) -> str:
    return ", ".join(classes[:10]) + (", ..." if len(classes) > 10 else "")


def _bce(outputs: Tensor, targets: Tensor, *, pos_weight: float | None) -> Tensor:
    weight = None if pos_weight is None else outputs.new_full((), pos_weight)
    return F.binary_cross_entropy_with_logits(outputs, targets.to(outputs.dtype), pos_weight=weight)


def _focal(outputs: Tensor, targets: Tensor, *, gamma: float, alpha: float | None) -> Tensor:
    """Cross-entropy times (1 - p) ** gamma, p the right class's probability (arXiv 1708.02002)."""
    log_p = outputs.log_softmax(-1).gather(-1, targets.unsqueeze(-1)).squeeze(-1)  # (N,)
    # Off zero, where a power below 1 has no finite slope.
    missing = (1 - log_p.exp()).clamp(min=torch.finfo(log_p.dtype).tiny)
    losses = -(missing**gamma) * log_p
    if alpha is not None:
        losses = losses * torch.where(targets == 1, alpha, 1 - alpha).to(losses.dtype)
    return losses.mean()


def _hinge(outputs: Tensor, targets: Tensor, *, margin: float) -> Tensor:
    signs = 2 * targets.to(outputs.dtype) - 1
    short = margin - signs * outputs
    # Not relu or clamp, whose slope at 0 is 0: a perceptron learns from a row on its line.
    return torch.where(short < 0, 0, short).mean()


def _slope_by_autograd(
    loss: Callable[..., Tensor], outputs: Tensor, targets: Tensor
) -> tuple[Tensor, Tensor]:
    leaf = outputs.detach().requires_grad_()
    with torch.enable_grad():
        value = loss(leaf, targets)
    (gradient,) = torch.autograd.grad(value, leaf)
    return value.detach(), gradient


def _cross_entropy_slope(
    outputs: Tensor, targets: Tensor, weight: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Call the kernels that autograd calls, in their order."""
    if targets.is_floating_point():  # shares of classes
        return _slope_by_autograd(partial(F.cross_entropy, weight=weight), outputs, targets)
    log_p = torch._log_softmax(outputs, 1, half_to_float=False)
    told = (targets, weight, _MEAN, _IGNORED)
    loss, total = _ATEN.nll_loss_forward(log_p, *told)
    gradient = _ATEN.nll_loss_backward(torch.ones_like(loss), log_p, *told, total)
    return loss, torch._log_softmax_backward_data(gradient, log_p, 1, outputs.dtype)


def _mse_slope(outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    loss = F.mse_loss(outputs, targets)
    return loss, _ATEN.mse_loss_backward(torch.ones_like(loss), outputs, targets, _MEAN)


def _softmax(outputs: Tensor) -> Tensor:
    return outputs.softmax(-1)


def _two_sigmoids(outputs: Tensor) -> Tensor:
    return torch.stack([(-outputs).sigmoid(), outputs.sigmoid()], -1)


def _two_scores(outputs: Tensor) -> Tensor:
    return torch.stack([-outputs, outputs], -1)


def _identity(outputs: Tensor) -> Tensor:
    return outputs


_REGRESSION: dict[str, tuple[Callable[..., Tensor], Callable[[Tensor], Tensor]]] = {
    "mse": (F.mse_loss, _identity),
    "mae": (F.l1_loss, _identity),
    "huber": (F.huber_loss, _identity),
    "smooth_l1": (F.smooth_l1_loss, _identity),
    # Without its constant term; the outputs are logarithms of the expected counts.
    "poisson": (F.poisson_nll_loss, torch.exp),
}
