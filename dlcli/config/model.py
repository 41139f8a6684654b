"""The `model` section: one options class per architecture."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from dlcli.config.data.base import Form
from dlcli.config.options import DataPath, Fraction, Options, Width

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


Depth = Annotated[int, Field(ge=1, le=1000)]
"""A number of layers."""

_SEQUENCE: tuple[Form, ...] = ("sequence", "stream")


class ModelOptions(Options):
    """What every architecture is chosen by, and what can be told of it without building it.

    Attributes:
        takes: Forms of data that it accepts, the best first.
        replaces_head: Whether it gives the outputs itself, rather than features for a head.
    """

    takes: ClassVar[tuple[Form, ...]] = ("vector",)
    replaces_head: ClassVar[bool] = False

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


class CNNOptions(ModelOptions):
    """Stages of convolutions: over pictures and spectrograms in both directions, over steps in one.

    A convolution is followed by its normalization and activation, a stage by max pooling.
    """

    builds = "dlcli.models.cnn:CNN"
    takes = ("image", "sequence")

    name: Literal["cnn"] = "cnn"
    channels: Annotated[list[Width], Field(min_length=1, max_length=1000)] = Field(
        [32, 64], description="Channels of each stage, from the input to the output."
    )
    depth: Depth = Field(1, description="Convolutions of each stage.")
    kernel_size: Annotated[int, Field(ge=1, le=1024)] = Field(
        3, description="Pixels or steps that a convolution sees, in each direction."
    )
    stride: Annotated[int, Field(ge=1, le=1024)] = Field(
        1, description="Pixels or steps from one place of a stage's first convolution to the next."
    )
    padding: Annotated[int, Field(ge=0, le=1024)] | None = Field(
        None, description="Zeros on each side; null gives half the kernel, which keeps the size."
    )
    pool: Annotated[int, Field(ge=1, le=1024)] = Field(
        2,
        description="Size of the max pooling after each stage, as long as there is that much; 1 "
        "leaves it out.",
    )
    normalization: Literal["none", "batch"] = Field(
        "batch", description="Normalise each channel over the batch, or not."
    )
    activation: Activation = Field("relu", description="What follows each convolution.")
    residual: bool = Field(
        False,
        description="Add a stage's input to the output of its convolutions, before the last "
        "activation.",
    )
    dropout: Fraction = Field(
        0.0, description="Share of features that each training step leaves out before the head."
    )
    pooling: Literal["mean", "max", "flatten"] = Field(
        "mean",
        description="What the head sees of each channel: its mean, its largest value, or all of "
        "its values.",
    )

    @model_validator(mode="after")
    def _residual_keeps_the_size(self) -> Self:
        if self.residual and (self.padding is not None or self.kernel_size % 2 == 0):
            raise ValueError(
                "`residual: true` adds values place by place, so `kernel_size` has to be odd and "
                "`padding` null"
            )
        return self


class TransformerOptions(ModelOptions):
    """A Transformer encoder: every step looks at all steps, or in running text at those before."""

    builds = "dlcli.models.transformer:Transformer"
    takes = _SEQUENCE

    name: Literal["transformer"] = "transformer"
    d_model: Width = Field(128, description="Features of each step; `nhead` divides them.")
    nhead: Annotated[int, Field(ge=1, le=1024)] = Field(
        4, description="Parts of the features that look each for itself."
    )
    num_layers: Depth = Field(2, description="Blocks of attention and two fully connected layers.")
    dim_feedforward: Width | None = Field(
        None, description="Width between the two; null is four times `d_model`."
    )
    dropout: Fraction = Field(
        0.1,
        description="Share of features that each training step leaves out: of the first block's "
        "input, of what each part of a block adds, within the feedforward part, and before the "
        "head.",
    )
    activation: Activation = Field("gelu", description="What stands in the feedforward part.")
    norm_first: bool = Field(
        True, description="Normalise what goes into each part of a block, not what comes out."
    )
    positions: Literal["learned", "sinusoidal"] = Field(
        "sinusoidal", description="What tells the steps apart: a learned vector each, or waves."
    )
    pooling: Literal["mean", "max", "attention", "last"] = Field(
        "mean",
        description="What tells of the whole sequence: the mean, the largest or a learned "
        "weighting of all steps, or the last step.",
    )

    @model_validator(mode="after")
    def _heads_divide_the_features(self) -> Self:
        if self.d_model % self.nhead:
            raise ValueError(
                f"`d_model: {self.d_model}` cannot be cut into `nhead: {self.nhead}` equal parts"
            )
        return self


class MatrixFactorizationOptions(ModelOptions):
    """A mean, what each of two ids adds to it, and how well their learned vectors agree.

    An id that training did not show adds nothing.
    """

    builds = "dlcli.models.factorization:MatrixFactorization"
    takes = ("ids",)

    name: Literal["matrix_factorization"] = "matrix_factorization"
    embedding_size: Width = Field(32, description="Width of each id's learned vector.")
    dropout: Fraction = Field(
        0.0, description="Share of the vectors' features that each training step leaves out."
    )


class TorchvisionModelOptions(ModelOptions):
    """Any classification model of torchvision, its first convolution as wide as the pictures."""

    builds = "dlcli.models.torchvision:TorchvisionModel"
    takes = ("image",)

    name: Literal["torchvision"] = "torchvision"
    architecture: str = Field("resnet18", description="Its name in torchvision.models.")
    weights: DataPath | None = Field(
        None,
        description="File of weights to begin with (.safetensors, or .pth with nothing but "
        "tensors); null draws them.",
    )


class RecurrentOptions(ModelOptions):
    """What every recurrent architecture has."""

    builds = "dlcli.models.recurrent:Recurrent"
    takes = _SEQUENCE

    hidden_size: Width = Field(128, description="Features of the state, in each direction.")
    num_layers: Depth = Field(1, description="Layers, each of which reads the one before it.")
    bidirectional: bool = Field(
        False, description="Read each sequence backwards too, beside its reading forwards."
    )
    dropout: Fraction = Field(
        0.0,
        description="Share of features that each training step leaves out, between layers and "
        "before the head.",
    )
    pooling: Literal["last", "mean", "max", "attention"] = Field(
        "last",
        description="What tells of the whole sequence: its last state (of each direction), or the "
        "mean, the largest or a learned weighting of all its states.",
    )


class RNNOptions(RecurrentOptions):
    """Elman's recurrent network: the plainest one."""

    name: Literal["rnn"] = "rnn"
    nonlinearity: Literal["tanh", "relu"] = Field("tanh", description="What each step ends in.")


class LSTMOptions(RecurrentOptions):
    """Long short-term memory: gates keep, add to and show a memory beside the state."""

    name: Literal["lstm"] = "lstm"


class GRUOptions(RecurrentOptions):
    """Gated recurrent units: two gates and no memory beside the state."""

    name: Literal["gru"] = "gru"
