"""The order of rows that are too many to be shuffled together: blocks, then windows of them."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcli.training import randomness
from dlcli.training.randomness import WindowedOrder, epoch_order, sized_order

CPU = torch.device("cpu")
COUNTS = st.integers(1, 400), st.integers(1, 30), st.integers(1, 6), st.integers(1, 50)


def visited(order, size: int) -> torch.Tensor:
    return torch.cat([order[start : start + size] for start in range(0, len(order), size)])


@settings(max_examples=60, deadline=None)
@given(*COUNTS)
def test_every_row_is_visited_once_however_batches_are_cut(rows, block, window, size):
    order = WindowedOrder(1, 0, rows, block=block, window=window)
    found = visited(order, size)
    assert sorted(found.tolist()) == list(range(rows))
    assert torch.equal(found, visited(order, rows))


@settings(max_examples=60, deadline=None)
@given(*COUNTS)
def test_any_batch_can_be_asked_for_alone(rows, block, window, size):
    """So that a training goes on within an epoch, and a step can be replayed."""
    order = WindowedOrder(1, 3, rows, block=block, window=window)
    whole = visited(order, size)
    again = WindowedOrder(1, 3, rows, block=block, window=window).to(CPU)
    for start in reversed(range(0, rows, size)):
        assert torch.equal(again[start : start + size], whole[start : start + size])


def test_a_window_has_whole_blocks_and_mixes_their_rows():
    rows, block, window = 1000, 10, 8
    found = visited(WindowedOrder(0, 0, rows, block=block, window=window), 64)
    blocks = (found // block).split(block * window)
    for own in blocks:
        assert own.bincount().unique().tolist() == [0, block]
    changes = (found.diff().abs() != 1).float().mean()
    assert changes > 0.9
    assert blocks[0].unique().diff().max() > 1  # of the window's blocks, too, few are neighbours


def test_it_depends_on_seed_and_epoch():
    found = {
        tuple(visited(WindowedOrder(seed, epoch, 200, block=5, window=4), 7).tolist())
        for seed in (0, 1)
        for epoch in (0, 1)
    }
    assert len(found) == 4


def test_rows_that_fit_in_one_window_of_blocks_of_one_are_shuffled_evenly():
    """Each place gets each row equally often: 4,000 draws of 20 rows, within five deviations."""
    counts = torch.zeros(20, 20)
    for epoch in range(4000):
        order = visited(WindowedOrder(0, epoch, 20, block=3, window=7), 20)
        counts[torch.arange(20), order] += 1
    assert (counts - 200).abs().max() < 5 * (4000 * 0.05 * 0.95) ** 0.5


@pytest.mark.parametrize("row_bytes", [1.0, 8.0, 100.0, 10**6, 10**8])
def test_size_alone_decides_and_windows_stay_small(row_bytes, monkeypatch):
    monkeypatch.setattr(randomness, "_WHOLE_BYTES", 10 * row_bytes)
    assert torch.equal(sized_order(3, 1, 10, row_bytes), epoch_order(3, 1, 10))
    order = sized_order(3, 1, 11, row_bytes)
    assert isinstance(order, WindowedOrder)
    assert sorted(visited(order, 4).tolist()) == list(range(11))
    assert 1 <= order._block * order._window <= randomness._WINDOW_ROWS
    assert order._block * row_bytes <= max(randomness._BLOCK_BYTES, row_bytes)
    assert order._block * order._window * row_bytes <= max(randomness._WINDOW_BYTES, row_bytes)
