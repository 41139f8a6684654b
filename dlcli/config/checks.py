"""What one section can say about another: pure functions over a whole `Config`, without torch."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, get_args

from dlcli.config.config import Config, TaskName
from dlcli.config.data import (
    DataOptions,
    PictureAugmentOptions,
    SeriesOptions,
    SoundAugmentOptions,
    SoundOptions,
)
from dlcli.config.data.base import FORMS, worded
from dlcli.config.loss import CrossEntropyOptions, LossOptions, RegressionLossOptions
from dlcli.config.metric import MetricOptions
from dlcli.config.model import ModelOptions
from dlcli.config.names import nearest
from dlcli.config.options import components
from dlcli.config.scheduler import ReduceOnPlateauOptions
from dlcli.errors import Fault, KeyPath

TASKS = get_args(TaskName)


def cross_check(config: Config) -> list[Fault]:
    """Return a fault for everything in a config that contradicts something else in it."""
    checks = (
        _model_fits,
        _streams_run_one_way,
        _known_ahead,
        _task_fits,
        _loss_fits,
        _metrics_fit,
        _loss_and_metrics_meet,
        _own_labels,
        _monitored,
        _parts,
        _augmentation,
        _least_rate,
        _device,
    )
    return [fault for check in checks for fault in check(config)]


def _model_fits(config: Config) -> Iterator[Fault]:
    """The model takes what the data can be given as, where the kind of data tells."""
    offered, taken = config.data.forms, config.model.takes
    if offered is None or offered & set(taken):
        return
    fitting = [name for name, m in components(ModelOptions).items() if offered & set(m.takes)]
    yield Fault(
        f"`model: {config.model.name}` does not go with `data: {config.data.name}`: it takes "
        f"{worded(taken)}, and these data are {worded(sorted(offered, key=list(FORMS).index))}",
        ("model", "name"),
        note=f"models for these data: {', '.join(fitting)}",
    )


def _streams_run_one_way(config: Config) -> Iterator[Fault]:
    """No model looks ahead in running text."""
    is_stream = config.data.forms == frozenset({"stream"})
    if is_stream and getattr(config.model, "bidirectional", False):
        yield Fault(
            f"`bidirectional: true` does not go with `data: {config.data.name}`: a step is to tell "
            "the next one, and would see it",
            ("model", "bidirectional"),
        )


def _known_ahead(config: Config) -> Iterator[Fault]:
    """A network of the user's takes what the data know ahead of time."""
    code = config.model.code
    is_known = isinstance(config.data, SeriesOptions) and config.data.known
    if is_known and code is not None and "known" not in code.given:
        yield Fault(
            f"`{code.label}` does not take `known`, what is known ahead of time",
            ("data", "known"),
            suggestion="leave it out, or take `known` in `__init__` and `forward`",
        )


def _task_fits(config: Config) -> Iterator[Fault]:
    """A kind of data that is for one task is not used for another."""
    only = config.data.task
    if config.task and only and config.task != only:
        yield Fault(
            f"`data: {config.data.name}` is for {only}, but `task` is {config.task}", ("task",)
        )
    own = {name: member.task for name, member in components(DataOptions).items() if member.task}
    if config.task in own.values() and only is None:
        fitting = ", ".join(name for name, task in own.items() if task == config.task)
        yield Fault(
            f"`task: {config.task}` does not go with `data: {config.data.name}`",
            ("task",),
            note=f"data for it: {fitting}",
        )


def _loss_fits(config: Config) -> Iterator[Fault]:
    """The loss understands the task's targets."""
    task = config.task or config.data.task
    if task and config.loss and task not in config.loss.tasks:
        yield _refused("loss", config.loss.name, ("loss", "name"), task)


def _metrics_fit(config: Config) -> Iterator[Fault]:
    """Each metric measures the task's answers, and probabilities only where there are any."""
    task = config.task or config.data.task
    for position, metric in enumerate(config.metrics or []):
        path: KeyPath = ("metrics", position, "name")
        if task and task not in metric.tasks:
            yield _refused("metric", metric.name, path, task)
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


def _own_labels(config: Config) -> Iterator[Fault]:
    """A metric of the user's is not called as the loss or another metric is."""
    metrics = config.metrics or []
    for position, metric in enumerate(metrics):
        others = [other for other in metrics[:position] if other.label == metric.label]
        is_own = metric.code is not None or any(other.code for other in others)
        if is_own and (others or metric.label == "loss"):
            yield Fault(
                f"`{metric.label}` is what "
                + ("the loss is called" if metric.label == "loss" else "another metric is called"),
                ("metrics", position, "name"),
                suggestion="give the class another name",
            )


def _refused(what: Literal["loss", "metric"], name: str, path: KeyPath, task: str) -> Fault:
    family = LossOptions if what == "loss" else MetricOptions
    other = _tasks(components(family)[name].tasks)  # type: ignore[attr-defined]
    tasks_of = {
        "loss": {name: options.tasks for name, options in components(LossOptions).items()},
        "metric": {name: options.tasks for name, options in components(MetricOptions).items()},
    }
    fitting = ", ".join(name for name, tasks in tasks_of[what].items() if task in tasks)
    message = f"the {what} `{name}` is for {other}, but the task is {task}"
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
    if config.data.batch_size != "auto" and config.train.accumulate > config.data.batch_size:
        yield Fault(
            f"`train.accumulate`: a batch of {config.data.batch_size} rows cannot be cut into "
            f"{config.train.accumulate} parts",
            ("train", "accumulate"),
        )


def _augmentation(config: Config) -> Iterator[Fault]:
    """The loss understands targets that were mixed, and some mel bands stay unmasked."""
    pictures, loss = config.data.section(PictureAugmentOptions), config.loss
    if pictures is not None and pictures.mixes and loss is not None:
        option = f"`data.augment.{pictures.mixes}`"
        if not isinstance(loss, CrossEntropyOptions | RegressionLossOptions):
            yield Fault(
                f"the loss `{loss.name}` does not understand targets that {option} mixes",
                ("loss", "name"),
                note="`cross_entropy` does, and so does every loss of regression",
            )
        elif isinstance(loss, CrossEntropyOptions) and loss.class_weights is not None:
            yield Fault(
                f"`class_weights` do not go with {option}: a mixed row has no class of its own",
                ("loss", "class_weights"),
                suggestion="leave one of them out",
            )
    sounds, spectrogram = (
        config.data.section(SoundAugmentOptions),
        config.data.section(SoundOptions),
    )
    if (
        sounds is not None
        and spectrogram is not None
        and sounds.frequency_mask >= spectrogram.n_mels
    ):
        yield Fault(
            f"`frequency_mask` is {sounds.frequency_mask}, and there are {spectrogram.n_mels} mel "
            "bands: nothing might be left",
            ("data", "augment", "frequency_mask"),
            suggestion=f"at most {spectrogram.n_mels - 1}",
        )


def _least_rate(config: Config) -> Iterator[Fault]:
    """A learning rate that falls to no less than a bound begins above it."""
    scheduler, lr = config.scheduler, getattr(config.optimizer, "lr", None)
    if isinstance(scheduler, ReduceOnPlateauOptions) and lr is not None and scheduler.min_lr > lr:
        yield Fault(
            f"`scheduler.min_lr`: {scheduler.min_lr:g} is above the learning rate itself, "
            f"`optimizer.lr` {lr:g}: it could never fall",
            ("scheduler", "min_lr"),
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
