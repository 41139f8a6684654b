"""Every architecture: shapes, independence of batch mates, and the weights that a seed draws."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlcli.build import component
from dlcli.config.model import LinearOptions, MLPOptions, ModelOptions
from dlcli.config.options import components
from dlcli.data.spec import DataSpec, Field, Kind, Window
from dlcli.models.network import build_network
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
    *(member() for member in components(ModelOptions).values() if "vector" in member.takes),
    MLPOptions(hidden_sizes=[8, 8, 8], normalization="batch", dropout=0.5, residual=True),
    MLPOptions(hidden_sizes=[7], normalization="layer", activation="prelu"),
]


def build(options: ModelOptions, spec: DataSpec, outputs: tuple[int, ...]) -> nn.Module:
    torch.manual_seed(3)
    return build_network(spec, outputs, partial(component(options), options), options)


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


SERIES = tuple(Field(name, "number", (1,)) for name in ("load", "heat", "holiday"))
AHEAD = Window(past=6, horizon=3, known=("holiday",), targets=(0, 1))
FORECASTERS: list[ModelOptions] = [LinearOptions(), MLPOptions(hidden_sizes=[8])]


def forecaster(options: ModelOptions, window: Window) -> nn.Module:
    spec = DataSpec(SERIES, SERIES[:2], window)
    return build(options, spec, (window.horizon, 2)).double()


def windows() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = {"numbers": (4, 6, 3), "known": (4, 3, 1)}
    return {
        name: torch.randn(shape, generator=generator, dtype=torch.float64)
        for name, shape in shapes.items()
    }


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("options", FORECASTERS, ids=label)
def test_with_the_last_value_subtracted_a_higher_past_is_a_higher_forecast(
    options, per_channel
) -> None:
    window = replace(AHEAD, subtract_last=True, per_channel=per_channel)
    network, inputs = forecaster(options, window), windows()
    rise = torch.tensor([2.0, -5.0, 0.0], dtype=torch.float64)
    found = network(inputs)
    higher = network({**inputs, "numbers": inputs["numbers"] + rise})
    assert found.shape == (4, 3, 2)
    torch.testing.assert_close(higher, found + rise[:2])


@pytest.mark.parametrize("options", FORECASTERS, ids=label)
def test_per_channel_all_targets_are_told_by_one_network_and_none_by_another(options) -> None:
    network, inputs = forecaster(options, replace(AHEAD, per_channel=True)), windows()
    found = network(inputs)
    swapped = network({**inputs, "numbers": inputs["numbers"][:, :, [1, 0, 2]]})
    torch.testing.assert_close(swapped, found[:, :, [1, 0]])
    changed = inputs["numbers"].clone()
    changed[:, :, 1] = 9
    torch.testing.assert_close(network({**inputs, "numbers": changed})[:, :, 0], found[:, :, 0])


@pytest.mark.parametrize("per_channel", [False, True])
def test_what_is_known_ahead_is_seen(per_channel: bool) -> None:
    network = forecaster(LinearOptions(), replace(AHEAD, per_channel=per_channel))
    inputs = windows()
    other = network({**inputs, "known": inputs["known"] + 1})
    assert not torch.isclose(other, network(inputs)).any()


def test_a_known_column_may_be_called_anything() -> None:
    fields = tuple(Field(name, "number", (1,)) for name in ("load", "heat", "value"))
    window = replace(AHEAD, known=("value",), per_channel=True)
    network = build(LinearOptions(), DataSpec(fields, fields[:2], window), (3, 2)).double()
    assert network(windows()).shape == (4, 3, 2)


@pytest.mark.parametrize("per_channel", [False, True])
def test_columns_are_chosen_by_tensors_that_stand_beside_the_weights(per_channel: bool) -> None:
    window = replace(AHEAD, subtract_last=True, per_channel=per_channel)
    network = forecaster(LinearOptions(), window)
    on_device = {name for name, _ in network.named_buffers() if "targets" in name}
    assert len(on_device) == 1 + per_channel
    assert not any("targets" in name for name in network.state_dict())


@pytest.mark.parametrize("name", ["numbers", "categories", "known"])
@pytest.mark.parametrize("kind", ["tokens", "image", "sound"])
def test_a_block_of_its_own_has_no_name_of_another(name: str, kind: Kind) -> None:
    own = Field(name, kind, (3,), 5)
    number, category = Field("x", "number", (1,)), Field("c", "category", size=4)
    blocks = DataSpec((own, number, category), TARGET).blocks
    assert list(blocks) == [f"{kind}/{name}", "numbers", "categories"]
