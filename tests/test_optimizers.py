"""Every optimizer against its torch class, and its state through a save in the middle."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn

from dlcli.config.optimizer import (
    AdamOptions,
    AdamWOptions,
    MuonOptions,
    OptimizerOptions,
    SGDOptions,
)
from dlcli.config.options import components
from dlcli.errors import CheckpointError, ConfigError
from dlcli.optimizers import Optimizer
from tests.labels import label
from tests.torch_optimizers import (
    CLASSES,
    DEVICES,
    VARIANTS,
    backward,
    make_network,
    rate,
    torch_classes,
)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("options", VARIANTS, ids=label)
def test_steps_are_bitwise_those_of_the_torch_class(options: OptimizerOptions, device: str) -> None:
    ours, theirs = make_network(device), make_network(device)
    optimizer = Optimizer(options, dict(ours.named_parameters()))
    references = torch_classes(options, theirs)
    for step in range(25):
        optimizer.zero_grad()
        backward(ours, step, device)
        optimizer.step(rate(options.lr, step))
        for reference in references:
            reference.zero_grad()
        backward(theirs, step, device)
        for reference in references:
            for group in reference.param_groups:
                group["lr"] = rate(options.lr, step)
            reference.step()
    for own, expected in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(own, expected)
    assert not torch.equal(ours[0].weight, make_network(device)[0].weight)


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("fused", [None, False])
def test_the_first_momentum_is_torchs_for_zeros_of_either_sign_too(fused, nesterov: bool) -> None:
    options = SGDOptions(momentum=0.9, nesterov=nesterov, fused=fused)
    networks = [nn.Linear(2, 2, bias=False) for _ in range(2)]
    optimizer = Optimizer(options, dict(networks[0].named_parameters()))
    (reference,) = torch_classes(options, networks[1])
    for network in networks:
        network.weight.data = torch.tensor([[-0.0, -0.0], [0.0, 0.0]])
        network.weight.grad = torch.tensor([[-0.0, 0.0], [-0.0, 0.0]])
    optimizer.step(options.lr)
    reference.step()
    ours = [networks[0].weight, optimizer.state()["momentum_buffer/weight"]]
    theirs = [networks[1].weight, reference.state[networks[1].weight]["momentum_buffer"]]
    for own, expected in zip(ours, theirs, strict=True):
        assert own.detach().numpy().tobytes() == expected.detach().numpy().tobytes()


def test_a_first_gradient_that_comes_late_starts_a_momentum() -> None:
    """Torch's fused class fails there (2.15): it has no buffer for one of the parameters."""
    late, early = make_network(), make_network()
    options = SGDOptions(momentum=0.9)
    optimizers = [Optimizer(options, dict(n.named_parameters())) for n in (late, early)]
    backward(late, 0)
    late[0].weight.grad = None
    optimizers[0].step(0.1)
    late.load_state_dict(early.state_dict())
    for network, optimizer in zip((late, early), optimizers, strict=True):
        optimizer.zero_grad()
        backward(network, 1)
        optimizer.step(0.1)
    assert torch.equal(late[0].weight, early[0].weight)
    assert not torch.equal(late[0].bias, early[0].bias)


@pytest.mark.parametrize("options", VARIANTS, ids=label)
def test_a_state_saved_and_loaded_goes_on_bitwise(options: OptimizerOptions) -> None:
    straight, halted = make_network(), make_network()
    train(straight, Optimizer(options, dict(straight.named_parameters())), range(12))
    first = Optimizer(options, dict(halted.named_parameters()))
    train(halted, first, range(6))
    state = {name: value.clone() for name, value in first.state().items()}
    second = Optimizer(options, dict(halted.named_parameters()))
    second.load(state)
    train(halted, second, range(6, 12))
    for own, expected in zip(halted.parameters(), straight.parameters(), strict=True):
        assert torch.equal(own, expected)


def train(network: nn.Module, optimizer: Optimizer, steps: range) -> None:
    for step in steps:
        optimizer.zero_grad()
        backward(network, step)
        optimizer.step(rate(optimizer.lr, step))


@pytest.mark.parametrize("options", VARIANTS, ids=label)
def test_a_parameter_without_a_gradient_is_passed_over_as_torch_does(
    options: OptimizerOptions,
) -> None:
    ours, theirs = make_network(), make_network()
    optimizer = Optimizer(options, dict(ours.named_parameters()))
    references = torch_classes(options, theirs)
    for step in range(6):
        for network in (ours, theirs):
            network.zero_grad()
            backward(network, step)
            network[2].bias.grad = None
            if step % 2 and options.name != "sgd":  # a buffer born late crashes torch's fused sgd
                network[0].weight.grad = None
        optimizer.step(options.lr)
        for reference in references:
            reference.step()
    for own, expected in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(own, expected)
    assert torch.equal(ours[2].bias, make_network()[2].bias)


def test_a_frozen_parameter_has_no_state() -> None:
    network = make_network()
    network[0].weight.requires_grad_(False)
    optimizer = Optimizer(AdamOptions(), dict(network.named_parameters()))
    assert "exp_avg/0.weight" not in optimizer.state()
    assert "exp_avg/0.bias" in optimizer.state()


def test_muon_leaves_biases_and_embeddings_to_adamw() -> None:
    parameters = {
        "stem.embeddings.0.weight": nn.Parameter(torch.randn(5, 2)),
        "body.weight": nn.Parameter(torch.randn(3, 2)),
        "body.bias": nn.Parameter(torch.randn(3)),
    }
    state = Optimizer(MuonOptions(), parameters).state()
    assert {name for name in state if "momentum_buffer" in name} == {"momentum_buffer/body.weight"}
    assert "exp_avg/stem.embeddings.0.weight" in state
    assert "exp_avg/body.bias" in state


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("step/0.bias"), "`step/0.bias` is missing"),
        (lambda state: state.update({"sum/0.bias": torch.zeros(16)}), "`sum/0.bias` has no place"),
        (
            lambda state: state.update({"exp_avg/0.bias": torch.zeros(9)}),
            r"`exp_avg/0.bias` has shape \(9,\), expected \(16,\)",
        ),
    ],
)
def test_a_state_that_does_not_fit_is_refused(change, message: str) -> None:
    optimizer = Optimizer(AdamOptions(), dict(make_network().named_parameters()))
    state = optimizer.state()
    change(state)
    with pytest.raises(CheckpointError, match=message):
        optimizer.load(state)


def test_fused_where_torch_has_no_fused_form_is_refused() -> None:
    parameters = {"weight": nn.Parameter(torch.zeros(2, dtype=torch.complex64))}
    with pytest.raises(ConfigError, match=r"no fused adamw for torch.complex64 on cpu") as caught:
        Optimizer(AdamWOptions(fused=True), parameters)
    assert caught.value.faults[0].path == ("optimizer", "fused")


def test_every_optimizer_steps_without_importing_dynamo() -> None:
    names = sorted(CLASSES)
    code = f"""
import sys, torch
from dlcli.config.optimizer import OptimizerOptions
from dlcli.config.options import components
from dlcli.optimizers import Optimizer
from tests.labels import label
from tests.torch_optimizers import CLASSES, torch_classes
for name in {names}:
    weight = torch.nn.Parameter(torch.ones(3, 3))
    optimizer = Optimizer(components(OptimizerOptions)[name](), {{"weight": weight}})
    for _ in range(2):
        weight.square().sum().backward()
        optimizer.step(0.1)
        optimizer.zero_grad()
assert "torch._dynamo" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_optimizer_has_a_torch_class_to_be_compared_with() -> None:
    assert set(CLASSES) == set(components(OptimizerOptions))
