"""Every architecture: shapes, independence of batch mates, and the weights that a seed draws."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlcli.config.model import LinearOptions, MLPOptions, ModelOptions
from dlcli.config.options import components
from dlcli.data.spec import DataSpec, Field
from dlcli.models.head import Head
from dlcli.models.network import Network
from dlcli.models.stems import build_stem
from tests.labels import label

TARGET = (Field("y", "category", size=3),)
SPEC = DataSpec(
    (
        Field("a", "number", (3,)),
        Field("b", "category", size=6, embedding_size=4),
        Field("c", "category", size=3),
        Field("d", "image", (1, 4, 4), mean=(8.0,), std=(4.0,)),
    ),
    TARGET,
)
NUMBERS = DataSpec((Field("a", "number", (5,)),), TARGET)
VARIANTS: list[ModelOptions] = [
    *(member() for member in components(ModelOptions).values()),
    MLPOptions(hidden_sizes=[8, 8, 8], normalization="batch", dropout=0.5, residual=True),
    MLPOptions(hidden_sizes=[7], normalization="layer", activation="prelu"),
]


def build(options: ModelOptions, spec: DataSpec, outputs: tuple[int, ...]) -> Network:
    module, _, name = options.builds.partition(":")
    body_class = getattr(import_module(module), name)
    torch.manual_seed(3)
    stem = build_stem(spec, body_class.takes)
    body = body_class(options, stem.out)
    return Network(stem, body, Head(body.out, outputs))


def draw(rows: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(rows)
    return {
        "numbers": torch.randn(rows, 3, generator=generator),
        "categories": torch.randint(0, 3, (rows, 2), generator=generator, dtype=torch.uint8),
        "d": torch.randint(0, 17, (rows, 1, 4, 4), generator=generator, dtype=torch.uint8),
    }


@pytest.mark.parametrize("outputs", [(), (1,), (3,), (4, 2)])
@pytest.mark.parametrize("options", VARIANTS, ids=label)
def test_a_network_puts_out_what_its_head_is_asked_for(options, outputs) -> None:
    logits = build(options, SPEC, outputs)(draw(5))
    assert logits.shape == (5, *outputs)
    assert logits.isfinite().all()


@pytest.mark.parametrize("options", VARIANTS, ids=label)
def test_a_prediction_does_not_depend_on_its_batch_mates(options) -> None:
    network = build(options, SPEC, (3,)).double()
    inputs = draw(16)
    for _ in range(3):  # move the running statistics off their start
        network(inputs)
    network.eval()
    together = network(inputs)
    for rows in ([0], [7], [3, 15], list(range(8, 16)), list(reversed(range(16)))):
        alone = network({name: block[rows] for name, block in inputs.items()})
        torch.testing.assert_close(alone, together[rows], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("options", VARIANTS, ids=label)
def test_every_parameter_gets_a_gradient(options) -> None:
    network = build(options, SPEC, (3,))
    F.cross_entropy(network(draw(32)), torch.arange(32) % 3).backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


@pytest.mark.parametrize("options", VARIANTS, ids=label)
def test_a_lone_row_can_be_trained_on(options) -> None:
    network = build(options, SPEC, (3,))
    assert network(draw(1)).isfinite().all()


WRITTEN_OUT: list[tuple[ModelOptions, Callable[[], nn.Sequential]]] = [
    (LinearOptions(), lambda: nn.Sequential(nn.Linear(5, 3))),
    (
        MLPOptions(hidden_sizes=[8, 4]),
        lambda: nn.Sequential(
            nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 3)
        ),
    ),
    (
        MLPOptions(hidden_sizes=[8], activation="tanh", normalization="batch", dropout=0.4),
        lambda: nn.Sequential(
            nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(0.4), nn.Linear(8, 3)
        ),
    ),
    (
        MLPOptions(hidden_sizes=[8], activation="gelu", normalization="layer", dropout=0.4),
        lambda: nn.Sequential(
            nn.Linear(5, 8), nn.LayerNorm(8), nn.GELU(), nn.Dropout(0.4), nn.Linear(8, 3)
        ),
    ),
]


@pytest.mark.parametrize(("options", "written_out"), WRITTEN_OUT, ids=label)
def test_a_seed_draws_the_weights_and_dropout_of_the_layers_written_out(
    options, written_out
) -> None:
    network = build(options, NUMBERS, (3,))
    torch.manual_seed(3)
    reference = written_out()
    numbers = torch.randn(9, 5)
    ours, theirs = [], []
    for run, results in (
        (lambda: network({"numbers": numbers}), ours),
        (lambda: reference(numbers), theirs),
    ):
        torch.manual_seed(1)
        results.append(run())
        results[0].square().sum().backward()
    assert torch.equal(ours[0], theirs[0])
    for own, expected in zip(network.parameters(), reference.parameters(), strict=True):
        assert torch.equal(own, expected)
        assert torch.equal(own.grad, expected.grad)
