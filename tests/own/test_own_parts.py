"""Own losses, optimizers, schedules and metrics, each alone: what they are given and may give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn
from torch.nn import functional as F

from dlcli import checkpoint
from dlcli.build import component
from dlcli.config.loss import CrossEntropyOptions, LossOptions
from dlcli.config.metric import MetricOptions
from dlcli.config.optimizer import OptimizerOptions
from dlcli.config.scheduler import SchedulerOptions
from dlcli.errors import CheckpointError, OwnCodeError
from dlcli.own.module import failure_in
from dlcli.schedulers.schedule import Plan
from dlcli.training.state import EpochReport
from dlcli.training.stopping import Monitor
from tests.own.made import HEAD, made

OUTPUTS = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
TARGETS = torch.tensor([0, 1, 2, 2, 1, 0])


# losses


def loss(text: str, shape: tuple[int, ...] = (3,), classes: str = "abc", **own: Any) -> Any:
    options = made(LossOptions, text, **own)
    return component(options)(options, shape=shape, classes=tuple(classes), class_counts=None)


ROWS = 'def X(outputs, targets): return F.cross_entropy(outputs, targets, reduction="none")'
MEAN = "def X(outputs, targets, scale=1.0): return scale * F.cross_entropy(outputs, targets)"
CLASS = """
class X:
    def __init__(self, margin: float = 1.0):
        self.margin = margin
    def __call__(self, outputs, targets):
        return F.multi_margin_loss(outputs, targets, margin=self.margin)
    has_probabilities = False
    def link(self, outputs):
        return outputs * 2
"""
MODULE = """
class X(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("weight", torch.tensor([1.0, 2.0, 3.0]))
    def forward(self, outputs, targets):
        return F.cross_entropy(outputs, targets, reduction="none") * self.weight[targets]
"""


@pytest.mark.parametrize("text", [ROWS, MEAN])
def test_a_loss_is_the_mean_of_rows_and_tells_classes_by_softmax(text: str) -> None:
    own = loss(text)
    torch.testing.assert_close(own(OUTPUTS, TARGETS), F.cross_entropy(OUTPUTS, TARGETS))
    assert own.weight(TARGETS) == 6
    assert torch.equal(own.link(OUTPUTS), OUTPUTS.softmax(-1))
    assert own.has_probabilities


def test_a_loss_of_numbers_leaves_them_as_they_are() -> None:
    own = loss("def X(outputs, targets): return (outputs - targets).abs()", (), "")
    assert own(torch.tensor([1.0, 4.0]), torch.tensor([0.0, 0.0])) == 2.5
    assert torch.equal(own.link(OUTPUTS), OUTPUTS)
    assert not own.has_probabilities


def test_a_class_takes_options_and_says_what_answers_are() -> None:
    own = loss(CLASS, margin=2.0)
    expected = F.multi_margin_loss(OUTPUTS, TARGETS, margin=2.0)
    assert torch.equal(own(OUTPUTS, TARGETS), expected)
    assert torch.equal(own.link(OUTPUTS), OUTPUTS * 2)
    assert not own.has_probabilities
    module = loss(MODULE).to("cpu")
    weights = torch.tensor([1.0, 2.0, 3.0])[TARGETS]
    rows = F.cross_entropy(OUTPUTS, TARGETS, reduction="none") * weights
    assert torch.equal(module(OUTPUTS, TARGETS), rows.mean())


def test_of_running_text_padding_counts_for_nothing() -> None:
    """The built-in loss is the reference, in its value and its gradient."""
    outputs = torch.randn(2, 5, 4, requires_grad=True)
    targets = torch.tensor([[2, 3, 1, 0, 0], [1, 2, 2, 3, 0]], dtype=torch.uint8)
    options = CrossEntropyOptions()
    built_in = component(options)(options, shape=(4,), classes=(), class_counts=None).padded(0)
    own = loss(ROWS, (4,), "").padded(0)
    torch.testing.assert_close(own(outputs, targets), built_in(outputs, targets))
    gradients = [torch.autograd.grad(one(outputs, targets), outputs)[0] for one in (own, built_in)]
    torch.testing.assert_close(*gradients)
    assert own.weight(targets) == 7
    assert torch.equal(own.link(outputs), outputs.softmax(-1))
    with pytest.raises(OwnCodeError, match=r"expected \(10,\): a value a row$"):
        loss(MEAN, (4,), "").padded(0)(outputs, targets)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def X(outputs, targets): return 1.0", "gives float, expected a tensor of floating"),
        ("def X(outputs, targets): return targets.sum()", "gives torch.int64, expected"),
        ("def X(outputs, targets): return outputs[:4].sum(1)", "of shape (4,), expected (6,)"),
        ("def X(outputs, targets): return outputs.sum(0)", "of shape (3,), expected (6,)"),
        ("def X(outputs, targets): return outputs.detach().sum(1)", "does not depend on the outp"),
    ],
)
def test_a_wrong_loss_is_one_clear_line(text: str, said: str) -> None:
    with pytest.raises(OwnCodeError) as caught:
        loss(text)(OUTPUTS.clone().requires_grad_(), TARGETS)
    (fault,) = caught.value.faults
    assert said in fault.message
    assert (fault.file, fault.line) == ("x.py", 4)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("class X: ...", "is a class without `__call__"),
        (
            "class X(nn.Linear):\n def __init__(self): super().__init__(2, 2)",
            "has parameters, which",
        ),
    ],
)
def test_a_loss_that_cannot_be_one_is_refused(text: str, said: str) -> None:
    with pytest.raises(OwnCodeError, match=said):
        loss(text)


def test_a_wrong_link_is_one_clear_line() -> None:
    with pytest.raises(OwnCodeError, match=r"gives answers \(6,\) by `link`, expected \(6, 3\)"):
        loss(CLASS.replace("outputs * 2", "outputs.sum(1)")).link(OUTPUTS)


# optimizers

STATEFUL = """
class X(torch.optim.Optimizer):
    def __init__(self, params, lr=0.1, betas: tuple[float, float] = (0.5, 0.25)):
        super().__init__(params, {"lr": lr, "betas": betas, "made": 0, "gain": torch.ones(2)})
    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            group["made"] += 1
            group["gain"] += 1
            assert isinstance(group["betas"], tuple)
            for p in group["params"]:
                state = self.state[p]
                state.setdefault("steps", 0)
                state.setdefault("sum", torch.zeros_like(p, dtype=torch.float64))
                state.setdefault("seen", torch.zeros_like(p, dtype=torch.bool))
                state.setdefault("clock", torch.tensor(0))
                state.setdefault("nothing", None)
                state["steps"] += 1
                state["clock"] += 1
                state["sum"] += p.grad
                state["seen"] |= p.grad > 0
                p -= group["lr"] * (state["sum"] / state["steps"] + state["seen"]).float()
                p -= group["lr"] * group["betas"][0] ** group["made"] * group["gain"].mean()
                p += 0.01 * state["clock"]
"""


def weights() -> dict[str, nn.Parameter]:
    generator = torch.Generator().manual_seed(4)
    return {
        name: nn.Parameter(torch.randn(shape, generator=generator))
        for name, shape in {"a.weight": (3, 2), "b": (4,), "0": ()}.items()
    }


def optimizer(text: str, parameters: dict[str, nn.Parameter], **own: Any) -> Any:
    options = made(OptimizerOptions, text, **own)
    return component(options)(options, parameters)


def advance(own: Any, parameters: dict[str, nn.Parameter], first: int, count: int) -> None:
    for number in range(first, first + count):
        for index, parameter in enumerate(parameters.values()):
            seed = torch.Generator().manual_seed(10 * number + index)
            parameter.grad = torch.randn(parameter.shape, generator=seed)
        own.step(0.1 / (1 + number))
        own.zero_grad()


@pytest.mark.parametrize(
    "text",
    [STATEFUL, *(f"class X(torch.optim.{name}):\n def __init__(self, params, lr=0.1): "
     "super().__init__(params, lr=lr, foreach=False)" for name in ("Adam", "Rprop", "ASGD"))],
)  # fmt: skip
@pytest.mark.parametrize("made_steps", [0, 1, 5])
def test_any_state_goes_through_a_checkpoint_bitwise(
    text: str, made_steps: int, tmp_path: Path
) -> None:
    whole = weights()
    straight = optimizer(text, whole)
    advance(straight, whole, 0, 9)

    first = weights()
    before = optimizer(text, first)
    advance(before, first, 0, made_steps)
    checkpoint.save(tmp_path / "c", tensors=before.state(), data={})
    second = {name: nn.Parameter(value.detach().clone()) for name, value in first.items()}
    after = optimizer(text, second)
    after.load(checkpoint.load(tmp_path / "c").tensors)
    assert_equal(after.state(), before.state())
    advance(after, second, made_steps, 9 - made_steps)
    assert all(torch.equal(whole[name], second[name]) for name in whole)
    assert_equal(after.state(), straight.state())


def assert_equal(left: dict[str, Tensor], right: dict[str, Tensor]) -> None:
    assert left.keys() == right.keys()
    for name, value in left.items():
        assert value.dtype == right[name].dtype, name
        assert torch.equal(value, right[name]), name


def test_it_is_given_the_rate_of_each_step_and_what_is_trained() -> None:
    text = "class X(torch.optim.SGD):\n def __init__(self, params, lr, momentum: float = 0.5):\n"
    text += "  super().__init__(params, lr=lr, momentum=momentum)"
    parameters = weights()
    parameters["b"].requires_grad_(False)
    own = optimizer(text, parameters, lr=3.0)
    assert own.lr == 3.0
    kept, a = parameters["b"].clone(), parameters["a.weight"].clone()
    parameters["a.weight"].grad = torch.ones(3, 2)
    own.step(0.25)
    assert torch.equal(parameters["a.weight"], a - 0.25)
    assert torch.equal(parameters["b"], kept)
    own.zero_grad()
    assert parameters["a.weight"].grad is None


def test_a_step_that_is_to_be_left_out_is() -> None:
    parameters = weights()
    own = optimizer(STATEFUL, parameters)
    advance(own, parameters, 0, 1)
    before = {name: value.clone() for name, value in own.state().items()}
    parameters["b"].grad = torch.ones(4)
    own.step(0.1, torch.ones(1))
    assert_equal(own.state(), before)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("self.state[p]['list'] = [torch.ones(1)]", "keeps state that no checkpoint can hold"),
        ("self.state['all'] = {'steps': 1}", "keeps state under `all`, which is no parameter"),
        ("self.state[p]['f'] = print", "keeps state that no checkpoint can hold"),
    ],
)
def test_state_that_cannot_be_saved_is_refused_when_it_is_first_saved(
    entry: str, said: str
) -> None:
    parameters = weights()
    own = optimizer(
        "class X(torch.optim.SGD):\n def __init__(self, params, lr=0.1): "
        "super().__init__(params, lr=lr)\n def step(self):\n"
        f"  p = self.param_groups[0]['params'][0]\n  {entry}",
        parameters,
    )
    own.step(0.1)
    with pytest.raises(OwnCodeError, match=said):
        own.state()


def test_the_state_of_another_optimizer_is_refused() -> None:
    parameters = weights()
    own = optimizer(STATEFUL, parameters)
    advance(own, parameters, 0, 1)
    with pytest.raises(CheckpointError, match=r"does not fit `x\.py:X`"):
        optimizer(STATEFUL, {"c": nn.Parameter(torch.ones(2))}).load(own.state())
    with pytest.raises(CheckpointError, match=r"does not fit `x\.py:X`"):
        optimizer(STATEFUL, parameters).load({"exp_avg/b": torch.ones(4)})


def test_what_is_no_optimizer_is_refused() -> None:
    text = "class X:\n def __init__(self, params, lr=0.1): pass"
    with pytest.raises(OwnCodeError, match=r"is no torch\.optim\.Optimizer"):
        optimizer(text, weights())


def test_an_optimizer_that_computes_the_loss_again_is_refused() -> None:
    text = (
        "class X(torch.optim.LBFGS):\n def __init__(self, params, lr=0.1): super().__init__(params)"
    )
    with pytest.raises(OwnCodeError, match=r"`X` needs a `closure` in `step`"):
        optimizer(text, weights())


def test_what_an_inherited_method_raises_is_told_of_the_class_that_inherits_it() -> None:
    """No line of own code runs: the place is that of the class."""
    text = (
        "class X(torch.optim.SGD):\n def __init__(self, params, lr=0.1): super().__init__(params)"
    )
    named = weights()
    own = optimizer(text, named)
    for parameter in named.values():
        parameter.grad = torch.ones_like(parameter)
    own._own.param_groups[0]["weight_decay"] = "much"
    with pytest.raises(TypeError) as caught:
        own.step(0.1)
    failure = failure_in(caught.value)
    assert failure is not None
    (fault,) = failure.faults
    assert fault.message.startswith("`X` raised TypeError: ")
    assert (fault.file, fault.source) == ("x.py", "class X(torch.optim.SGD):")


def test_what_dlcli_itself_raises_is_not_told_of_own_code() -> None:
    text = (
        "class X(torch.optim.SGD):\n def __init__(self, params, lr=0.1): super().__init__(params)"
    )
    own = optimizer(text, weights())
    own._own = None
    with pytest.raises(AttributeError) as caught:
        own.step(0.1)
    assert failure_in(caught.value) is None


# schedules

PLAN = Plan(steps=20, steps_per_epoch=5, lr=0.1, monitor=Monitor())


def schedule(text: str, **own: Any) -> Any:
    options = made(SchedulerOptions, text, **own)
    return component(options)(options, PLAN)


def test_a_schedule_is_a_function_of_step_and_history() -> None:
    text = "def X(step, history, *, steps, steps_per_epoch, low: float = 0.5):\n"
    text += " return low * step / steps + len(history) / steps_per_epoch"
    report = EpochReport(1, 5, 0.1, {"loss": 1.0}, None)
    assert schedule(text)(4, []) == 0.1
    assert schedule(text, low=1.0)(4, [report, report]) == pytest.approx(0.6)


def test_a_schedule_cannot_change_the_history() -> None:
    with pytest.raises(AttributeError, match="tuple"):
        schedule("def X(step, history): return history.clear()")(0, [])


@pytest.mark.parametrize("gives", ["-1.0", "float('nan')", "float('inf')", "None", "torch.ones(1)"])
def test_a_rate_that_is_none_is_refused(gives: str) -> None:
    with pytest.raises(OwnCodeError, match="at step 3, expected a number from 0"):
        schedule(f"def X(step, history): return {gives}")(3, [])


# metrics

COUNT = """
class X:
    higher_is_better = False
    def __init__(self, size, weight: float = 1.0):
        self.size, self.weight, self.rows = size, weight, 0
    def update(self, answers, targets):
        self.rows += len(targets)
    def value(self):
        return {value}
    def merge(self, other):
        self.rows += other.rows
"""


def metric(text: str, head: str = HEAD, **own: Any) -> Any:
    options = made(MetricOptions, text, head=head, **own)
    return component(options)(options, size=3)


def test_a_metric_is_a_fold_that_merges() -> None:
    text = COUNT.format(value="self.rows * self.weight * self.size")
    first, second = metric(text, weight=2.0), metric(text, weight=2.0)
    assert first.higher_is_better is False
    first.update(OUTPUTS, TARGETS)
    second.update(OUTPUTS[:2], TARGETS[:2])
    first.merge(second)
    assert first.value() == 8 * 2 * 3


def test_a_metric_may_be_a_dataclass() -> None:
    text = """
from __future__ import annotations
from dataclasses import dataclass, field
from typing import ClassVar

@dataclass
class X:
    higher_is_better: ClassVar[bool] = True
    weight: float
    seen: list[int] = field(default_factory=list)

    def update(self, answers, targets):
        self.seen.append(len(targets))

    def value(self):
        return self.weight * sum(self.seen)
"""
    one = metric(text, weight=0.5, head="")
    one.update(OUTPUTS, TARGETS)
    assert one.value() == 3.0
    with pytest.raises(ValidationError, match="weight"):
        metric(text, head="")


@pytest.mark.parametrize(
    ("value", "expected"), [("None", None), ("True", 1.0), ("torch.tensor([2.5])", 2.5)]
)
def test_a_metric_may_give_a_tensor_or_nothing(value: str, expected: float | None) -> None:
    assert metric(COUNT.format(value=value)).value() == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (COUNT.format(value="'high'"), "gives str by `value`, expected a number"),
        (COUNT.format(value="torch.ones(2)"), "gives Tensor by `value`, expected a number"),
        (COUNT.replace("merge", "join").format(value="1"), r"has no method `merge\(other\)`"),
        (COUNT.replace("update", "add").format(value="1"), "has no method `update`"),
    ],
)
def test_a_metric_that_is_none_is_refused(text: str, said: str) -> None:
    def use() -> None:
        one = metric(text)
        one.merge(metric(text))
        one.value()

    with pytest.raises(OwnCodeError, match=said):
        use()
