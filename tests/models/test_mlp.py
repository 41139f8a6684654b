"""What is special to fully connected layers."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from torch import nn

from dlcli.config.model import Activation, MLPOptions
from dlcli.models.activations import ACTIVATIONS
from dlcli.models.features import Features, Shape
from dlcli.models.mlp import MLP
from dlcli.models.normalization import BatchNorm

VECTOR = Shape("vector", (4,))


def test_every_activation_has_its_module() -> None:
    assert set(ACTIVATIONS) == set(get_args(Activation))


@pytest.mark.parametrize("name", get_args(Activation))
def test_every_activation_keeps_the_shape(name: str) -> None:
    body = MLP(MLPOptions(hidden_sizes=[6], activation=name), VECTOR)
    assert body(Features(torch.randn(3, 4))).values.shape == (3, 6)


def test_a_residual_layer_adds_its_input_only_where_the_width_stays() -> None:
    body = MLP(MLPOptions(hidden_sizes=[6, 6, 3], residual=True), VECTOR)
    for layer in body.layers:
        nn.init.zeros_(layer[0].weight)
        nn.init.ones_(layer[0].bias)
    first, second, third = body.layers
    values = torch.rand(2, 6)
    assert torch.equal(first(torch.rand(2, 4)), torch.ones(2, 6))
    assert torch.equal(second(values), values + 1)
    assert torch.equal(third(values), torch.ones(2, 3))


def test_residual_without_equal_neighbours_is_refused() -> None:
    with pytest.raises(ValueError, match="no two neighbours in `hidden_sizes` are equal"):
        MLPOptions(hidden_sizes=[8, 4], residual=True)


def test_batch_norm_of_a_lone_row_uses_and_keeps_the_running_statistics() -> None:
    norm = BatchNorm(4)
    norm(torch.randn(16, 4) * 3 + 1)
    before = {name: value.clone() for name, value in norm.state_dict().items()}
    row = torch.randn(1, 4)
    trained = norm(row)
    assert torch.equal(trained, norm.eval()(row))
    for name, value in norm.state_dict().items():
        assert torch.equal(value, before[name])
