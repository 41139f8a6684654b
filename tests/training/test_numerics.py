"""Precision, averages, clipping, failures found late and memory that runs out: each by a law."""

from __future__ import annotations

import math
from itertools import islice

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlcli.data.spec import NUMBERS
from dlcli.errors import DivergedError, MachineError
from dlcli.training.averaging import ExponentialAverage
from dlcli.training.clipping import Clipping
from dlcli.training.precision import Autocast, FullPrecision, Precision, ScaledAutocast
from dlcli.training.randomness import drawn_order, epoch_order, seed_epoch
from dlcli.training.state import State
from dlcli.training.trainer import Trainer
from tests.training.test_trainer import ROWS, SEED, draw_examples, make_trainer, run

CPU = torch.device("cpu")


def altered(trainer: Trainer, **options: object) -> Trainer:
    """Return a trainer anew, with the same model, optimizer and schedule, and other options."""
    return Trainer(
        model=trainer.model,
        optimizer=trainer.optimizer,
        schedule=trainer.schedule,
        evaluation=trainer.evaluation,
        seed=SEED,
        batch_size=trainer.batch_size,
        state=State(parts=trainer.state.parts),
        **options,
    )


def make(name: str, *, dropout: float = 0.2) -> Trainer:
    trainer = make_trainer(dropout=dropout)
    precision: Precision = {
        "fp32": lambda: FullPrecision(CPU),
        "bf16": lambda: Autocast(CPU, torch.bfloat16),
        "fp16": lambda: ScaledAutocast(CPU),
    }[name]()
    average = ExponentialAverage(trainer.model, 0.9)
    clipping = Clipping(value=0.2, norm=0.5)
    return altered(trainer, precision=precision, averaging=average, clipping=clipping)


@pytest.mark.parametrize("name", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("stop", [2, 4, 7])
def test_law_2_holds_with_every_precision_averages_and_clipping(name: str, stop: int) -> None:
    examples = draw_examples()
    whole = make(name)
    expected = run(whole, examples)
    first = make(name)
    for _step in islice(first.steps(examples, examples, epochs=3), stop):
        pass
    saved = {key: tensor.clone() for key, tensor in first.tensors().items()}
    second = make(name)
    second.state = State.from_data(first.state.to_data(), saved["history/values"])
    second.load(saved)
    resumed = run(second, examples)
    assert resumed.keys() == expected.keys()
    assert all(torch.equal(resumed[key], expected[key]) for key in expected)


def test_fp16_is_torchs_own_scaled_loop_bitwise() -> None:
    examples = draw_examples()
    mine = run(altered(make_trainer(), precision=ScaledAutocast(CPU)), examples)

    reference = make_trainer()
    optimizer = torch.optim.AdamW(reference.model.parameters())
    scaler = torch.amp.GradScaler("cpu", init_scale=ScaledAutocast.START)
    step = 0
    for epoch in range(3):
        order = epoch_order(SEED, epoch, ROWS)
        seed_epoch(SEED, epoch, 0)
        for start in range(0, ROWS, 16):
            batch = examples.take(order[start : start + 16])
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.float16):
                loss = F.cross_entropy(reference.model(batch.inputs), batch.targets)
            scaler.scale(loss).backward()
            scaler.unscale_(optimizer)
            optimizer.param_groups[0]["lr"] = 1e-3 / (1 + step)
            scaler.step(optimizer)
            scaler.update()
            step += 1
    for name, value in reference.model.state_dict().items():
        assert torch.equal(mine[f"model/{name}"], value)


def test_a_scale_that_overflows_halves_and_the_step_is_left_out() -> None:
    examples = draw_examples()
    trainer = altered(make_trainer(), precision=ScaledAutocast(CPU))
    trainer.precision.load(
        {"scale": torch.full((1,), 2.0**40), "sound_steps": torch.zeros(1, dtype=torch.int32)}
    )
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    next(trainer.steps(examples, None, epochs=1))
    assert trainer.precision.state()["scale"].item() == 2.0**39
    assert all(torch.equal(before[n], v) for n, v in trainer.model.state_dict().items())
    assert trainer.optimizer.state()[f"step/{next(iter(before))}"].item() == 0
    assert trainer.state.step == 1


def test_an_average_is_the_formula_and_lends_itself() -> None:
    examples = draw_examples()
    trainer = make_trainer()
    average = ExponentialAverage(trainer.model, 0.9)
    trainer = altered(trainer, averaging=average)
    weights = [parameter.detach().clone().double() for parameter in trainer.model.parameters()]
    for number, _step in enumerate(trainer.steps(examples, examples, epochs=3), start=1):
        decay = min(0.9, (1 + number) / (10 + number))
        for mean, parameter in zip(weights, trainer.model.parameters(), strict=True):
            mean.mul_(decay).add_(parameter.detach().double(), alpha=1 - decay)
    raw = [parameter.detach().clone() for parameter in trainer.model.parameters()]
    with average.applied():
        for expected, parameter in zip(weights, trainer.model.parameters(), strict=True):
            torch.testing.assert_close(parameter.double(), expected, rtol=1e-5, atol=1e-6)
        scores = trainer.evaluation.scores(trainer.model, examples)
    assert scores == trainer.state.history[-1].val
    assert all(
        torch.equal(value, parameter)
        for value, parameter in zip(raw, trainer.model.parameters(), strict=True)
    )


def test_clipping_is_torchs() -> None:
    generator = torch.Generator().manual_seed(0)
    own, theirs = ([nn.Parameter(torch.zeros(5, 3)), nn.Parameter(torch.zeros(7))] for _ in "ab")
    for mine, yours in zip(own, theirs, strict=True):
        mine.grad = torch.randn(mine.shape, generator=generator) * 4
        yours.grad = mine.grad.clone()
    Clipping(value=3.0, norm=2.0)(own)
    torch.nn.utils.clip_grad_value_(theirs, 3.0)
    torch.nn.utils.clip_grad_norm_(theirs, 2.0)
    for mine, yours in zip(own, theirs, strict=True):
        assert torch.equal(mine.grad, yours.grad)
    assert math.isclose(sum(p.grad.square().sum().item() for p in own) ** 0.5, 2, rel_tol=1e-5)


@pytest.mark.parametrize("row", [0, 37])
def test_law_7_a_failure_found_late_has_made_no_update_and_names_the_same_step(row: int) -> None:
    examples = draw_examples()
    examples.inputs[NUMBERS][row, 2] = math.nan
    told = []
    for is_deferred in (False, True):
        trainer = altered(make_trainer(), is_deferred=is_deferred)
        with pytest.raises(DivergedError) as failure:
            run(trainer, examples)
        weights = {name: value.clone() for name, value in trainer.model.state_dict().items()}
        told.append((str(failure.value), weights, trainer.optimizer.state()))
    assert "input `numbers` of row" in told[0][0]
    assert told[0][0] == told[1][0]
    for mine, yours in zip(told[0][1:], told[1][1:], strict=True):
        assert all(torch.equal(mine[name], yours[name]) for name in mine)


def test_law_7_a_failure_found_late_is_told_before_a_save() -> None:
    examples = draw_examples()
    examples.inputs[NUMBERS][:] = math.nan
    trainer = altered(make_trainer(), is_deferred=True)
    next(trainer.steps(examples, None, epochs=1))
    with pytest.raises(DivergedError, match="step 1"):
        trainer.tensors()


class Hungry(nn.Module):
    """A network that runs out of memory above so many rows, after it has drawn and counted."""

    def __init__(self, network: nn.Module, most: int) -> None:
        super().__init__()
        self.network, self.most = network, most
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        self.calls += 1
        outputs = self.network(inputs)
        if len(outputs) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return outputs


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_law_8_a_step_that_does_not_fit_is_made_in_parts(dropout: float) -> None:
    examples = draw_examples()
    expected = make_trainer(dropout=dropout, parts=4)
    run(expected, examples)

    trainer = make_trainer(dropout=dropout)
    hungry = altered(trainer, network=Hungry(trainer.model, 4), rescues=True)
    run(hungry, examples)
    assert hungry.state.parts == 4
    for mine, yours in zip(trainer.model.parameters(), expected.model.parameters(), strict=True):
        assert torch.equal(mine, yours)


def test_law_8_one_row_that_does_not_fit_names_the_batch_size() -> None:
    trainer = make_trainer()
    hungry = altered(trainer, network=Hungry(trainer.model, 0), rescues=True)
    with pytest.raises(MachineError) as failure:
        next(hungry.steps(draw_examples(), None, epochs=1))
    assert failure.value.faults[0].path == ("data", "batch_size")


def test_balanced_draws_are_as_likely_for_every_class_and_pure() -> None:
    targets = torch.tensor([0] * 9000 + [1] * 900 + [2] * 100)
    weights = torch.bincount(targets).double().reciprocal()[targets]
    order = drawn_order(SEED, 3, weights)
    counts = torch.bincount(targets[order])
    assert len(order) == len(targets)
    # three standard deviations of a binomial with p = 1/3
    assert (counts - 10_000 / 3).abs().max() < 3 * math.sqrt(10_000 * 2 / 9)
    assert torch.equal(order, drawn_order(SEED, 3, weights))
    assert not torch.equal(order, drawn_order(SEED, 4, weights))


@pytest.mark.parametrize("precision", [FullPrecision, ScaledAutocast])
@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_is_a_fault_though_its_gradients_are(
    precision: type[FullPrecision], wrong: float
) -> None:
    sound, broken = torch.tensor(0.5), torch.tensor(wrong)
    made = precision(CPU)
    assert made.faults([torch.ones(2, 2)], sound).item() == 0
    assert made.faults([torch.ones(2, 2)], broken).item() == 1
    assert made.faults([torch.ones(2, 2), torch.tensor([wrong])], sound).item() == 1
    assert made.faults([torch.ones(2, 2)], sound).item() == 0
