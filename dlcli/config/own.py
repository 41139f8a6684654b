"""Own code in a config: what that of each family looks like, and what it is given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import Field

from dlcli.config.code import Code
from dlcli.config.data.base import ColumnType, DataOptions, Form, TabularOptions
from dlcli.config.loss import LossOptions
from dlcli.config.metric import MetricOptions
from dlcli.config.model import ModelOptions
from dlcli.config.optimizer import OptimizerOptions
from dlcli.config.options import Options
from dlcli.config.scheduler import SchedulerOptions

_TASKS = frozenset({"classification", "regression", "forecasting", "language_modeling"})


@dataclass(frozen=True)
class Rules:
    """What own code of a family has to look like.

    Attributes:
        form: What it is, in words.
        shown: How it begins, for messages.
        in_order: What dlcli gives it first, in order: of a class, its `__init__`.
        needed: Parameters that it must take by name, for dlcli gives them.
        given: Others that dlcli gives where it takes them.
        attributes: What a class may say in its text, and the values that each may have.
        required: The attributes that it must say.
        reads_files: Whether it may be given paths.
    """

    form: Literal["a class", "a function", "a class or a function"]
    shown: str
    in_order: tuple[str, ...] = ()
    needed: tuple[str, ...] = ()
    given: tuple[str, ...] = ()
    attributes: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    reads_files: bool = False


class OwnModelOptions(ModelOptions):
    """A network of your own, in the place of body and head."""

    builds = "dlcli.own.network:build_own_network"
    takes = ("image", "sequence", "stream", "vector")
    replaces_head = True
    rules: ClassVar[Rules] = Rules(
        "a class",
        "class {name}(nn.Module): def __init__(self, *, inputs, outputs, ...)",
        needed=("inputs", "outputs"),
        given=("known",),
        attributes={"takes": get_args(Form)},
    )


class OwnLossOptions(LossOptions):
    """A loss of your own: a mean over rows."""

    builds = "dlcli.own.loss:build_own_loss"
    tasks = _TASKS
    rules: ClassVar[Rules] = Rules(
        "a class or a function",
        "def {name}(outputs, targets, *, ...)",
        in_order=("outputs", "targets"),
        attributes={"has_probabilities": (True, False), "scales_targets": (True, False)},
    )


class OwnOptimizerOptions(OptimizerOptions):
    """An optimizer of your own: a subclass of torch.optim.Optimizer."""

    builds = "dlcli.own.optimizer:OwnOptimizer"
    is_elementwise = False  # for all one knows
    rules: ClassVar[Rules] = Rules(
        "a class",
        "class {name}(torch.optim.Optimizer): def __init__(self, params, lr, ...)",
        in_order=("params",),
    )


class OwnSchedulerOptions(SchedulerOptions):
    """A schedule of your own: the factor of the learning rate, by step and history."""

    builds = "dlcli.own.scheduler:build_own_schedule"
    rules: ClassVar[Rules] = Rules(
        "a function",
        "def {name}(step, history, *, steps, ...)",
        in_order=("step", "history"),
        given=("steps", "steps_per_epoch"),
    )


class OwnMetricOptions(MetricOptions):
    """A metric of your own: a fold over batches."""

    builds = "dlcli.own.metric:OwnMetric"
    tasks = _TASKS
    rules: ClassVar[Rules] = Rules(
        "a class",
        "class {name}: higher_is_better = True",
        given=("size",),
        attributes={"higher_is_better": (True, False), "needs_probabilities": (True, False)},
        required=("higher_is_better",),
    )

    @property
    def label(self) -> str:
        """The class alone."""
        assert self.code is not None
        return self.code.name


class OwnDataOptions(TabularOptions):
    """Rows of your own: what a function gives."""

    builds = "dlcli.own.source:open_own_source"
    rules: ClassVar[Rules] = Rules("a class or a function", "def {name}(*, ...)", reads_files=True)

    target: str | Annotated[list[str], Field(min_length=1)] = Field(
        description="Column to predict, or a list of numeric ones."
    )
    types: dict[str, ColumnType] = Field(
        {}, description="Types of columns; told from all rows unless given."
    )
    drop: list[str] = Field([], description="Columns to leave out.")


_BASES: dict[type[Options], type[Options]] = {
    DataOptions: OwnDataOptions,
    ModelOptions: OwnModelOptions,
    LossOptions: OwnLossOptions,
    OptimizerOptions: OwnOptimizerOptions,
    SchedulerOptions: OwnSchedulerOptions,
    MetricOptions: OwnMetricOptions,
}


def own_base(family: type[Options]) -> type[Options] | None:
    """Return what own code of a family is read by, or None if a family takes none."""
    return _BASES.get(family)


def rules_of(base: type[Options]) -> Rules:
    """Return what own code of a family has to look like."""
    rules: Rules = base.rules  # type: ignore[attr-defined]
    return rules


def keywords(options: Options) -> dict[str, Any]:
    """Return what the code is given by name: all that the config and the text say."""
    assert options.code is not None
    untold = options.code.opaque - options.model_fields_set
    named = {n: getattr(options, n) for n in options.code.names if n not in untold}
    return named | (options.model_extra or {})


def own_codes(options: Options) -> Iterator[Code]:
    """Yield the code that options, or options inside them, are made from."""
    if options.code is not None:
        yield options.code
    for name in type(options).model_fields:
        value = getattr(options, name)
        for one in value if isinstance(value, list | tuple) else [value]:
            if isinstance(one, Options):
                yield from own_codes(one)
