"""What one section can say about another: pure functions over a whole `Config`, without torch."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from dlcli.config.config import Config
from dlcli.config.loss import LossOptions
from dlcli.config.metric import MetricOptions
from dlcli.config.names import nearest
from dlcli.config.options import components
from dlcli.errors import Fault, KeyPath

TASKS = ("classification", "regression")


def cross_check(config: Config) -> list[Fault]:
    """Return a fault for everything in a config that contradicts something else in it."""
    checks = (_loss_fits, _metrics_fit, _loss_and_metrics_meet, _monitored, _parts, _device)
    return [fault for check in checks for fault in check(config)]


def _loss_fits(config: Config) -> Iterator[Fault]:
    """The loss understands the task's targets."""
    if config.task and config.loss and config.task not in config.loss.tasks:
        yield _refused("loss", config.loss.name, ("loss", "name"), config.task)


def _metrics_fit(config: Config) -> Iterator[Fault]:
    """Each metric measures the task's answers, and probabilities only where there are any."""
    for position, metric in enumerate(config.metrics or []):
        path: KeyPath = ("metrics", position, "name")
        if config.task and config.task not in metric.tasks:
            yield _refused("metric", metric.name, path, config.task)
        elif config.loss and not config.loss.has_probabilities and metric.needs_probabilities:
            yield Fault(
                f"`{metric.name}` measures probabilities, and the loss `{config.loss.name}` "
                "gives none",
                path,
                note="with `cross_entropy` the answers are probabilities",
            )


def _loss_and_metrics_meet(config: Config) -> Iterator[Fault]:
    """Without a task, loss and metrics must have one in common."""
    if config.task or not config.metrics:
        return
    first = config.loss or config.metrics[0]
    for position, metric in enumerate(config.metrics):
        if not first.tasks & metric.tasks:
            yield Fault(
                f"`{metric.name}` is for {_tasks(metric.tasks)}, "
                f"but `{first.name}` is for {_tasks(first.tasks)}",
                ("metrics", position, "name"),
            )


def _refused(what: Literal["loss", "metric"], name: str, path: KeyPath, task: str) -> Fault:
    other = " or ".join(sorted(set(TASKS) - {task}))
    tasks_of = {
        "loss": {name: options.tasks for name, options in components(LossOptions).items()},
        "metric": {name: options.tasks for name, options in components(MetricOptions).items()},
    }
    fitting = ", ".join(name for name, tasks in tasks_of[what].items() if task in tasks)
    message = f"the {what} `{name}` is for {other}, but `task` is {task}"
    return Fault(message, path, note=f"for {task} there are: {fitting}")


def _tasks(tasks: frozenset[str]) -> str:
    return " or ".join(sorted(tasks))


def _monitored(config: Config) -> Iterator[Fault]:
    """`train.monitor` names what is measured; the task's own metrics are known only later."""
    monitor = config.train.monitor
    if config.metrics is None:
        names = list(components(MetricOptions))
    else:
        names = [metric.label for metric in config.metrics]
    known = ["val_loss", *(f"val_{name}" for name in names)]
    if monitor in known:
        return
    near = nearest(monitor.removeprefix("val_"), [name.removeprefix("val_") for name in known])
    yield Fault(
        f"`train.monitor`: `{monitor}` is not measured",
        ("train", "monitor"),
        suggestion=f"did you mean `val_{near}`?" if near else "add the metric to `metrics`",
        note=f"measured: {', '.join(known)}" if config.metrics is not None else "",
    )


def _parts(config: Config) -> Iterator[Fault]:
    """A batch cannot be cut into more parts than it has rows."""
    if config.train.accumulate > config.data.batch_size:
        yield Fault(
            f"`train.accumulate`: a batch of {config.data.batch_size} rows cannot be cut into "
            f"{config.train.accumulate} parts",
            ("train", "accumulate"),
        )


def _device(config: Config) -> Iterator[Fault]:
    """The device is spelled as torch spells it; whether it exists shows later."""
    device = config.train.device
    if not re.fullmatch(r"auto|cpu|cuda(:[0-9]{1,3})?", device):
        yield Fault(
            f"`train.device`: `{device}` is no device",
            ("train", "device"),
            note="accepted: auto, cpu, cuda, cuda:0, cuda:1, ...",
        )
