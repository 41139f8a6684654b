"""The bound and the plain loop make the very steps that dlcli makes."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from benchmarks.peers.bound import train_by_autograd, train_by_hand
from benchmarks.peers.models import build
from benchmarks.peers.plain import train
from benchmarks.prediction import weights_of
from benchmarks.programs import CONFIGS
from benchmarks.sets import write_digits
from benchmarks.works import SEED, WORKS
from dlcli import checkpoint
from dlcli.training.randomness import epoch_order
from tests.command_line import as_json

WORK = WORKS["digits"]
EPOCHS = 3
Batches = list[tuple[Tensor, Tensor]]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def weights(network: nn.Module) -> list[Tensor]:
    return [parameter.detach() for parameter in network.parameters()]


def equal(some: list[Tensor], others: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(some, others, strict=True))


@pytest.fixture
def batches() -> Batches:
    """Three batches, the last of another size."""
    torch.manual_seed(1)
    inputs, targets = torch.randn(80, 64), torch.randint(10, (80,))
    return [*zip(inputs.split(32), targets.split(32), strict=True)]


def test_gradients_by_hand_are_those_of_autograd(batches: Batches) -> None:
    by_hand, by_autograd = build(WORK, (64,)), build(WORK, (64,))
    assert isinstance(by_hand, nn.Sequential)

    train_by_hand(by_hand, [batches] * EPOCHS)
    train_by_autograd(by_autograd, [batches] * EPOCHS, precision=nullcontext())

    assert equal(weights(by_hand), weights(by_autograd))
    assert not equal(weights(by_hand), weights(build(WORK, (64,))))


def test_the_bound_makes_the_steps_of_the_plain_loop(batches: Batches) -> None:
    plain, bound = build(WORK, (64,)), build(WORK, (64,))

    train(plain, batches, epochs=EPOCHS, fused=True)
    train_by_autograd(bound, [batches] * EPOCHS, precision=nullcontext())

    assert equal(weights(plain), weights(bound))


def test_dlcli_makes_the_steps_of_both(tmp_path: Path) -> None:
    answer = as_json("train", CONFIGS / "digits.yaml", f"train.epochs={EPOCHS}", folder=tmp_path)
    path = tmp_path / answer["checkpoint"]
    scaling = [checkpoint.load(path).tensors[f"model/stem.blocks.0.{n}"] for n in ("mean", "std")]
    network = build(WORK, (64,))

    train_by_autograd(network, staged(tmp_path, *scaling), precision=nullcontext())

    assert equal(weights(network), [torch.from_numpy(values) for values in weights_of(path)])


def staged(folder: Path, mean: Tensor, std: Tensor) -> list[Batches]:
    """Return the batches of all epochs in dlcli's order, with pixels scaled as there."""
    write_digits(folder / "digits")
    pixels, classes, train_rows = (
        torch.from_numpy(np.load(folder / "digits" / f"{name}.npy"))
        for name in ("pixels", "classes", "train")
    )
    inputs = ((pixels[train_rows].float() - mean) / std).flatten(1)
    targets = classes[train_rows]
    orders = (epoch_order(SEED, epoch, len(targets)) for epoch in range(EPOCHS))
    return [
        [(inputs[rows], targets[rows]) for rows in order.split(WORK.batch_size)] for order in orders
    ]
