"""A step that a flag on the device skips leaves no trace, and the host does not read the flag."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from dlcli.config.optimizer import (
    AdadeltaOptions,
    AdagradOptions,
    AdamaxOptions,
    AdamOptions,
    AdamWOptions,
    MuonOptions,
    NAdamOptions,
    OptimizerOptions,
    RAdamOptions,
    RMSpropOptions,
    SGDOptions,
)
from dlcli.config.options import components
from dlcli.optimizers import Optimizer
from tests.labels import label
from tests.torch_optimizers import DEVICES, VARIANTS, backward, make_network, rate

FUSED_DAMPENED = SGDOptions(momentum=0.9, dampening=0.1, weight_decay=0.01)
CASES = [*VARIANTS, FUSED_DAMPENED, AdagradOptions(lr_decay=0.1, fused=False)]
MADE, SKIPPED = 0.0, 1.0
PATTERNS = [
    [SKIPPED, SKIPPED, None, MADE],
    [SKIPPED, MADE, None],
    [None, SKIPPED, MADE, SKIPPED, MADE],
]


class Training:
    """A network that is trained by steps, some of them skipped."""

    def __init__(self, options: OptimizerOptions, device: str = "cpu") -> None:
        self.device = device
        self.network = make_network(device)
        self.optimizer = Optimizer(options, dict(self.network.named_parameters()))

    def step(self, number: int, skip: float | None, *, without: tuple[str, ...] = ()) -> None:
        """Make a step; one that is to be skipped has gradients that are not finite."""
        self.optimizer.zero_grad()
        backward(self.network, number, self.device)
        for name, parameter in self.network.named_parameters():
            if name in without:
                parameter.grad = None
            elif skip == SKIPPED:
                parameter.grad.view(-1)[::2] = float("nan")
                parameter.grad.view(-1)[1::2] = float("inf")
        flag = None if skip is None else torch.tensor([skip], device=self.device)
        self.optimizer.step(rate(self.optimizer.lr, number), flag)

    def bits(self) -> dict[str, bytes]:
        """Return every bit of parameters and state."""
        named = dict(self.network.named_parameters()) | self.optimizer.state()
        return {name: value.detach().cpu().numpy().tobytes() for name, value in named.items()}


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("options", CASES, ids=label)
def test_a_skipped_step_leaves_every_bit_as_it_was(options, device: str) -> None:
    training = Training(options, device)
    for number in range(2):
        before = training.bits()
        training.step(number, SKIPPED)
        assert training.bits() == before
        training.step(number, MADE)
        assert training.bits() != before


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("pattern", PATTERNS, ids=str)
@pytest.mark.parametrize("options", CASES, ids=label)
def test_what_follows_is_as_if_the_step_had_never_been(options, pattern, device: str) -> None:
    skipping, plain = Training(options, device), Training(options, device)
    for number, skip in enumerate(pattern):
        if skip is None and device != "cpu":  # without a flag unfused counters are on the CPU
            skip = MADE
        skipping.step(number, skip)
        if skip != SKIPPED:
            plain.step(number, skip)
    assert skipping.bits() == plain.bits()


@pytest.mark.parametrize("options", CASES, ids=label)
def test_a_flag_that_skips_nothing_changes_no_bit(options) -> None:
    """On an accelerator unfused counters are on the device, and last bits differ."""
    flagged, plain = Training(options), Training(options)
    for number in range(4):
        flagged.step(number, MADE)
        plain.step(number, None)
    assert flagged.bits() == plain.bits()


@pytest.mark.parametrize("options", CASES, ids=label)
def test_parameters_whose_gradients_come_late_are_skipped_too(options) -> None:
    late = ("0.weight", "2.bias")
    skipping, plain = Training(options), Training(options)
    steps = [(SKIPPED, late), (MADE, late), (SKIPPED, ()), (MADE, ()), (MADE, ("0.bias",))]
    for number, (skip, without) in enumerate(steps):
        skipping.step(number, skip, without=without)
        if skip != SKIPPED:
            plain.step(number, MADE, without=without)
    assert skipping.bits() == plain.bits()


@pytest.mark.parametrize("options", [FUSED_DAMPENED, SGDOptions(momentum=0.9)], ids=label)
@pytest.mark.parametrize("pattern", PATTERNS, ids=str)
def test_a_state_saved_between_skipped_steps_goes_on_bitwise(options, pattern) -> None:
    straight, halted = Training(options), Training(options)
    for number, skip in enumerate(pattern):
        straight.step(number, skip)
        halted.step(number, skip)
        state = {name: value.clone() for name, value in halted.optimizer.state().items()}
        halted.optimizer = Optimizer(options, dict(halted.network.named_parameters()))
        halted.optimizer.load(state)
    assert halted.bits() == straight.bits()


def test_a_state_from_before_the_first_step_is_taken_up_by_one_that_has_stepped() -> None:
    for options in (FUSED_DAMPENED, SGDOptions(momentum=0.9)):
        training, fresh = Training(options), Training(options)
        training.step(0, None)
        training.network.load_state_dict(fresh.network.state_dict())
        training.optimizer.load({})
        for number in range(3):
            training.step(number, None)
            fresh.step(number, None)
        assert training.bits() == fresh.bits()


ON_DEVICE: list[OptimizerOptions] = [
    SGDOptions(momentum=0.9, fused=False),
    SGDOptions(momentum=0.9, dampening=0.1, fused=False),
    AdamOptions(amsgrad=True),
    AdamOptions(amsgrad=True, fused=False),
    AdamWOptions(),
    AdamWOptions(fused=False, decay_bias=False),
    RMSpropOptions(centered=True, momentum=0.9),
    AdadeltaOptions(),
    AdamaxOptions(),
    NAdamOptions(),
    RAdamOptions(),
    MuonOptions(),
]
"""Torch knows no shapes for fused sgd and adagrad, and adagrad's other form reads its counters."""


@pytest.mark.slow
@pytest.mark.parametrize("options", ON_DEVICE, ids=label)
def test_on_an_accelerator_the_host_reads_nothing(options) -> None:
    """Fake tensors have no values: whatever read one would raise."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        weights = {
            "weight": nn.Parameter(torch.empty(3, 4, device="cuda")),
            "bias": nn.Parameter(torch.empty(4, device="cuda")),
        }
        optimizer = Optimizer(options, weights)
        for _ in range(3):
            for parameter in weights.values():
                parameter.grad = torch.empty_like(parameter)
            optimizer.step(0.1, torch.empty(1, device="cuda"))
        assert all(value.device.type == "cuda" for value in weights.values())


def test_every_optimizer_runs_on_an_accelerator_unread() -> None:
    assert {options.name for options in ON_DEVICE} | {"adagrad"} == set(
        components(OptimizerOptions)
    )


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("options", [*ON_DEVICE, AdagradOptions()], ids=label)
def test_on_cuda_nothing_waits_and_the_result_is_that_without_a_flag(options) -> None:
    training, plain = Training(options, "cuda"), Training(options, "cuda")
    flag: Tensor = torch.zeros(1, device="cuda")
    for number in range(5):
        for one in (training, plain):
            one.optimizer.zero_grad()
            backward(one.network, number, "cuda")
        torch.cuda.set_sync_debug_mode("error")
        training.optimizer.step(0.01, flag)
        torch.cuda.set_sync_debug_mode("default")
        plain.optimizer.step(0.01)
    for own, expected in zip(
        training.network.parameters(), plain.network.parameters(), strict=True
    ):
        assert torch.allclose(own, expected, rtol=1e-5, atol=1e-6)
