"""Every schedule in a training that was stopped and goes on (law 2)."""

from __future__ import annotations

from itertools import islice

import pytest
import torch

from dlcli.build import component
from dlcli.config.scheduler import ReduceOnPlateauOptions, SchedulerOptions
from dlcli.schedulers.schedule import Plan
from dlcli.training.state import State
from dlcli.training.stopping import Monitor
from dlcli.training.trainer import Trainer
from tests.labels import label
from tests.schedulers.test_curves import OPTIONS
from tests.training.test_trainer import draw_examples, make_trainer, run

EPOCHS, BATCHES = 6, 4
FALLS_OFTEN = ReduceOnPlateauOptions(patience=0, factor=0.5, threshold=0.5, cooldown=1)
CASES = [
    options.model_copy(update={"warmup": 5})
    for options in OPTIONS
    if options.name != "reduce_on_plateau"
]


def trainer_of(options: SchedulerOptions) -> Trainer:
    trainer = make_trainer(dropout=0.3)
    plan = Plan(EPOCHS * BATCHES, BATCHES, trainer.optimizer.lr, Monitor())
    trainer.schedule = component(options)(options, plan)
    return trainer


@pytest.mark.parametrize("stop", [3, 12, 17])
@pytest.mark.parametrize("options", [*CASES, FALLS_OFTEN], ids=label)
def test_a_resumed_training_ends_bitwise_where_it_would_have(options, stop: int) -> None:
    examples = draw_examples()
    whole = trainer_of(options)
    expected = run(whole, examples, EPOCHS)

    first = trainer_of(options)
    for _step in islice(first.steps(examples, examples, epochs=EPOCHS), stop):
        pass
    saved = {name: tensor.clone() for name, tensor in first.tensors().items()}
    second = trainer_of(options)
    second.state = State.from_data(first.state.to_data(), saved["history/values"])
    second.load(saved)
    resumed = run(second, examples, EPOCHS)

    assert all(torch.equal(resumed[name], expected[name]) for name in expected)
    assert second.state.history == whole.state.history


def test_a_plateau_is_met_in_training() -> None:
    trainer = trainer_of(FALLS_OFTEN)
    run(trainer, draw_examples(), EPOCHS)
    rates = [report.lr for report in trainer.state.history]
    assert rates[0] == trainer.optimizer.lr
    assert len(set(rates)) > 2
    assert rates == sorted(rates, reverse=True)
