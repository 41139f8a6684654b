"""Randomness derived from (seed, purpose, epoch): no generator's state outlives an epoch."""

from __future__ import annotations

from bisect import bisect_right
from hashlib import blake2b
from typing import Protocol

import torch
from torch import Tensor

_WHOLE_BYTES = 1 << 30
"""Up to so many, all rows of a part are shuffled together."""
_BLOCK_BYTES = 1 << 20
_WINDOW_BYTES = 1 << 28
_WINDOW_ROWS = 1 << 22


class Order(Protocol):
    """The order in which an epoch visits rows: a tensor (N,) int64, or something like one."""

    def __getitem__(self, places: slice, /) -> Tensor:
        """Return the rows at neighbouring places, up to the last one."""
        ...

    def to(self, device: torch.device, /) -> Order:
        """Return the order with its rows on a device."""
        ...


def derived_seed(*parts: int | str) -> int:
    """Return a 63-bit seed that depends on every part; unrelated for different parts."""
    digest = blake2b(repr(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def epoch_order(seed: int, epoch: int, rows: int) -> Tensor:
    """Return the order (rows,) int64 in which an epoch (0-based) visits the rows."""
    generator = torch.Generator().manual_seed(derived_seed(seed, "order", epoch))
    return torch.randperm(rows, generator=generator)


def sized_order(seed: int, epoch: int, rows: int, row_bytes: float) -> Order:
    """Return the order of an epoch (0-based) over rows of such a size, wherever they lie.

    Up to a gigabyte that is `epoch_order`. Of more, blocks of about a megabyte are shuffled, and
    then the rows of each window of about 256 of them, so that what is read from a disk is read in
    whole stretches, once, and memory holds a window at a time.
    """
    if rows * row_bytes <= _WHOLE_BYTES:
        return epoch_order(seed, epoch, rows)
    block = max(1, min(int(_BLOCK_BYTES / row_bytes), _WINDOW_ROWS))
    window = max(1, min(int(_WINDOW_BYTES / row_bytes), _WINDOW_ROWS) // block)
    return WindowedOrder(seed, epoch, rows, block=block, window=window)


class WindowedOrder:
    """Shuffled blocks of neighbouring rows, shuffled once more within windows of several blocks.

    A pure function of its arguments; only the window last asked for is kept.

    Args:
        seed: The training seed.
        epoch: 0-based.
        rows: How many there are.
        block: Rows of a block; the last one may have fewer.
        window: Blocks of a window; the last one may have fewer.
        device: Where the rows are wanted.
    """

    def __init__(
        self,
        seed: int,
        epoch: int,
        rows: int,
        *,
        block: int,
        window: int,
        device: torch.device | None = None,
    ) -> None:
        self._seed, self._epoch, self._rows = seed, epoch, rows
        self._block, self._window, self._device = block, window, device
        self._blocks = epoch_order(seed, epoch, -(-rows // block))
        ends = self._sizes(self._blocks).cumsum(0)[window - 1 :: window].tolist()
        self._starts = [0, *ends]
        self._kept: tuple[int, Tensor] = (-1, self._blocks)

    def __len__(self) -> int:
        return self._rows

    def to(self, device: torch.device) -> WindowedOrder:
        """Return the order with its rows on a device."""
        return WindowedOrder(
            self._seed,
            self._epoch,
            self._rows,
            block=self._block,
            window=self._window,
            device=device,
        )

    def __getitem__(self, places: slice) -> Tensor:
        """Return the rows at neighbouring places; see `Order`."""
        start, stop, _ = places.indices(self._rows)
        found: list[Tensor] = []
        while start < stop:
            number = bisect_right(self._starts, start) - 1
            first = self._starts[number]
            found.append(self._shuffled(number)[start - first : stop - first])
            start += len(found[-1])
        return found[0] if len(found) == 1 else torch.cat(found)

    def _shuffled(self, number: int) -> Tensor:
        """Return the rows of a window in their order."""
        if self._kept[0] != number:
            blocks = self._blocks[number * self._window : (number + 1) * self._window]
            sizes = self._sizes(blocks)
            ends = sizes.cumsum(0)
            first = (blocks * self._block - (ends - sizes)).repeat_interleave(sizes)
            generator = torch.Generator().manual_seed(
                derived_seed(self._seed, "window", self._epoch, number)
            )
            order = torch.randperm(len(first), generator=generator)
            self._kept = (number, (first[order] + order).to(self._device))
        return self._kept[1]

    def _sizes(self, blocks: Tensor) -> Tensor:
        """Return how many rows each of these blocks has."""
        return (self._rows - blocks * self._block).clamp(max=self._block)


def drawn_order(seed: int, epoch: int, weights: Tensor) -> Tensor:
    """Return the rows (N,) int64 that an epoch (0-based) draws, with replacement.

    Args:
        seed: The training seed.
        epoch: Which epoch.
        weights: (N,) float64, how likely each row is against the others.
    """
    generator = torch.Generator().manual_seed(derived_seed(seed, "order", epoch))
    edges = weights.cumsum(0)
    draws = torch.rand(len(weights), generator=generator, dtype=torch.float64) * edges[-1]
    return torch.searchsorted(edges, draws, right=True).clamp_(max=len(weights) - 1)


def seed_epoch(seed: int, epoch: int, rank: int) -> None:
    """Seed dropout and the like for one epoch (0-based) of one rank; costs about 0.1 ms."""
    torch.manual_seed(derived_seed(seed, "epoch", epoch, rank))
