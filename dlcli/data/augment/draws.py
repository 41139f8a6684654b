"""The random numbers of one epoch: a row for each example, a column for each purpose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from dlcli.training.randomness import derived_seed

UNIFORM = 1.0
"""Beta(1, 1) is uniform."""


@dataclass(frozen=True)
class Draws:
    """What has been drawn for some examples.

    Attributes:
        names: Purpose of each column.
        table: (N, columns) float32 from 0 to 1; uniform ones are below 1.
        noise: Normal numbers, of which a row takes a stretch that begins where its own column says.
    """

    names: tuple[str, ...]
    table: Tensor
    noise: Tensor

    def __getitem__(self, name: str) -> Tensor:
        return self.table[:, self.names.index(name)]

    def take(self, index: Tensor) -> Draws:
        """Return the draws of the examples at `index` (N,)."""
        return replace(self, table=self.table.index_select(0, index))

    def to(self, device: torch.device | str) -> Draws:
        """Return the draws on a device."""
        if self.table.device == torch.device(device):
            return self
        return replace(
            self,
            table=self.table.to(device, non_blocking=True),
            noise=self.noise.to(device, non_blocking=True),
        )


def draw(
    columns: Mapping[str, float], rows: int, *, seed: int, epoch: int, noise: int = 0
) -> Draws:
    """Draw the table of an epoch, on the CPU, so that every device trains on the same.

    Each column has a generator of its own: what one option draws depends on no other option.

    Args:
        columns: Purpose to the `a` of the distribution Beta(a, a).
        rows: Number of examples.
        seed: Of the training.
        epoch: 0-based.
        noise: Number of normal numbers.
    """
    table = torch.empty(rows, len(columns))
    for column, (name, a) in enumerate(columns.items()):
        generator = _generator(seed, epoch, name)
        drawn = generator.random(rows, np.float32) if a == UNIFORM else generator.beta(a, a, rows)
        table[:, column] = torch.from_numpy(drawn)
    normal = _generator(seed, epoch, "normal numbers").standard_normal(noise, np.float32)
    return Draws(tuple(columns), table, torch.from_numpy(normal))


def whole(uniform: Tensor, count: int | Tensor) -> Tensor:
    """Turn uniform numbers (N,) into whole ones (N,) int64, from 0 to below `count`."""
    return (uniform.double() * count).long()


def either_way(uniform: Tensor, most: float) -> Tensor:
    """Turn uniform numbers (N,) into such from -most to most."""
    return (2 * uniform - 1) * most


def spans(size: int, starts: Tensor, lengths: Tensor) -> Tensor:
    """Return where stretches are: starts (N,), lengths (N,) -> (N, size) bool."""
    places = torch.arange(size, device=starts.device)
    return (places >= starts.unsqueeze(1)) & (places < (starts + lengths).unsqueeze(1))


def _generator(seed: int, epoch: int, name: str) -> np.random.Generator:
    return np.random.default_rng(derived_seed(seed, "augment", epoch, name))
