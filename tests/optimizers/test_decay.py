"""`decay_bias: false`: what weight decay pulls, and what it leaves alone."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dlcli.config.optimizer import AdamWOptions, OptimizerOptions
from dlcli.config.options import components
from dlcli.optimizers import Optimizer
from tests.torch_optimizers import VARIANTS

EVERY = list(components(OptimizerOptions).values())


def make_network() -> nn.Module:
    torch.manual_seed(0)
    network = nn.Module()
    network.embedding = nn.Embedding(5, 4)
    network.conv = nn.Conv2d(2, 3, 2)
    network.norm = nn.BatchNorm1d(3)
    network.linear = nn.Linear(4, 4)
    network.scale = nn.Parameter(torch.tensor(2.0))
    for name, parameter in network.named_parameters():
        if name.endswith("bias"):
            nn.init.ones_(parameter)
    return network


def after_a_step(options: OptimizerOptions) -> dict[str, torch.Tensor]:
    """Return the parameters after a step whose gradients are zero: only decay moves them."""
    network = make_network()
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    Optimizer(options, dict(network.named_parameters())).step(0.1)
    return dict(network.named_parameters())


@pytest.mark.parametrize("options", EVERY, ids=lambda member: member.__name__)
def test_weights_are_pulled_and_everything_of_one_dimension_is_not(options) -> None:
    before = dict(make_network().named_parameters())
    moved = {
        decays: {
            name
            for name, value in after_a_step(options(weight_decay=0.1, decay_bias=decays)).items()
            if not torch.equal(value, before[name])
        }
        for decays in (True, False)
    }
    assert moved[True] == set(before)
    assert moved[False] == {"embedding.weight", "conv.weight", "linear.weight"}


def test_the_default_is_torchs() -> None:
    assert all(member().decay_bias for member in EVERY)


@pytest.mark.parametrize("options", EVERY, ids=lambda member: member.__name__)
def test_the_saved_state_is_the_same_under_the_same_names(options) -> None:
    network = make_network()
    states = [
        Optimizer(
            options(weight_decay=0.1, decay_bias=decays), dict(network.named_parameters())
        ).state()
        for decays in (True, False)
    ]
    assert set(states[0]) == set(states[1])
    Optimizer(options(weight_decay=0.1), dict(network.named_parameters())).load(states[1])


def test_a_network_of_vectors_alone_has_one_group() -> None:
    bias = nn.Parameter(torch.ones(3))
    bias.grad = torch.zeros(3)
    Optimizer(AdamWOptions(decay_bias=False), {"bias": bias}).step(0.1)
    assert torch.equal(bias, torch.ones(3))


def test_every_optimizer_is_among_the_variants_that_are_held_against_torch() -> None:
    tried = {options.name for options in VARIANTS if not options.decay_bias}
    assert tried == set(components(OptimizerOptions))
