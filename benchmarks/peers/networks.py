"""The networks of all works, as PyTorch's own examples write them.

dlcli trains this very CNN as own code, so that the work is the same; so this imports torch alone.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class CNN(nn.Module):
    """Two convolutions, max pooling, two linear layers (PyTorch's MNIST example).

    Args:
        inputs: (C, H, W) of a picture.
        outputs: (K,), the number of classes.
    """

    def __init__(self, *, inputs: tuple[int, ...], outputs: tuple[int, ...]) -> None:
        super().__init__()
        channels, height, width = inputs
        self.conv1 = nn.Conv2d(channels, 32, 3)
        self.conv2 = nn.Conv2d(32, 64, 3)
        self.fc1 = nn.Linear(64 * ((height - 4) // 2) * ((width - 4) // 2), 128)
        self.fc2 = nn.Linear(128, outputs[0])

    def forward(self, pictures: Tensor) -> Tensor:
        """Pictures (N, C, H, W) -> logits (N, K)."""
        values = F.relu(self.conv1(pictures))
        values = F.max_pool2d(F.relu(self.conv2(values)), 2)
        logits: Tensor = self.fc2(F.relu(self.fc1(torch.flatten(values, 1))))
        return logits


class LSTM(nn.Module):
    """An LSTM over a picture's rows; its last state tells the class."""

    def __init__(self, *, inputs: tuple[int, ...], outputs: tuple[int, ...]) -> None:
        super().__init__()
        self.lstm = nn.LSTM(inputs[-1], 128, batch_first=True)
        self.linear = nn.Linear(128, outputs[0])

    def forward(self, pictures: Tensor) -> Tensor:
        """Pictures (N, 1, H, W) -> logits (N, K)."""
        states, _ = self.lstm(pictures.squeeze(1))
        logits: Tensor = self.linear(states[:, -1])
        return logits


def mlp(*sizes: int) -> nn.Sequential:
    """Return linear layers of these widths, the first of the flat input, with ReLU between."""
    layers: list[nn.Module] = [nn.Flatten()]
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers[:-1])
