"""Gradients written out against autograd's: every bit, whatever the layers, loss and batch."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dlcli.build import layerwise
from dlcli.config.loss import LossOptions
from dlcli.config.model import LinearOptions, MLPOptions
from dlcli.config.options import components
from dlcli.data.spec import CATEGORIES, NUMBERS, Batch, DataSpec, Field
from dlcli.models.activations import ACTIVATIONS
from dlcli.models.head import Head
from dlcli.models.linear import Linear
from dlcli.models.mlp import MLP
from dlcli.models.network import Network
from dlcli.models.stems import build_stem
from dlcli.training.layerwise import Layerwise
from tests.training.test_trainer import CLASSES, NUMBER_LOSSES, make_loss

FEATURES = 6
WRITTEN_OUT = ["relu", "tanh", "sigmoid", "gelu", "silu", "identity"]
NUMBERS_ALONE = DataSpec(
    (Field("x", "number", (FEATURES,)),), (Field("y", "category", size=CLASSES),)
)
WITH_EMBEDDINGS = DataSpec(
    (Field("x", "number", (FEATURES,)), Field("c", "category", size=5, embedding_size=3)),
    (Field("y", "category", size=CLASSES),),
)
LOSSES: list[tuple[str, dict[str, object]]] = [
    *((name, {}) for name in components(LossOptions) if name != "own"),
    ("cross_entropy", {"class_weights": "balanced"}),
    ("cross_entropy", {"label_smoothing": 0.1}),
]


def network_of(options: MLPOptions | LinearOptions, loss, spec: DataSpec) -> Network:
    torch.manual_seed(3)
    stem = build_stem(spec, options)
    body = (Linear if isinstance(options, LinearOptions) else MLP)(options, stem.out)
    return Network(stem, body, Head(body.out, loss.outputs))


def batch_of(rows: int, loss_name: str, dtype: torch.dtype) -> Batch:
    generator = torch.Generator().manual_seed(rows)
    inputs = {
        NUMBERS: torch.randn(rows, FEATURES, generator=generator, dtype=dtype),
        CATEGORIES: torch.randint(5, (rows, 1), generator=generator),
    }
    if loss_name in NUMBER_LOSSES:
        return Batch(inputs, torch.rand(rows, generator=generator, dtype=dtype))
    classes = 2 if loss_name == "bce" else CLASSES
    return Batch(inputs, torch.randint(classes, (rows,), generator=generator))


def assert_bitwise(network: Network, loss, batch: Batch) -> None:
    written = layerwise(network, loss)
    assert written is not None
    torch.manual_seed(5)
    value = loss(network(batch.inputs), batch.targets)
    value.backward()
    expected = [p.grad for p in network.parameters()]
    for parameter in network.parameters():
        parameter.grad = None
    torch.manual_seed(5)
    assert torch.equal(written(batch), value)
    drawn = torch.get_rng_state()
    for parameter, theirs in zip(network.parameters(), expected, strict=True):
        assert torch.equal(parameter.grad, theirs)
    torch.manual_seed(5)
    network(batch.inputs)
    assert torch.equal(drawn, torch.get_rng_state())


@pytest.mark.parametrize("rows", [1, 7, 64])
@pytest.mark.parametrize("activation", WRITTEN_OUT)
def test_every_layer_gives_the_bits_of_autograd(activation, rows):
    loss = make_loss("cross_entropy")
    options = MLPOptions(hidden_sizes=[33, 16, 1], activation=activation, dropout=0.3)
    network = network_of(options, loss, NUMBERS_ALONE)
    assert_bitwise(network, loss, batch_of(rows, "cross_entropy", torch.float32))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("name", "options"), LOSSES)
def test_every_loss_gives_the_bits_of_autograd(name, options, dtype):
    loss = make_loss(name, **options)
    network = network_of(MLPOptions(hidden_sizes=[9]), loss, NUMBERS_ALONE).to(dtype)
    assert_bitwise(network, loss, batch_of(13, name, dtype))


def test_one_layer_and_a_stem_that_learns_give_the_bits_of_autograd():
    for options in (LinearOptions(), MLPOptions(hidden_sizes=[9], dropout=0.2)):
        loss = make_loss("cross_entropy")
        network = network_of(options, loss, WITH_EMBEDDINGS)
        assert_bitwise(network, loss, batch_of(13, "cross_entropy", torch.float32))


def test_shares_of_classes_give_the_bits_of_autograd():
    loss = make_loss("cross_entropy")
    network = network_of(MLPOptions(hidden_sizes=[9]), loss, NUMBERS_ALONE)
    batch = batch_of(13, "cross_entropy", torch.float32)
    shares = torch.rand(13, CLASSES, generator=torch.Generator().manual_seed(0)).softmax(1)
    assert_bitwise(network, loss, Batch(batch.inputs, shares))


def test_what_is_not_written_out_is_left_to_autograd():
    loss = make_loss("cross_entropy")
    for options in (
        MLPOptions(hidden_sizes=[8, 8], residual=True),
        MLPOptions(hidden_sizes=[8], normalization="batch"),
        *(MLPOptions(activation=name) for name in ACTIVATIONS if name not in WRITTEN_OUT),
    ):
        assert layerwise(network_of(options, loss, NUMBERS_ALONE), loss) is None
    frozen = network_of(MLPOptions(hidden_sizes=[8]), loss, NUMBERS_ALONE)
    frozen.body.requires_grad_(False)
    assert layerwise(frozen, loss) is None
    assert layerwise(nn.Linear(2, 2), loss) is None


def test_a_frozen_stem_is_left_as_it_is():
    loss = make_loss("cross_entropy")
    network = network_of(MLPOptions(hidden_sizes=[8]), loss, WITH_EMBEDDINGS)
    network.stem.requires_grad_(False)
    written = layerwise(network, loss)
    assert isinstance(written, Layerwise)
    written(batch_of(13, "cross_entropy", torch.float32))
    assert all(p.grad is None for p in network.stem.parameters())
    assert all(p.grad is not None for p in network.body.parameters())
