"""The loop of PyTorch's tutorials: a Dataset, a DataLoader with its defaults, an optimizer."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Subset, TensorDataset

from benchmarks.peers.models import build, build_trained
from benchmarks.peers.terms import Arrays, Asked, arrays, asked, tell
from benchmarks.works import LEARNING_RATE, MNIST_MEAN, MNIST_STD

Batches = Iterable[tuple[Tensor, Tensor]]


def train(network: nn.Module, batches: Batches, *, epochs: int, fused: bool | None = None) -> float:
    """Train a network in place.

    Args:
        network: Inputs to logits.
        batches: (inputs, classes), to be gone through once an epoch.
        epochs: How often.
        fused: As `torch.optim.Adam` takes it.

    Returns:
        Seconds of the loop alone.
    """
    optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE, fused=fused)
    network.train()
    started = time.perf_counter()
    for _ in range(epochs):
        for inputs, targets in batches:
            optimizer.zero_grad()
            loss = F.cross_entropy(network(inputs), targets)
            loss.backward()
            optimizer.step()
    return time.perf_counter() - started


def share_right(network: nn.Module, batches: Batches) -> float:
    """Return the share of rows that a network tells right."""
    network.eval()
    right = rows = 0
    with torch.no_grad():
        for inputs, targets in batches:
            right += int((network(inputs).argmax(1) == targets).sum())
            rows += len(targets)
    return right / rows


def datasets_of(given: Asked) -> tuple[Any, Any]:
    """Return the training and the test rows as a tutorial has them."""
    if given.work.data != "mnist":
        return tensor_datasets(arrays(given))
    from torchvision import datasets, transforms

    transform = transforms.Compose(
        [transforms.ToTensor(), transforms.Normalize((MNIST_MEAN,), (MNIST_STD,))]
    )
    train, test = (datasets.MNIST(given.folder, is_train, transform) for is_train in (True, False))
    if given.work.rows is not None:
        train = Subset(train, range(len(train))[: given.work.rows])
    return train, test


def tensor_datasets(found: Arrays) -> tuple[TensorDataset, TensorDataset]:
    """Return arrays as datasets of tensors."""
    tensors = [torch.from_numpy(values) for values in vars(found).values()]
    return TensorDataset(*tensors[:2]), TensorDataset(*tensors[2:])


def main() -> None:
    """Do what is asked."""
    given = asked()
    work = given.work
    train_rows, test_rows = datasets_of(given)
    if given.name == "predict":
        network = build_trained(work, given.folder)
        started = time.perf_counter()
        score = share_right(network, DataLoader(train_rows, work.batch_size))
        seconds, rows = time.perf_counter() - started, len(train_rows)
    else:
        network = build(work, tuple(train_rows[0][0].shape))
        loader = DataLoader(train_rows, work.batch_size, shuffle=True)
        seconds, rows = train(network, loader, epochs=work.epochs), len(train_rows) * work.epochs
        score = share_right(network, DataLoader(test_rows, 1000))
    tell("torch", "torchvision", seconds=seconds, rows=rows, score=score)


if __name__ == "__main__":
    main()
