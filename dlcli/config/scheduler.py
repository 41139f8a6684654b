"""The `scheduler` section: how the learning rate changes, as a factor of the optimizer's `lr`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field

from dlcli.config.options import NonNegativeFloat, Options


def _share_or_count(value: float) -> float:
    if value >= 1:
        if value != int(value):
            raise ValueError("give a share below 1, or a whole number")
        return int(value)
    return value


ShareOrCount = Annotated[float, Field(ge=0), AfterValidator(_share_or_count)]
"""A number below 1 is a share of the whole; a whole number counts."""
WARMUP = "Steps in which the learning rate rises to `lr`; below 1, a share of all steps."


class SchedulerOptions(Options):
    """What every scheduler is chosen by, and the rise that each can begin with."""

    if TYPE_CHECKING:  # every component declares its own
        name: str = ""
        warmup: ShareOrCount


class ConstantOptions(SchedulerOptions):
    """The same learning rate throughout."""

    builds = "dlcli.schedulers:constant"

    name: Literal["constant"] = "constant"
    warmup: ShareOrCount = Field(0, description=WARMUP)


class LinearDecayOptions(SchedulerOptions):
    """The learning rate falls along a straight line."""

    builds = "dlcli.schedulers:linear"

    name: Literal["linear"] = "linear"
    warmup: ShareOrCount = Field(0, description=WARMUP)
    end_factor: NonNegativeFloat = Field(0.0, description="Share of `lr` that it falls to.")


class CosineOptions(SchedulerOptions):
    """The learning rate falls slowly, then fast, then slowly."""

    builds = "dlcli.schedulers:cosine"

    name: Literal["cosine"] = "cosine"
    warmup: ShareOrCount = Field(0, description=WARMUP)
    end_factor: NonNegativeFloat = Field(0.0, description="Share of `lr` that it falls to.")
