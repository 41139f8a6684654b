"""Which layers read a network's inputs themselves."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import Tensor

from dlcli.build import component
from dlcli.config.model import (
    CNNOptions,
    LinearOptions,
    LSTMOptions,
    MatrixFactorizationOptions,
    MLPOptions,
    ModelOptions,
    TransformerOptions,
)
from dlcli.data.spec import DataSpec, Field, Window
from dlcli.models.network import build_network
from dlcli.models.readers import readers
from dlcli.selftest import generated_inputs
from tests.labels import label
from tests.own.made import made

TARGET = (Field("y", "number", (1,)),)
COLUMNS = DataSpec(
    (
        Field("a", "number", (1,)),
        Field("b", "number", (2,)),
        Field("c", "category", size=4, embedding_size=3),
    ),
    TARGET,
)
SERIES = DataSpec(
    (Field("a", "number", (1,)), Field("y", "number", (1,))), TARGET, Window(8, 2, targets=(1,))
)
IDS = DataSpec(
    tuple(Field(name, "category", size=5, embedding_size=2) for name in ("user", "item")), TARGET
)
OWN = """
class X(nn.Module):
    def __init__(self, *, inputs, outputs):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
        self.left, self.right = nn.Linear(6, 4), nn.Linear(6, 4)
        self.norm, self.last = nn.BatchNorm1d(8), nn.Linear(8, 1)

    def forward(self, values):
        values = F.dropout(values.clone(), training=self.training)
        return self.last(self.norm(torch.cat([self.left(values), self.right(values)], 1)))
"""
HIDDEN = """
class X(nn.Module):
    def __init__(self, *, inputs, outputs):
        super().__init__()
        self.layer = nn.Linear(6, 1)

    def forward(self, values):
        return self.layer(values.detach())
"""


def found(options: ModelOptions, spec: DataSpec, outputs: tuple[int, ...]) -> set[str]:
    network = build_network(spec, outputs, partial(component(options), options), options)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    names = readers(network, generated_inputs(spec, rows=2))
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert all(p.requires_grad and p.grad is None for p in network.parameters())
    assert isinstance(network(generated_inputs(spec, rows=2)), Tensor)
    return names


@pytest.mark.parametrize(
    ("options", "spec", "names"),
    [
        (LinearOptions(), COLUMNS, {"head.linear"}),
        (MLPOptions(hidden_sizes=[4, 4], residual=True), COLUMNS, {"body.layers.0.0"}),
        (
            LSTMOptions(num_layers=2, bidirectional=True),
            SERIES,
            {"body.forwards.0", "body.backwards.0"},
        ),
        (CNNOptions(), SERIES, {"body.stages.0.convolutions.0.convolution"}),
        (TransformerOptions(), SERIES, {"body.inputs"}),
    ],
    ids=lambda value: label(value) if isinstance(value, ModelOptions) else "",
)
def test_it_is_the_first_layer(options: ModelOptions, spec: DataSpec, names: set[str]) -> None:
    assert found(options, spec, (2, 1) if spec.window else ()) == names


def test_of_ids_it_is_every_table_of_vectors() -> None:
    names = found(MatrixFactorizationOptions(embedding_size=2), IDS, ())
    assert {name.rpartition(".")[0] for name in names} >= {"body.vectors", "body.biases"}


def test_of_own_code_it_is_every_layer_that_is_given_the_inputs() -> None:
    """And the module around them, whose own weights might be."""
    assert found(made(ModelOptions, OWN), COLUMNS, ()) == {"net", "net.left", "net.right"}


def test_what_detaches_its_inputs_cannot_be_told() -> None:
    assert found(made(ModelOptions, HIDDEN), COLUMNS, ()) == set()
