"""The `model` section: one options class per architecture."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from dlcli.config.options import Fraction, Options, Width

Activation = Literal[
    "relu",
    "leaky_relu",
    "elu",
    "selu",
    "celu",
    "gelu",
    "silu",
    "mish",
    "tanh",
    "sigmoid",
    "softplus",
    "softsign",
    "hardswish",
    "hardtanh",
    "relu6",
    "prelu",
    "identity",
]


class ModelOptions(Options):
    """What every architecture is chosen by: its `name`."""

    if TYPE_CHECKING:  # every component declares its own
        name: str = ""


class LinearOptions(ModelOptions):
    """A single layer: linear or logistic regression, and with the loss `hinge` a perceptron."""

    builds = "dlcli.models.linear:Linear"

    name: Literal["linear"] = "linear"


class MLPOptions(ModelOptions):
    """Fully connected layers; each is linear, normalization, activation, dropout, in this order."""

    builds = "dlcli.models.mlp:MLP"

    name: Literal["mlp"] = "mlp"
    hidden_sizes: Annotated[list[Width], Field(min_length=1)] = Field(
        [128, 64], description="Width of each hidden layer, from the input to the output."
    )
    activation: Activation = Field("relu", description="What follows each hidden layer.")
    normalization: Literal["none", "batch", "layer"] = Field(
        "none",
        description="Normalise each hidden layer over the batch, over its own units, or not.",
    )
    dropout: Fraction = Field(
        0.0, description="Share of hidden units that each training step leaves out."
    )
    residual: bool = Field(
        False,
        description="Add a hidden layer's input to its output wherever both are equally wide.",
    )

    @model_validator(mode="after")
    def _residual_has_an_effect(self) -> Self:
        if self.residual and all(before != after for before, after in pairwise(self.hidden_sizes)):
            raise ValueError(
                "`residual: true` does nothing here: no two neighbours in `hidden_sizes` are equal"
            )
        return self
