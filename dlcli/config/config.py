"""The whole config: one field per section."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from dlcli.config.data import DataOptions
from dlcli.config.loss import LossOptions
from dlcli.config.metric import MetricOptions
from dlcli.config.model import ModelOptions
from dlcli.config.optimizer import AdamWOptions, OptimizerOptions
from dlcli.config.options import OneOf, Options, Seed
from dlcli.config.scheduler import ConstantOptions, SchedulerOptions
from dlcli.config.train import TrainOptions


def _file_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise ValueError(
            "a `name` has letters, digits, `.`, `_` and `-`, beginning with one of the first two"
        )
    return name


TaskName = Literal["classification", "regression", "forecasting", "language_modeling"]
AnyMetric = Annotated[MetricOptions, OneOf(MetricOptions)]


class Config(Options):
    """A training run: data and a model, and how to train; everything else has a default."""

    name: Annotated[str, AfterValidator(_file_name)] | None = Field(
        None, description="Name of the run; the config file's name unless given."
    )
    seed: Seed = Field(
        0, description="Draws initial weights, row order and dropout; `data.split.seed` the parts."
    )
    task: TaskName | None = Field(
        None, description="What is learned; told from the target unless given."
    )
    data: Annotated[DataOptions, OneOf(DataOptions)] = Field(
        description="Where the records come from, and how they are prepared."
    )
    model: Annotated[ModelOptions, OneOf(ModelOptions)] = Field(description="The architecture.")
    loss: Annotated[LossOptions, OneOf(LossOptions)] | None = Field(
        None, description="What training lowers; the task's own unless given."
    )
    optimizer: Annotated[OptimizerOptions, OneOf(OptimizerOptions)] = Field(
        AdamWOptions(), description="How a gradient becomes a step."
    )
    scheduler: Annotated[SchedulerOptions, OneOf(SchedulerOptions)] = Field(
        ConstantOptions(), description="How the learning rate changes during training."
    )
    train: TrainOptions = Field(
        TrainOptions(), description="How long to train, on what, and when to stop and save."
    )
    metrics: Annotated[list[AnyMetric] | None, Field(min_length=1)] = Field(
        None, description="What is measured beside the loss; the task's own unless given."
    )
