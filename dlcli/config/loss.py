"""The `loss` section: one options class per loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from dlcli.config.options import Fraction, NonNegativeFloat, Options, PositiveFloat

ClassWeights = Literal["balanced"] | Annotated[dict[str, PositiveFloat], Field(min_length=1)]
"""`balanced`, or a weight for some or all classes by name."""


class LossOptions(Options):
    """What every loss is chosen by, and what can be told of it without building it.

    Attributes:
        tasks: Tasks whose targets it understands.
        has_probabilities: Whether a classifier trained on it answers with probabilities.
        scales_targets: Whether it wants targets scaled, rather than in their own units.
        min_target: The least target it understands.
    """

    tasks: ClassVar[frozenset[str]] = frozenset()
    has_probabilities: ClassVar[bool] = True
    scales_targets: ClassVar[bool] = True
    min_target: ClassVar[float] = float("-inf")

    if TYPE_CHECKING:  # every component declares its own
        name: str = ""


class ClassificationLossOptions(LossOptions):
    """A loss whose targets are classes."""

    tasks = frozenset({"classification"})


class RegressionLossOptions(LossOptions):
    """A loss whose targets are numbers."""

    builds = "dlcli.losses:regression"
    tasks = frozenset({"regression", "forecasting"})


class CrossEntropyOptions(ClassificationLossOptions):
    """Minus the log-probability of the right class, or of the right token of running text."""

    builds = "dlcli.losses:cross_entropy"
    tasks = frozenset({"classification", "language_modeling"})

    name: Literal["cross_entropy"] = "cross_entropy"
    class_weights: ClassWeights | None = Field(
        None,
        description="How much rows of a class count: `balanced` (inversely to how often the class "
        "occurs), a weight per class name (1 where none is given), or null for all alike.",
    )
    label_smoothing: Fraction = Field(
        0.0, description="Share of each target that is spread evenly over all classes."
    )


class BCEOptions(ClassificationLossOptions):
    """Binary cross-entropy: two classes, told apart by one logit."""

    builds = "dlcli.losses:bce"

    name: Literal["bce"] = "bce"
    pos_weight: PositiveFloat | None = Field(
        None, description="How much rows of the second class count; null means as much as others."
    )


class FocalOptions(ClassificationLossOptions):
    """Cross-entropy that counts rows less the better they are already told."""

    builds = "dlcli.losses:focal"

    name: Literal["focal"] = "focal"
    gamma: NonNegativeFloat = Field(
        2.0, description="How much less; 0 is cross-entropy (arXiv 1708.02002)."
    )
    alpha: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        None,
        description="Of two classes, weight of the second; the first weighs 1 - alpha. Null: 1.",
    )


class HingeOptions(ClassificationLossOptions):
    """How far the right class is from leading by the margin; two classes share one output."""

    builds = "dlcli.losses:hinge"
    has_probabilities = False

    name: Literal["hinge"] = "hinge"
    margin: NonNegativeFloat = Field(
        1.0, description="The lead that is asked for; 0 is the perceptron's criterion."
    )


class MSEOptions(RegressionLossOptions):
    """Mean squared error."""

    name: Literal["mse"] = "mse"


class MAEOptions(RegressionLossOptions):
    """Mean absolute error: less moved by outliers; its best constant answer is the median."""

    name: Literal["mae"] = "mae"


class HuberOptions(RegressionLossOptions):
    """Squared for small errors, linear for large ones."""

    name: Literal["huber"] = "huber"
    delta: PositiveFloat = Field(
        1.0, description="Error, in scaled units, from which on it is linear."
    )


class SmoothL1Options(RegressionLossOptions):
    """Huber loss divided by beta."""

    name: Literal["smooth_l1"] = "smooth_l1"
    beta: NonNegativeFloat = Field(
        1.0, description="Error, in scaled units, from which on it is linear; 0 is `mae`."
    )


class PoissonOptions(RegressionLossOptions):
    """For counts: the model answers with the logarithm of the expected count."""

    scales_targets = False
    min_target = 0.0

    name: Literal["poisson"] = "poisson"
