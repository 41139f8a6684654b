"""What tests/training/test_distributed.py runs in several processes: many cases in one start."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from dlcli.build import component
from dlcli.config.optimizer import OptimizerOptions
from dlcli.config.options import components
from dlcli.data.spec import NUMBERS
from dlcli.errors import DivergedError
from dlcli.models.normalization import BatchNorm
from dlcli.training.averaging import ExponentialAverage
from dlcli.training.clipping import Clipping
from dlcli.training.distributed import Distribution, Poll
from dlcli.training.state import State
from dlcli.training.trainer import Trainer
from tests.training.test_trainer import LAW_3, SEED, draw_examples, make_trainer, run

FEW_LOSSES = [("cross_entropy", {}), ("mse", {}), *LAW_3[-3:-1]]
ROWS_AND_PARTS = [(16, 3), (15, 1), (15, 2), (7, 1), (7, 3)]
"""Of a batch; 50 rows end in a batch of 2, of 5 and of 1: the last leaves a rank without rows."""
STOPS = (2, 4, 7)
"""Steps; an epoch has four."""


def shared(
    trainer: Trainer,
    distribution: Distribution,
    *,
    optimizer: OptimizerOptions | None = None,
    decay: float | None = None,
    norm: float | None = None,
    **options: object,
) -> Trainer:
    """Return a trainer anew, among others, with a new optimizer, averages and clipping."""
    network = distribution.wrap(trainer.model)
    placement = distribution.placement
    chosen = optimizer or components(OptimizerOptions)["sgd"](lr=0.1)
    if decay is not None:
        options["averaging"] = ExponentialAverage(trainer.model, decay, placement)
    return Trainer(
        model=trainer.model,
        network=network,
        optimizer=component(chosen)(chosen, placement.parameters(trainer.model)),
        clipping=Clipping(norm=norm, placement=placement),
        schedule=trainer.schedule,
        evaluation=trainer.evaluation,
        seed=SEED,
        batch_size=trainer.batch_size,
        state=trainer.state,
        distribution=distribution,
        **options,
    )


def law_3(
    distribution: Distribution, losses: Iterable[tuple[str, dict[str, object]]] = LAW_3
) -> dict[str, dict[str, Tensor]]:
    """Return what each loss leaves behind after an epoch, and one loss by rows and parts."""
    left = {}
    for loss, options in losses:
        single = make_trainer(loss=loss, loss_options=options, dtype=torch.float64)
        examples = draw_examples(loss, torch.float64)
        left[f"{loss} {options}"] = run(shared(single, distribution), examples, epochs=1)
    loss, options = LAW_3[-2]
    for rows, parts in ROWS_AND_PARTS:
        single = make_trainer(
            loss=loss, loss_options=options, dtype=torch.float64, batch_size=rows, parts=parts
        )
        examples = draw_examples(dtype=torch.float64)
        left[f"{rows} rows, {parts} parts"] = run(shared(single, distribution), examples, epochs=1)
    return left


def law_2(distribution: Distribution, stops: Iterable[int] = STOPS) -> dict[str, dict[str, Tensor]]:
    """Return what is left after three epochs, without a stop and with stops between."""
    adamw = components(OptimizerOptions)["adamw"]()

    def full() -> Trainer:
        single = make_trainer(dropout=0.3)
        return shared(single, distribution, optimizer=adamw, decay=0.9, norm=0.05)

    examples = draw_examples()
    left = {"whole": run(full(), examples)}
    for stop in stops:
        first = full()
        for _step in islice(first.steps(examples, examples, epochs=3), stop):
            pass
        saved = {name: tensor.clone() for name, tensor in first.tensors().items()}
        torch.manual_seed(12345)  # another process has drawn other numbers
        second = full()
        second.state = State.from_data(first.state.to_data(), saved["history/values"])
        second.load(distribution.spread(saved if distribution.rank == 0 else {}))
        left[f"stop {stop}"] = run(second, examples)
    return left


def law_7(distribution: Distribution) -> dict[str, tuple[str, bool]]:
    """Return how a training ends in which one rank has a row that is not finite.

    Returns:
        By when it is found out: what is told, and whether the weights are what they were.
    """
    ends = {}
    for is_deferred in (False, True):
        examples = draw_examples()
        examples.inputs[NUMBERS][31, 2] = float("nan")
        single = make_trainer(batch_size=50)
        before = {name: tensor.clone() for name, tensor in single.model.state_dict().items()}
        try:
            run(shared(single, distribution, is_deferred=is_deferred), examples)
        except DivergedError as error:
            after = distribution.placement.whole(single.model.state_dict())
            is_untouched = all(torch.equal(after[name], before[name]) for name in after)
            ends["late" if is_deferred else "at once"] = (str(error), is_untouched)
    return ends


class Odd(nn.Module):
    """A model with batch norm, and with a parameter that no output depends on."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = BatchNorm(6)
        self.linear = nn.Linear(6, 3)
        self.idle = nn.Parameter(torch.ones(2))

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        """Return logits (N, K)."""
        logits: Tensor = self.linear(self.norm(inputs[NUMBERS]))
        return logits


def scores(distribution: Distribution) -> dict[str, Any]:
    """Return a training's reports, and the scores that each rank alone gives its model after it."""
    torch.manual_seed(SEED)
    single = make_trainer(batch_size=9)
    single.model = Odd()
    single.evaluation = replace(single.evaluation, batch_size=7)
    trainer = shared(single, distribution, optimizer=components(OptimizerOptions)["adamw"]())
    examples = draw_examples()
    run(trainer, examples)
    return {
        "history": [report.to_data() for report in trainer.state.history],
        "alone": trainer.evaluation.scores(trainer.model, examples),
        "weights": distribution.placement.whole(trainer.model.state_dict()),
    }


def optimizers(distribution: Distribution) -> dict[str, dict[str, Tensor]]:
    """Return what each optimizer leaves behind that moves values one by one."""
    left = {}
    for name, options in components(OptimizerOptions).items():
        if options.is_elementwise:
            single = make_trainer(dtype=torch.float64)
            trainer = shared(single, distribution, optimizer=options(), decay=0.9, norm=0.05)
            left[name] = run(trainer, draw_examples(dtype=torch.float64), epochs=2)
    return left


def poll(distribution: Distribution) -> list[tuple[int, ...]]:
    """Return what a rank hears when the last one is told to stop at its second step."""
    ask, last = Poll(distribution), distribution.world_size - 1
    told = [15 if (distribution.rank, step) == (last, 1) else 0 for step in range(4)]
    heard = [ask(flag, step, is_late=True) for step, flag in enumerate(told)]
    return [*heard, ask(0, 0, is_late=False)]


def essential(distribution: Distribution) -> dict[str, Any]:
    """Return the laws on a few cases."""
    return {
        "law 3": law_3(distribution, FEW_LOSSES),
        "law 2": law_2(distribution, STOPS[:2]),
        "law 7": law_7(distribution),
        "scores": scores(distribution),
        "poll": poll(distribution),
    }


def everything(distribution: Distribution) -> dict[str, Any]:
    """Return the laws on all cases."""
    return {
        "law 3": law_3(distribution) | optimizers(distribution),
        "law 2": law_2(distribution),
        "law 7": law_7(distribution),
        "scores": scores(distribution),
        "poll": poll(distribution),
    }


def everything_sharded(distribution: Distribution) -> dict[str, Any]:
    """Return the same where the ranks share out the model too."""
    return everything(distribution.sharded())
