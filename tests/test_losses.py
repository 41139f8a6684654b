"""Every loss: torch's own bits, parts that add up to the whole, and its link."""

from __future__ import annotations

from functools import partial
from importlib import import_module

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import hinge_loss
from sklearn.utils.class_weight import compute_class_weight
from torch import Tensor
from torch.nn import functional as F

from dlcli.config.loss import (
    BCEOptions,
    CrossEntropyOptions,
    FocalOptions,
    HingeOptions,
    HuberOptions,
    LossOptions,
    SmoothL1Options,
)
from dlcli.config.options import components
from dlcli.errors import ConfigError
from dlcli.losses import Loss
from tests.labels import label

CLASSES = ("ant", "bee", "cat", "dog")
COUNTS = torch.tensor([5, 40, 10, 25])

CLASSIFICATION = [
    CrossEntropyOptions(),
    CrossEntropyOptions(label_smoothing=0.1),
    CrossEntropyOptions(class_weights="balanced"),
    CrossEntropyOptions(class_weights={"ant": 3.0, "bee": 0.3}, label_smoothing=0.2),
    BCEOptions(),
    BCEOptions(pos_weight=3.0),
    FocalOptions(),
    FocalOptions(gamma=0.5, alpha=0.25),
    HingeOptions(),
    HingeOptions(margin=0.0),
]
REGRESSION = [
    member() for member in components(LossOptions).values() if "regression" in member.tasks
]
CASES = [
    *((options, size) for options in CLASSIFICATION for size in (2, 4)),
    *((options, size) for options in REGRESSION for size in (1, 3)),
]
CASES = [
    (options, size)
    for options, size in CASES
    if size == 2 or not (options.name == "bce" or getattr(options, "alpha", None))
]


def build(options: LossOptions, size: int) -> Loss:
    module, _, name = options.builds.partition(":")
    names = CLASSES[:size] if "classification" in options.tasks else ()
    counts = COUNTS[:size] if names else None
    shape = (size,) if names or size > 1 else ()
    loss: Loss = getattr(import_module(module), name)(
        options, shape=shape, classes=names, class_counts=counts
    )
    return loss


def draw(loss: Loss, options: LossOptions, size: int, rows: int = 24) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(rows)
    outputs = torch.randn(rows, *loss.outputs, generator=generator, dtype=torch.float64)
    if "classification" in options.tasks:
        return outputs, torch.randint(0, size, (rows,), generator=generator)
    shape = (rows,) if size == 1 else (rows, size)
    return outputs, torch.rand(shape, generator=generator, dtype=torch.float64) * 4


def test_every_loss_is_tested() -> None:
    assert {options.name for options, _ in CASES} == set(components(LossOptions))


@pytest.mark.parametrize(("options", "size"), CASES, ids=label)
@settings(max_examples=20, deadline=None)
@given(cuts=st.lists(st.integers(1, 23), max_size=4, unique=True))
def test_parts_of_a_batch_add_up_to_its_loss_and_gradient(options, size, cuts) -> None:
    loss = build(options, size)
    outputs, targets = draw(loss, options, size)
    whole = outputs.clone().requires_grad_()
    expected = loss(whole, targets)
    expected.backward()
    parted = outputs.clone().requires_grad_()
    total = torch.zeros((), dtype=torch.float64)
    for start, stop in zip([0, *sorted(cuts)], [*sorted(cuts), 24], strict=True):
        part = targets[start:stop]
        share = loss.weight(part) / loss.weight(targets)
        value = loss(parted[start:stop], part) * share
        value.backward()
        total += value.detach()
    torch.testing.assert_close(total, expected.detach(), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(parted.grad, whole.grad, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("options", "size"), CASES, ids=label)
def test_the_gradient_is_the_losss_slope(options, size) -> None:
    loss = build(options, size)
    outputs, targets = draw(loss, options, size, rows=6)
    assert torch.autograd.gradcheck(partial(at, loss, targets), outputs.requires_grad_())


def at(loss: Loss, targets: Tensor, outputs: Tensor) -> Tensor:
    return loss(outputs, targets)


@pytest.mark.parametrize(("options", "size"), CASES, ids=label)
def test_the_link_gives_a_row_per_output_row(options, size) -> None:
    loss = build(options, size)
    outputs, targets = draw(loss, options, size)
    answers = loss.link(outputs)
    if "classification" in options.tasks:
        assert answers.shape == (24, size)
        assert loss.has_probabilities == options.has_probabilities
    else:
        assert answers.shape == targets.shape
        assert not loss.has_probabilities
    if loss.has_probabilities:
        torch.testing.assert_close(answers.sum(1), torch.ones(24, dtype=torch.float64))
        assert (answers >= 0).all()


REFERENCES = [
    (CrossEntropyOptions(label_smoothing=0.1), 4, partial(F.cross_entropy, label_smoothing=0.1)),
    (
        CrossEntropyOptions(class_weights={"bee": 2.5, "dog": 0.5}),
        4,
        partial(F.cross_entropy, weight=torch.tensor([1, 2.5, 1, 0.5])),
    ),
    (BCEOptions(), 2, lambda o, t: F.binary_cross_entropy_with_logits(o, t.float())),
    (
        BCEOptions(pos_weight=2.0),
        2,
        lambda o, t: F.binary_cross_entropy_with_logits(o, t.float(), pos_weight=torch.tensor(2.0)),
    ),
    (HingeOptions(margin=0.5), 4, partial(F.multi_margin_loss, margin=0.5)),
    (REGRESSION[0], 1, F.mse_loss),
    (REGRESSION[0], 3, F.mse_loss),
    (REGRESSION[1], 3, F.l1_loss),
    (HuberOptions(delta=0.3), 3, partial(F.huber_loss, delta=0.3)),
    (SmoothL1Options(beta=0.3), 3, partial(F.smooth_l1_loss, beta=0.3)),
    (REGRESSION[-1], 3, F.poisson_nll_loss),
]


@pytest.mark.parametrize(("options", "size", "reference"), REFERENCES, ids=label)
def test_values_and_gradients_are_bitwise_torchs(options, size, reference) -> None:
    loss = build(options, size)
    outputs, targets = draw(loss, options, size)
    targets = targets.float() if targets.is_floating_point() else targets
    ours, theirs = (outputs.float().requires_grad_() for _ in range(2))
    value, expected = loss(ours, targets), reference(theirs, targets)
    value.backward()
    expected.backward()
    assert torch.equal(value, expected)
    assert torch.equal(ours.grad, theirs.grad)


def test_balanced_weights_are_those_of_scikit_learn() -> None:
    loss = build(CrossEntropyOptions(class_weights="balanced"), 4)
    rows = np.repeat(np.arange(4), COUNTS.numpy())
    expected = compute_class_weight("balanced", classes=np.arange(4), y=rows)
    torch.testing.assert_close(loss.class_weights, torch.tensor(expected, dtype=torch.float32))
    assert loss.to("cpu") == loss


def test_binary_cross_entropy_links_like_two_logits() -> None:
    logits = torch.randn(9)
    two = torch.stack([torch.zeros(9), logits], 1).softmax(1)
    torch.testing.assert_close(build(BCEOptions(), 2).link(logits), two)


def test_focal_loss_without_gamma_is_cross_entropy() -> None:
    loss = build(FocalOptions(gamma=0.0), 4)
    outputs, targets = draw(loss, FocalOptions(), 4)
    torch.testing.assert_close(loss(outputs, targets), F.cross_entropy(outputs, targets))


def test_binary_focal_loss_is_the_papers() -> None:
    loss = build(FocalOptions(gamma=2.0, alpha=0.25), 2)
    outputs, targets = draw(loss, FocalOptions(), 2)
    p = outputs.softmax(1)[:, 1]
    p_t = torch.where(targets == 1, p, 1 - p)
    alpha_t = torch.where(targets == 1, 0.25, 0.75)
    torch.testing.assert_close(
        loss(outputs, targets), (-alpha_t * (1 - p_t) ** 2 * p_t.log()).mean()
    )


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
def test_focal_loss_of_a_certain_answer_has_a_finite_slope(gamma: float) -> None:
    outputs = torch.tensor([[100.0, -100.0], [-100.0, 100.0]], requires_grad=True)
    build(FocalOptions(gamma=gamma), 2)(outputs, torch.tensor([0, 0])).backward()
    assert outputs.grad.isfinite().all()


def test_hinge_is_scikit_learns() -> None:
    loss = build(HingeOptions(), 2)
    outputs, targets = draw(loss, HingeOptions(), 2)
    assert loss(outputs, targets).item() == pytest.approx(
        hinge_loss(targets.numpy(), outputs.numpy())
    )


def test_at_margin_zero_a_step_is_the_perceptrons() -> None:
    loss = build(HingeOptions(margin=0.0), 2)
    inputs = torch.tensor([[1.0, 2.0], [3.0, -1.0], [0.0, 0.0]])
    weight = torch.tensor([1.0, 1.0], requires_grad=True)
    bias = torch.zeros(1, requires_grad=True)
    for row, target in zip(inputs, torch.tensor([0, 1, 1]), strict=True):
        weight.grad = bias.grad = None
        loss(row[None] @ weight + bias, target[None]).backward()
        sign = 2 * target - 1
        is_wrong = bool(sign * (row @ weight + bias) <= 0)
        assert torch.equal(weight.grad, -sign * row * is_wrong)
        assert bias.grad.item() == -sign.item() * is_wrong


def test_unknown_classes_are_all_named_with_their_place() -> None:
    options = CrossEntropyOptions(class_weights={"bea": 2.0, "eel": 1.0, "cat": 1.0})
    with pytest.raises(ConfigError, match="unknown class `bea`") as caught:
        build(options, 4)
    assert [fault.path for fault in caught.value.faults] == [
        ("loss", "class_weights", "bea"),
        ("loss", "class_weights", "eel"),
    ]
    assert caught.value.faults[0].suggestion == "did you mean `bee`?"
    assert caught.value.faults[0].note == "the target's classes: ant, bee, cat, dog"


@pytest.mark.parametrize(
    ("options", "path", "message"),
    [
        (BCEOptions(), ("loss",), "`bce` tells two classes apart, and the target has 4"),
        (FocalOptions(alpha=0.5), ("loss", "alpha"), "`focal` with `alpha` tells two classes"),
    ],
)
def test_a_loss_of_two_classes_refuses_more(options, path, message) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        build(options, 4)
    assert caught.value.faults[0].path == path
