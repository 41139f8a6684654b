"""Multiplications, counted as a network runs, against those counted by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dlcli.models.work import multiplications


class OfBlock(nn.Module):
    """Shows a module the one block."""

    def __init__(self, *modules: nn.Module) -> None:
        super().__init__()
        self.modules_in_a_row = nn.ModuleList(modules)

    def forward(self, inputs):
        values = inputs["x"]
        for module in self.modules_in_a_row:
            values = module(values)
        return values


CASES = [
    ([nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 2)], (5,), 5 * 7 + 7 * 2),
    ([nn.Linear(5, 7)], (9, 5), 9 * 5 * 7),
    ([nn.Conv2d(3, 8, 3)], (3, 10, 12), 3 * 8 * 9 * 8 * 10),
    ([nn.Conv1d(3, 8, 5, padding=2), nn.BatchNorm1d(8)], (3, 10), 3 * 8 * 5 * 10),
    ([nn.LSTM(4, 6, batch_first=True, bidirectional=True)], (11, 4), 11 * 2 * 4 * 6 * (4 + 6)),
    ([nn.GRU(4, 6, 2, batch_first=True)], (11, 4), 11 * 3 * 6 * (4 + 6 + 6 + 6)),
]


@pytest.mark.parametrize(("modules", "shape", "expected"), CASES)
@pytest.mark.parametrize("rows", [1, 3])
def test_products_are_counted_for_every_row_place_and_step(modules, shape, expected, rows):
    network = OfBlock(*modules)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert multiplications(network, {"x": torch.randn(rows, *shape)}) == rows * expected
    assert network.training
    assert not any(module._forward_hooks for module in network.modules())
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_looking_up_is_no_product():
    network = OfBlock(nn.Embedding(100, 4), nn.Linear(4, 2))
    assert multiplications(network, {"x": torch.tensor([[3, 4, 5]])}) == 3 * 4 * 2
