"""Config -> sources, model, loss, trainer: the only file that turns options into objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from dlcli.config.config import Config
from dlcli.config.loss import LossOptions
from dlcli.config.metric import MetricOptions
from dlcli.config.options import Options, components
from dlcli.errors import ConfigError
from dlcli.models.network import Begins, Network, build_network
from dlcli.models.stems import ImageStem, picture_format
from dlcli.own.module import run_code
from dlcli.schedulers.schedule import Plan
from dlcli.tasks.task import losses_of
from dlcli.training.averaging import ExponentialAverage
from dlcli.training.clipping import Clipping
from dlcli.training.distributed import Distribution, SingleProcess
from dlcli.training.evaluation import Evaluation, Metric
from dlcli.training.freezing import freeze
from dlcli.training.layerwise import Layerwise, are_written_out
from dlcli.training.medium import MediumPrecision
from dlcli.training.precision import Autocast, FullPrecision, Precision, ScaledAutocast
from dlcli.training.state import State
from dlcli.training.stopping import Monitor
from dlcli.training.trainer import Trainer

if TYPE_CHECKING:
    from dlcli.config.optimizer import OptimizerOptions
    from dlcli.config.train import TrainOptions
    from dlcli.data.examples import Examples
    from dlcli.data.preprocessor import Preprocessor
    from dlcli.data.sources.source import Sources
    from dlcli.data.spec import DataSpec
    from dlcli.losses import Loss
    from dlcli.tasks.task import Task

_TASKS = {
    "classification": "dlcli.tasks.classification:Classification",
    "regression": "dlcli.tasks.regression:Regression",
    "forecasting": "dlcli.tasks.forecasting:Forecasting",
    "language_modeling": "dlcli.tasks.language_modeling:LanguageModeling",
}
_VALUES_AT_ONCE = 1 << 22
"""Input and output values of the rows that an evaluation takes at a time."""


@dataclass(frozen=True)
class Learner:
    """A network with its data's preprocessor, its task and how it is judged.

    Attributes:
        task: What is learned.
        loss_options: The loss as chosen, by the config or for the task.
        loss: What training lowers, and its link to answers.
        preprocessor: The only way in for records.
        network: Inputs to outputs.
        evaluation: The loss, the metrics, and what turns outputs into answers.
        device: Where the network is.
    """

    task: Task
    loss_options: LossOptions
    loss: Loss
    preprocessor: Preprocessor
    network: nn.Module
    evaluation: Evaluation
    device: torch.device


def open_sources(config: Config, folder: Path) -> Sources:
    """Open the data of a config whose paths are relative to `folder`."""
    sources: Sources = component(config.data)(config.data, folder)
    return sources


def scales_targets(config: Config) -> bool:
    """Say whether the loss wants scaled targets; one with an exponential link wants counts."""
    return config.loss is None or config.loss.scales_targets


def build_learner(
    config: Config,
    *,
    task_name: str,
    preprocessor: Preprocessor,
    class_counts: Tensor | None,
    device: torch.device,
) -> Learner:
    """Build the network, with initial weights drawn from the seed, and how it is judged.

    Args:
        config: The whole config.
        task_name: The task, told from the target where the config does not name it.
        preprocessor: Fitted on the training rows; the network's sizes come from it.
        class_counts: Rows of each class (K,) in the training part; None for numbers.
        device: Where the network goes.

    Raises:
        ConfigError: The loss's or the model's options do not fit the data.
    """
    task: Task = _import(_TASKS[task_name]).of(preprocessor.targets, preprocessor.window)
    options = config.loss or components(LossOptions)[losses_of(task.name)[0]]()
    loss: Loss = component(options)(
        options, shape=task.shape, classes=task.classes, class_counts=class_counts
    )
    loss = loss.padded(task.padding).to(device)
    network = _placed(_network(config, preprocessor.spec, loss.outputs), device)
    freeze(network, config.train.freeze)
    task = task.to(device)
    evaluation = Evaluation(
        loss,
        metrics=_metrics(config, task),
        answers=lambda outputs: task.answers(loss.link(outputs)),
        truths=task.truths,
        batch_size=_rows_at_once(preprocessor.spec, loss.outputs, network),
    )
    return Learner(task, options, loss, preprocessor, network, evaluation, device)


def begin(learner: Learner, folder: Path) -> list[str]:
    """Give a learner that is to be trained anew the weights that its options name.

    Args:
        learner: As built.
        folder: What paths in the config are relative to.

    Returns:
        What there is to say of them.

    Raises:
        ConfigError: They are of another architecture.
        DataError: There is no such file, or it holds something else.
    """
    modules = [module for module in learner.network.modules() if isinstance(module, Begins)]
    return [note for module in modules for note in module.begin(folder)]


def build_trainer(
    config: Config,
    learner: Learner,
    train: Examples,
    *,
    state: State,
    distribution: Distribution | None = None,
) -> Trainer:
    """Build the trainer of a learner over a training part, from a state on.

    Raises:
        ConfigError: The task has no classes to balance.
    """
    options = config.train
    distribution = distribution or SingleProcess()
    if options.sharded:
        _check_sharded(config.optimizer)
        distribution = distribution.sharded()
    network = distribution.wrap(learner.network)
    parameters = distribution.placement.parameters(learner.network)
    optimizer = component(config.optimizer)(config.optimizer, parameters)
    steps = -(-len(train) // config.data.rows_per_step)
    monitor = build_monitor(config, learner)
    plan = Plan(steps * config.train.epochs, steps, optimizer.lr, monitor)
    ema = options.ema
    return Trainer(
        model=learner.network,
        network=torch.compile(network) if options.compile else network,  # type: ignore[arg-type]
        whole=_layerwise(config, learner, distribution),
        optimizer=optimizer,
        schedule=component(config.scheduler)(config.scheduler, plan),
        evaluation=learner.evaluation,
        seed=config.seed,
        batch_size=config.data.rows_per_step,
        state=state,
        precision=_precision(options, learner.device),
        averaging=(
            ExponentialAverage(learner.network, ema, distribution.placement) if ema else None
        ),
        clipping=Clipping(options.clip_value, options.clip_norm, distribution.placement),
        distribution=distribution,
        row_weights=_balanced(learner, train) if options.sampling == "balanced" else None,
    )


def _layerwise(config: Config, learner: Learner, distribution: Distribution) -> Layerwise | None:
    """Return what computes gradients without a graph where that is known to change no bit."""
    is_autocast = config.train.precision in ("bf16", "fp16")  # which watches modules
    is_plain = not (is_autocast or config.train.compile)
    is_here = learner.device.type == "cpu" and distribution.world_size == 1
    return layerwise(learner.network, learner.loss) if is_plain and is_here else None


def layerwise(network: nn.Module, loss: Loss) -> Layerwise | None:
    """Return what computes a network's gradients layer by layer; None if it is not in a row."""
    if not isinstance(network, Network) or network.row is None or not are_written_out(network.row):
        return None
    return Layerwise(network.seen, network.row, outputs=loss.outputs, slope=loss.slope)


def _check_sharded(options: OptimizerOptions) -> None:
    """Refuse an optimizer that needs whole weights where each rank has some of their rows."""
    if not options.is_elementwise:
        raise ConfigError(
            f"`train.sharded` shares out the rows of each weight, and `{options.name}` needs "
            "whole weights",
            path=("train", "sharded"),
            suggestion="another optimizer, or leave `sharded` out",
        )


def _precision(options: TrainOptions, device: torch.device) -> Precision:
    """Build what computes in the precision asked for, and set what torch keeps for the process."""
    if options.deterministic != torch.are_deterministic_algorithms_enabled():
        torch.use_deterministic_algorithms(options.deterministic)  # imports torch._dynamo: 1 s
    torch.backends.cuda.matmul.allow_tf32 = options.precision == "tf32"
    torch.backends.cudnn.allow_tf32 = options.precision == "tf32"
    if options.precision == "bf16":
        return Autocast(device, torch.bfloat16)
    if options.precision == "fp16":
        return ScaledAutocast(device)
    return MediumPrecision(device) if options.precision == "medium" else FullPrecision(device)


def _balanced(learner: Learner, train: Examples) -> Tensor:
    """Return weights (N,) float64 under which an epoch draws every class equally often."""
    targets = train.targets
    if not learner.task.classes or targets.ndim > 1 or len(targets) != len(train):
        raise ConfigError(
            f"`sampling: balanced` draws classes, and {learner.task.name} has none of its rows",
            path=("train", "sampling"),
            suggestion="leave it out",
        )
    counts = torch.bincount(targets.long(), minlength=len(learner.task.classes))
    return counts.double().reciprocal()[targets.long()].cpu()


def build_monitor(config: Config, learner: Learner) -> Monitor:
    """Build what decides the best epoch.

    Raises:
        ConfigError: `train.monitor` is not measured.
    """
    key = config.train.monitor
    metrics = learner.evaluation.metrics()
    known = {"val_loss": False} | {f"val_{n}": m.higher_is_better for n, m in metrics.items()}
    if key not in known:
        raise ConfigError(
            f"`train.monitor` names `{key}`, which is not measured",
            path=("train", "monitor"),
            suggestion=f"one of {', '.join(known)}",
        )
    return Monitor(key, known[key])


def has_batch_statistics(network: nn.Module) -> bool:
    """Say whether the network normalises by what else is in the batch."""
    return any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in network.modules())


def count_parameters(network: nn.Module) -> int:
    """Return the number of trained values."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def _network(config: Config, spec: DataSpec, outputs: tuple[int, ...]) -> nn.Module:
    """Build stem, body and head in this order, so that a seed draws the same weights."""
    build = partial(component(config.model), config.model)  # own code may draw as it is run
    torch.manual_seed(config.seed)
    return build_network(spec, outputs, build, config.model)


def _placed(network: nn.Module, device: torch.device) -> nn.Module:
    """Move a network to a device; the weights of convolutions lie there as its pictures do."""
    network = network.to(device)
    if _sees_pictures(network):
        for module in network.modules():
            if type(module) is nn.Conv2d:  # others may look at their weights in their own way
                module.to(memory_format=picture_format(device))
    return network


def _sees_pictures(network: nn.Module) -> bool:
    return any(isinstance(module, ImageStem) for module in network.modules())


def _rows_at_once(spec: DataSpec, outputs: tuple[int, ...], network: nn.Module) -> int:
    """Return how many rows an evaluation takes at a time: as many as memory holds and gains by.

    On a CPU 256 pictures pass through convolutions at 0.93 of the rate of 1024, in a quarter of the
    memory, which a training step takes as well (two layers over 28 x 28, two cores, torch 2.15).
    """
    past = spec.window.past if spec.window else 1
    values = past * (sum(prod(field.shape) for field in spec.inputs) + prod(outputs))
    device = next((parameter.device for parameter in network.parameters()), torch.device("cpu"))
    most = 256 if _sees_pictures(network) and device.type == "cpu" else 1024
    return max(16, min(most, _VALUES_AT_ONCE // values))


def _metrics(config: Config, task: Task) -> Callable[[], Mapping[str, Metric]]:
    options = config.metrics or [components(MetricOptions)[name]() for name in task.metrics]
    makers = [(option.label, _metric(option, task)) for option in options]
    return lambda: {label: make() for label, make in makers}


def _metric(options: MetricOptions, task: Any) -> Callable[[], Metric]:
    make = partial(component(options), options, size=task.size)
    return partial(make, scale=task.scale) if options.needs_scale else make


def component(options: Options) -> Any:
    """Return what the options build: a class or function, see `Options.builds`.

    What builds from own code is given that code as `own`.
    """
    build = _import(options.builds)
    return build if options.code is None else partial(build, own=run_code(options.code))


def _import(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)
