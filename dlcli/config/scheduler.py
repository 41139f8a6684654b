"""The `scheduler` section: how the learning rate changes, as a factor of the optimizer's `lr`.

Options are those of torch.optim.lr_scheduler where it has them. Its epochs are epochs here too,
and what it counts in calls of `step` over a whole training is known here: `T_max`, `total_iters`
and `total_steps` are the steps of the training, `max_lr` is the optimizer's `lr`.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from dlcli.config.options import Count, Index, NonNegativeFloat, Options, PositiveFloat


def _share_or_count(value: float) -> float:
    if value >= 1:
        if value != int(value):
            raise ValueError("give a share below 1, or a whole number")
        return int(value)
    return value


def _increasing(values: list[int]) -> list[int]:
    for before, after in pairwise(values):
        if after <= before:
            raise ValueError(f"each epoch must be later than the one before: {before}, {after}")
    return values


ShareOrCount = Annotated[float, Field(ge=0), AfterValidator(_share_or_count)]
"""A number below 1 is a share of the whole; a whole number counts."""
Decline = Annotated[float, Field(gt=0, le=1)]
Reduction = Annotated[float, Field(gt=0, lt=1)]
Divisor = Annotated[float, Field(ge=1)]
Milestones = Annotated[list[Count], Field(min_length=1), AfterValidator(_increasing)]
"""Numbers of epochs, each larger than the one before."""
WARMUP = "Steps in which the learning rate first rises; below 1, a share of all steps."
END_FACTOR = "Share of `lr` that it falls to."
GAMMA = "What it is multiplied by."


class SchedulerOptions(Options):
    """What every scheduler is chosen by, and the rise that each can begin with."""

    if TYPE_CHECKING:  # every component declares its own
        name: str = ""
        warmup: ShareOrCount


class ConstantOptions(SchedulerOptions):
    """The same learning rate throughout."""

    builds = "dlcli.schedulers.curves:constant"

    name: Literal["constant"] = "constant"
    warmup: ShareOrCount = Field(0, description=WARMUP)


class StepOptions(SchedulerOptions):
    """The learning rate falls in steps that are equally far apart."""

    builds = "dlcli.schedulers.curves:step"

    name: Literal["step"] = "step"
    warmup: ShareOrCount = Field(0, description=WARMUP)
    step_size: Count = Field(description="Epochs between two falls.")
    gamma: Decline = Field(0.1, description=GAMMA)


class MultiStepOptions(SchedulerOptions):
    """The learning rate falls after the epochs that are given."""

    builds = "dlcli.schedulers.curves:multistep"

    name: Literal["multistep"] = "multistep"
    warmup: ShareOrCount = Field(0, description=WARMUP)
    milestones: Milestones = Field(
        description="Numbers of epochs after which it falls, each larger than the one before."
    )
    gamma: Decline = Field(0.1, description=GAMMA)


class ExponentialOptions(SchedulerOptions):
    """The learning rate falls by the same share after every epoch."""

    builds = "dlcli.schedulers.curves:exponential"

    name: Literal["exponential"] = "exponential"
    warmup: ShareOrCount = Field(0, description=WARMUP)
    gamma: Decline = Field(description="What it is multiplied by after every epoch.")


class LinearDecayOptions(SchedulerOptions):
    """The learning rate falls along a straight line."""

    builds = "dlcli.schedulers.curves:linear"

    name: Literal["linear"] = "linear"
    warmup: ShareOrCount = Field(0, description=WARMUP)
    end_factor: NonNegativeFloat = Field(0.0, description=END_FACTOR)


class PolynomialOptions(SchedulerOptions):
    """The learning rate falls along a power of the share of steps that is left."""

    builds = "dlcli.schedulers.curves:polynomial"

    name: Literal["polynomial"] = "polynomial"
    warmup: ShareOrCount = Field(0, description=WARMUP)
    power: PositiveFloat = Field(
        1.0, description="1 is a straight line; above 1 it falls fast at first, then slowly."
    )
    end_factor: NonNegativeFloat = Field(0.0, description=END_FACTOR)


class CosineOptions(SchedulerOptions):
    """The learning rate falls slowly, then fast, then slowly; with `T_0` it starts anew."""

    builds = "dlcli.schedulers.curves:cosine"

    name: Literal["cosine"] = "cosine"
    warmup: ShareOrCount = Field(0, description=WARMUP)
    end_factor: NonNegativeFloat = Field(0.0, description=END_FACTOR)
    T_0: Count | None = Field(
        None, description="Epochs after the warm-up until it first starts anew; null never does."
    )
    T_mult: Count = Field(
        1, description="How many times longer each fall is than the one before, with `T_0`."
    )

    @model_validator(mode="after")
    def _falls_that_grow_have_a_first(self) -> Self:
        if self.T_mult > 1 and self.T_0 is None:
            raise ValueError("`T_mult` needs `T_0`: the epochs of the first fall")
        return self


class OneCycleOptions(SchedulerOptions):
    """The learning rate rises to `lr` and falls far below where it began; momentum stays."""

    builds = "dlcli.schedulers.curves:one_cycle"

    name: Literal["one_cycle"] = "one_cycle"
    warmup: ShareOrCount = Field(0, description=WARMUP)
    pct_start: Annotated[float, Field(ge=0, le=1)] = Field(
        0.3, description="Share of all steps in which it rises."
    )
    anneal_strategy: Literal["cos", "linear"] = Field(
        "cos", description="Along which curve it rises and falls."
    )
    div_factor: Divisor = Field(25.0, description="It begins at `lr` divided by this.")
    final_div_factor: Divisor = Field(1e4, description="It ends at its beginning divided by this.")
    three_phase: bool = Field(
        False,
        description="Fall to the beginning in as many steps as the rise took, then to the end.",
    )

    @model_validator(mode="after")
    def _there_is_time_for_every_phase(self) -> Self:
        if self.three_phase and self.pct_start > 0.5:
            raise ValueError("`pct_start` is at most 0.5 with `three_phase: true`")
        return self


class ReduceOnPlateauOptions(SchedulerOptions):
    """The learning rate falls when `train.monitor`, without a val part train_loss, stands still."""

    builds = "dlcli.schedulers.plateau:reduce_on_plateau"

    name: Literal["reduce_on_plateau"] = "reduce_on_plateau"
    warmup: ShareOrCount = Field(0, description=WARMUP)
    factor: Reduction = Field(0.1, description="What it is multiplied by.")
    patience: Index = Field(10, description="Epochs without improvement that are waited for.")
    threshold: NonNegativeFloat = Field(
        1e-4, description="By how much the best value must be exceeded to count as improvement."
    )
    threshold_mode: Literal["rel", "abs"] = Field(
        "rel", description="Whether `threshold` is a share of the best value or a difference."
    )
    cooldown: Index = Field(0, description="Epochs after a fall that are not counted.")
    min_lr: NonNegativeFloat = Field(0.0, description="Learning rate below which it never falls.")
    eps: NonNegativeFloat = Field(1e-8, description="A fall by no more than this is left out.")

    @model_validator(mode="after")
    def _improvement_is_possible(self) -> Self:
        if self.threshold_mode == "rel" and self.threshold >= 1:
            raise ValueError("`threshold` is a share below 1 unless `threshold_mode: abs`")
        return self
