"""What a training will cost, foretold from a few of its steps: seconds an epoch, peak of memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import median
from time import perf_counter

import torch

from dlcli.build import Learner
from dlcli.checks.finding import Finding, sound, warning
from dlcli.checks.memory import available_memory, peak_memory
from dlcli.checks.trial import trial
from dlcli.config.config import Config
from dlcli.data.examples import Examples
from dlcli.data.wording import counted
from dlcli.errors import DivergedError

_UNTIMED, _STEPS, _SECONDS = 2, 20, 2.0
_MB = 1e6
_FULL = 0.9
"""Share of a device's memory that a training had better stay below."""


@dataclass(frozen=True)
class Cost:
    """What a training will take.

    Attributes:
        steps: Of an epoch.
        seconds_per_epoch: Steps, and the val part measured; without saving.
        seconds: Of all epochs that the config asks for.
        peak_bytes: Of the process on a CPU, of the device's memory on another device.
        memory_bytes: What there is, the process's own included; None where that is not known.
    """

    steps: int
    seconds_per_epoch: float
    seconds: float
    peak_bytes: int
    memory_bytes: int | None


def foretell(config: Config, learner: Learner, examples: Mapping[str, Examples]) -> Cost | None:
    """Take a few steps on a copy and measure them; to be asked before all that takes memory.

    Their learning rate is 0: a step takes as long, and no loss explodes.

    Returns:
        The cost; None where the loss is not finite even so, and no step can be taken.
    """
    train, device = examples["train"], learner.device
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    trainer = trial(config, learner, train, factor=None)
    trainer.optimizer.lr = 0.0
    steps = -(-len(train) // trainer.batch_size)
    drawn = _seconds(lambda: train.for_epoch(config.seed, 0), device)
    try:
        taken = _step_seconds(trainer.steps(train, None, epochs=_UNTIMED + _STEPS), device)
    except DivergedError:
        return None
    epoch = drawn + steps * median(taken)
    if "val" in examples:
        epoch += _measuring_seconds(learner, examples["val"])
    return Cost(
        steps,
        epoch,
        epoch * config.train.epochs,
        peak_memory(device),
        available_memory(device),
    )


def check_cost(cost: Cost, config: Config, device: torch.device) -> Iterator[Finding]:
    """Yield the time and the memory that a training will take."""
    epochs, most = config.train.epochs, config.train.max_time
    bound = f", `train.max_time` ends it at {most:g}" if most and cost.seconds > most else ""
    yield sound(
        "time",
        f"about {_told(cost.seconds_per_epoch)} seconds an epoch of {counted(cost.steps, 'step')}, "
        f"{_told(cost.seconds)} for {counted(epochs, 'epoch')}{bound}; without saving",
    )
    where = "of the process" if device.type == "cpu" else f"on {device}"
    told = f"peak {where} about {cost.peak_bytes / _MB:,.0f} MB"
    if cost.memory_bytes is not None:
        told += f" of {cost.memory_bytes / _MB:,.0f}"
        if cost.peak_bytes > _FULL * cost.memory_bytes:
            yield warning("memory", told, "lower `data.batch_size`, or raise `train.accumulate`")
            return
    yield sound("memory", told)


def _told(seconds: float) -> str:
    return f"{seconds:.2g}" if seconds < 10 else f"{seconds:,.0f}"


def _seconds(action: object, device: torch.device) -> float:
    started = perf_counter()
    action()  # type: ignore[operator]
    _wait(device)
    return perf_counter() - started


def _step_seconds(steps: Iterator[object], device: torch.device) -> list[float]:
    """Return the seconds of each step but the first ones, which fill caches."""
    taken: list[float] = []
    end = perf_counter() + _SECONDS
    started = perf_counter()
    for number, _ in enumerate(steps):
        _wait(device)
        now = perf_counter()
        if number >= _UNTIMED or now > end:
            taken.append(now - started)
        if len(taken) == _STEPS or (taken and now > end):
            break
        started = perf_counter()
    return taken


def _measuring_seconds(learner: Learner, val: Examples) -> float:
    """Return the seconds that measuring the val part takes, from its first batch."""
    evaluation, device = learner.evaluation, learner.device
    rows = min(evaluation.batch_size, len(val))
    outputs = evaluation.outputs(learner.network, val)
    taken = _seconds(lambda: next(outputs), device)
    outputs.close()  # type: ignore[attr-defined]
    return taken * len(val) / rows


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
