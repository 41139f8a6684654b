"""The `optimizer` section: one options class per optimizer, spelled as in torch.optim.

Defaults are torch's, with three exceptions that train better: `lr` of sgd is 0.01 and of rmsprop
0.001 (torch: 0.001 and 0.01), and muon's `adjust_lr_fn` is `match_rms_adamw` (torch: `original`),
because one learning rate then suits both its matrices and the parameters that it leaves to adamw.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, Strict, model_validator

from dlcli.config.options import (
    Betas,
    Fraction,
    NonNegativeFloat,
    Options,
    PositiveFloat,
)

BETAS = "Decay rates of the averages of the gradient and of its square."
DECAY_BIAS = (
    "Whether `weight_decay` is also for biases and normalisation weights: parameters of one "
    "dimension."
)
DECOUPLED = "Shrink weights directly, as adamw does, not through the gradient."
EPS = "Added to the divisor, for numerical stability."
FUSED = "Update all parameters in one kernel; null does so where torch can."
LR = "Learning rate."
MOMENTUM = "Share of the previous step that is kept."
WEIGHT_DECAY = "How strongly weights are pulled towards zero."


class OptimizerOptions(Options):
    """What every optimizer is chosen by, and its learning rate."""

    builds: ClassVar[str] = "dlcli.optimizers:Optimizer"
    is_elementwise: ClassVar[bool] = True
    """Whether each value is moved by its own gradients alone, as `train.sharded` needs."""

    if TYPE_CHECKING:  # every component declares its own
        name: str = ""
        lr: PositiveFloat
        weight_decay: NonNegativeFloat
        decay_bias: bool


class SGDOptions(OptimizerOptions):
    """Stochastic gradient descent, with or without momentum."""

    name: Literal["sgd"] = "sgd"
    lr: PositiveFloat = Field(0.01, description=LR)
    momentum: NonNegativeFloat = Field(0.0, description=MOMENTUM)
    dampening: NonNegativeFloat = Field(
        0.0, description="Share of the gradient that the momentum leaves out."
    )
    weight_decay: NonNegativeFloat = Field(0.0, description=WEIGHT_DECAY)
    decay_bias: bool = Field(True, description=DECAY_BIAS)
    nesterov: bool = Field(False, description="Look ahead along the momentum.")
    fused: bool | None = Field(None, description=FUSED)

    @model_validator(mode="after")
    def _nesterov_has_momentum(self) -> Self:
        if self.nesterov and (self.momentum == 0 or self.dampening != 0):
            raise ValueError("`nesterov: true` needs `momentum` above 0 and `dampening: 0`")
        return self


class AdamOptions(OptimizerOptions):
    """Steps scaled by running averages of the gradient and its square."""

    name: Literal["adam"] = "adam"
    lr: PositiveFloat = Field(1e-3, description=LR)
    betas: Betas = Field((0.9, 0.999), description=BETAS)
    eps: NonNegativeFloat = Field(1e-8, description=EPS)
    weight_decay: NonNegativeFloat = Field(0.0, description=WEIGHT_DECAY)
    decay_bias: bool = Field(True, description=DECAY_BIAS)
    amsgrad: bool = Field(False, description="Divide by the largest average so far.")
    fused: bool | None = Field(None, description=FUSED)


class AdamWOptions(OptimizerOptions):
    """Adam whose weight decay shrinks the weights directly."""

    name: Literal["adamw"] = "adamw"
    lr: PositiveFloat = Field(1e-3, description=LR)
    betas: Betas = Field((0.9, 0.999), description=BETAS)
    eps: NonNegativeFloat = Field(1e-8, description=EPS)
    weight_decay: NonNegativeFloat = Field(0.01, description=WEIGHT_DECAY)
    decay_bias: bool = Field(True, description=DECAY_BIAS)
    amsgrad: bool = Field(False, description="Divide by the largest average so far.")
    fused: bool | None = Field(None, description=FUSED)


class RMSpropOptions(OptimizerOptions):
    """Steps scaled by a running average of the squared gradient."""

    name: Literal["rmsprop"] = "rmsprop"
    lr: PositiveFloat = Field(1e-3, description=LR)
    alpha: Fraction = Field(0.99, description="Decay rate of the average.")
    eps: NonNegativeFloat = Field(1e-8, description=EPS)
    weight_decay: NonNegativeFloat = Field(0.0, description=WEIGHT_DECAY)
    decay_bias: bool = Field(True, description=DECAY_BIAS)
    momentum: NonNegativeFloat = Field(0.0, description=MOMENTUM)
    centered: bool = Field(False, description="Divide by the gradient's estimated deviation.")


class AdagradOptions(OptimizerOptions):
    """Steps scaled by the sum of all squared gradients: for sparse features."""

    name: Literal["adagrad"] = "adagrad"
    lr: PositiveFloat = Field(0.01, description=LR)
    lr_decay: NonNegativeFloat = Field(0.0, description="How fast the learning rate falls.")
    weight_decay: NonNegativeFloat = Field(0.0, description=WEIGHT_DECAY)
    decay_bias: bool = Field(True, description=DECAY_BIAS)
    initial_accumulator_value: NonNegativeFloat = Field(
        0.0, description="Value from which the sum starts."
    )
    eps: NonNegativeFloat = Field(1e-10, description=EPS)
    fused: bool | None = Field(None, description=FUSED)


class AdadeltaOptions(OptimizerOptions):
    """Steps scaled by running averages of squared gradients and of squared steps."""

    name: Literal["adadelta"] = "adadelta"
    lr: PositiveFloat = Field(1.0, description=LR)
    rho: Fraction = Field(0.9, description="Decay rate of both averages.")
    eps: NonNegativeFloat = Field(1e-6, description=EPS)
    weight_decay: NonNegativeFloat = Field(0.0, description=WEIGHT_DECAY)
    decay_bias: bool = Field(True, description=DECAY_BIAS)


class AdamaxOptions(OptimizerOptions):
    """Adam with the largest recent gradient in place of the squared average."""

    name: Literal["adamax"] = "adamax"
    lr: PositiveFloat = Field(2e-3, description=LR)
    betas: Betas = Field((0.9, 0.999), description=BETAS)
    eps: NonNegativeFloat = Field(1e-8, description=EPS)
    weight_decay: NonNegativeFloat = Field(0.0, description=WEIGHT_DECAY)
    decay_bias: bool = Field(True, description=DECAY_BIAS)


class NAdamOptions(OptimizerOptions):
    """Adam with Nesterov momentum."""

    name: Literal["nadam"] = "nadam"
    lr: PositiveFloat = Field(2e-3, description=LR)
    betas: Betas = Field((0.9, 0.999), description=BETAS)
    eps: NonNegativeFloat = Field(1e-8, description=EPS)
    weight_decay: NonNegativeFloat = Field(0.0, description=WEIGHT_DECAY)
    decay_bias: bool = Field(True, description=DECAY_BIAS)
    momentum_decay: NonNegativeFloat = Field(4e-3, description="How fast the momentum settles.")
    decoupled_weight_decay: bool = Field(False, description=DECOUPLED)


class RAdamOptions(OptimizerOptions):
    """Adam whose first steps are held back until its averages can be trusted."""

    name: Literal["radam"] = "radam"
    lr: PositiveFloat = Field(1e-3, description=LR)
    betas: Betas = Field((0.9, 0.999), description=BETAS)
    eps: NonNegativeFloat = Field(1e-8, description=EPS)
    weight_decay: NonNegativeFloat = Field(0.0, description=WEIGHT_DECAY)
    decay_bias: bool = Field(True, description=DECAY_BIAS)
    decoupled_weight_decay: bool = Field(False, description=DECOUPLED)


class MuonOptions(OptimizerOptions):
    """Steps made orthogonal, for weight matrices; biases and embeddings are left to adamw."""

    is_elementwise = False

    name: Literal["muon"] = "muon"
    lr: PositiveFloat = Field(1e-3, description=LR)
    weight_decay: NonNegativeFloat = Field(0.1, description=WEIGHT_DECAY)
    decay_bias: bool = Field(True, description=DECAY_BIAS)
    momentum: NonNegativeFloat = Field(0.95, description=MOMENTUM)
    nesterov: bool = Field(True, description="Look ahead along the momentum.")
    ns_coefficients: Annotated[tuple[float, float, float], Strict(False)] = Field(
        (3.4445, -4.775, 2.0315), description="Coefficients of the Newton-Schulz iteration."
    )
    eps: PositiveFloat = Field(1e-7, description=EPS)
    ns_steps: Annotated[int, Field(ge=1, le=99)] = Field(
        5, description="Steps of the Newton-Schulz iteration."
    )
    adjust_lr_fn: Literal["original", "match_rms_adamw", "spectral_unclamped"] = Field(
        "match_rms_adamw", description="How the learning rate follows a matrix's shape."
    )
