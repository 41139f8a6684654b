"""The bound: the same training on batches that lie ready; no data handling, no records.

Nothing that trains the same network by the same steps can be much faster than this, for it does
nothing else. Ways, joined by `+`: `hand` puts hand-written gradients in the place of autograd, for
the MLPs; `medium` and `bf16` are precisions.

`torch.optim` is not imported: any of its classes costs a second of start-up.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.peers.models import build, build_trained
from benchmarks.peers.terms import Arrays, Asked, asked, digits_without_sklearn, mnist, tell
from benchmarks.works import LEARNING_RATE, SEED, Work

Batches = Sequence[tuple[Tensor, Tensor]]
_MEAN = 1
"""How aten calls the reduction to the mean."""
_IGNORED = -100
_STEPS_TRIED = 10


class Adam:
    """The one kernel that makes a whole step of Adam."""

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        self.parameters = list(parameters)
        self._means = [torch.zeros_like(p) for p in self.parameters]
        self._squares = [torch.zeros_like(p) for p in self.parameters]
        self._steps = [torch.zeros(()) for _ in self.parameters]

    def step(self, gradients: list[Tensor]) -> None:
        """Update the parameters in place."""
        torch._foreach_add_(self._steps, 1)
        torch._fused_adam_(
            self.parameters,
            gradients,
            self._means,
            self._squares,
            [],
            self._steps,
            lr=LEARNING_RATE,
            beta1=0.9,
            beta2=0.999,
            weight_decay=0.0,
            eps=1e-8,
            amsgrad=False,
            maximize=False,
        )


def train_by_autograd(
    network: nn.Module, epochs: Iterable[Batches], *, precision: AbstractContextManager[Any]
) -> float:
    """Train a network in place; return the seconds of the loop."""
    adam = Adam([*network.parameters()])
    started = time.perf_counter()
    for batches in epochs:
        for inputs, targets in batches:
            for parameter in adam.parameters:
                parameter.grad = None
            with precision:
                loss = F.cross_entropy(network(inputs), targets)
            loss.backward()
            with torch.no_grad():
                adam.step([p.grad for p in adam.parameters if p.grad is not None])
    return time.perf_counter() - started


@torch.no_grad()
def train_by_hand(network: nn.Sequential, epochs: Iterable[Batches]) -> float:
    """Train linear layers with ReLU between by the kernels that autograd would call.

    Weights and gradients lie each in one flat tensor, which is one to the optimizer.

    Args:
        network: As `mlp` builds it; gets the trained weights at the end.
        epochs: Of each the batches: inputs (N, F), classes (N,).

    Returns:
        Seconds of the loop.
    """
    own = [*network.parameters()]
    flat = torch.cat([parameter.flatten() for parameter in own])
    slopes = torch.empty_like(flat)
    values, gradients = _views(flat, own), _views(slopes, own)
    layers = [*zip(values[::2], values[1::2], strict=True)]
    layer_gradients = [*zip(gradients[::2], gradients[1::2], strict=True)]
    adam, whole = Adam([flat]), [slopes]
    started = time.perf_counter()
    for batches in epochs:
        for inputs, targets in batches:
            _gradients(layers, layer_gradients, inputs, targets)
            adam.step(whole)
    seconds = time.perf_counter() - started
    for parameter, value in zip(own, values, strict=True):
        parameter.copy_(value)
    return seconds


Layer = tuple[Tensor, Tensor]
"""A weight (out, in) and a bias (out,)."""


def _gradients(
    layers: Sequence[Layer], gradients: Sequence[Layer], inputs: Tensor, targets: Tensor
) -> Tensor:
    """Write the gradients of the mean loss; return that loss."""
    aten = torch.ops.aten
    seen = [inputs]  # by each layer
    for weight, bias in layers[:-1]:
        seen.append(torch.addmm(bias, seen[-1], weight.t()).relu_())
    weight, bias = layers[-1]
    logs = torch._log_softmax(torch.addmm(bias, seen[-1], weight.t()), 1, False)
    loss, rows = aten.nll_loss_forward(logs, targets, None, _MEAN, _IGNORED)
    slope = aten.nll_loss_backward(
        torch.ones_like(loss), logs, targets, None, _MEAN, _IGNORED, rows
    )
    slope = torch._log_softmax_backward_data(slope, logs, 1, logs.dtype)
    for number in range(len(layers) - 1, -1, -1):
        torch.mm(slope.t(), seen[number], out=gradients[number][0])
        torch.sum(slope, 0, out=gradients[number][1])
        if number:
            slope = aten.threshold_backward(slope @ layers[number][0], seen[number], 0)
    return loss


def _views(flat: Tensor, like: Sequence[Tensor]) -> list[Tensor]:
    """Return a flat tensor's parts in the shapes of others."""
    ends = np.cumsum([0, *(tensor.numel() for tensor in like)])
    return [
        flat[start:end].view(tensor.shape)
        for (start, end), tensor in zip(pairwise(ends.tolist()), like, strict=True)
    ]


@torch.inference_mode()
def predict(network: nn.Module, batches: Sequence[Tensor]) -> tuple[Tensor, float]:
    """Return the classes (N,) that a network tells, and the seconds that it took."""
    started = time.perf_counter()
    told = torch.cat([network(inputs).argmax(1) for inputs in batches])
    return told, time.perf_counter() - started


def staged(inputs: Tensor, targets: Tensor, work: Work) -> Batches:
    """Return the batches of an epoch, each a tensor of its own, in an order that the seed draws."""
    order = torch.randperm(len(targets), generator=torch.Generator().manual_seed(SEED))
    return [(inputs[index], targets[index]) for index in order.split(work.batch_size)]


def fastest_threads(work: Work, batches: Batches) -> int:
    """Return with how many threads a few steps take least: one, or as many as torch would take.

    Tried with MLPs alone, for which a second thread can cost more than it does.
    """
    most = torch.get_num_threads()
    seconds = {}
    for threads in (1, most) if work.network == "mlp" else ():
        torch.set_num_threads(threads)
        network = build(work, tuple(batches[0][0].shape[1:]))
        assert isinstance(network, nn.Sequential)
        tries = (train_by_hand(network, [batches[:_STEPS_TRIED]]) for _ in range(3))
        seconds[threads] = min(tries)
    return min(seconds, key=seconds.__getitem__, default=most)


def arrays_of(given: Asked) -> Arrays:
    """Return the data by the shortest way."""
    if given.work.data == "digits":
        return digits_without_sklearn(given.folder)
    if given.work.data == "mnist":
        return mnist(given)
    from benchmarks.peers.adult_arrow import prepared

    return prepared(given.folder)


def main() -> None:
    """Do what is asked."""
    given = asked()
    work, ways = given.work, given.way.split("+")
    if "medium" in ways:
        torch.set_float32_matmul_precision("medium")
    tensors = [torch.from_numpy(values) for values in vars(arrays_of(given)).values()]
    inputs, targets, test_inputs, test_targets = tensors
    if given.name == "predict":
        network = build_trained(work, given.folder)
        told, seconds = predict(network, inputs.split(work.batch_size))
        score, rows = _share(told == targets), len(targets)
    else:
        batches = staged(inputs, targets, work)
        torch.set_num_threads(fastest_threads(work, batches))
        network = build(work, tuple(inputs.shape[1:]))
        epochs = [batches] * work.epochs
        if "hand" in ways:
            assert isinstance(network, nn.Sequential)
            seconds = train_by_hand(network, epochs)
        else:
            is_half = "bf16" in ways
            precision = torch.autocast("cpu", torch.bfloat16) if is_half else nullcontext()
            seconds = train_by_autograd(network, epochs, precision=precision)
        told, _ = predict(network, test_inputs.split(1000))
        score, rows = _share(told == test_targets), len(targets) * work.epochs
    tell("torch", seconds=seconds, rows=rows, score=score)
    sys.stdout.flush()
    os._exit(0)  # taking torch down costs a third of a second


def _share(is_right: Tensor) -> float:
    return is_right.double().mean().item()


if __name__ == "__main__":
    main()
