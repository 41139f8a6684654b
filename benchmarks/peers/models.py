"""A work's network in torch, with the weights that the seed draws, or with the trained ones."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from benchmarks.peers.networks import CNN, LSTM, mlp
from benchmarks.peers.terms import trained_weights
from benchmarks.works import SEED, Work


def build(work: Work, inputs: tuple[int, ...]) -> nn.Module:
    """Build a work's network for inputs of this shape."""
    torch.manual_seed(SEED)
    if work.network == "mlp":
        return mlp(torch.Size(inputs).numel(), *work.hidden_sizes, work.classes)
    kind = CNN if work.network == "cnn" else LSTM
    return kind(inputs=inputs, outputs=(work.classes,))


def prepare_optimizers() -> None:
    """Make torch import what its first optimizer imports: a second that is no training."""
    torch.optim.Adam([torch.zeros(1)])


def build_trained(work: Work, folder: Path) -> nn.Module:
    """Build the MLP with which all programs predict."""
    network = build(work, (1, 28, 28))
    with torch.no_grad():
        for parameter, value in zip(network.parameters(), trained_weights(folder), strict=True):
            parameter.copy_(torch.from_numpy(value))
    return network
