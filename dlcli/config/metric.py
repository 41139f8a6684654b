"""The `metrics` section: one options class per metric."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlcli.config.options import Count, Options


class MetricOptions(Options):
    """What every metric is chosen by, and what can be told of it without building it.

    Attributes:
        tasks: Tasks whose answers it measures.
        higher_is_better: Whether a larger value is a better one.
        needs_probabilities: Whether scores that are no probabilities are of no use to it.
        needs_scale: Whether it is built with the `scale` of the task's numbers, in units.
    """

    tasks: ClassVar[frozenset[str]] = frozenset()
    higher_is_better: ClassVar[bool] = True
    needs_probabilities: ClassVar[bool] = False
    needs_scale: ClassVar[bool] = False

    if TYPE_CHECKING:  # every component declares its own
        name: str = ""

    @property
    def label(self) -> str:
        """What reports and `train.monitor` call it."""
        return self.name


class ClassificationMetricOptions(MetricOptions):
    """Measures answers that are classes; larger is better."""

    tasks = frozenset({"classification"})


class RegressionMetricOptions(MetricOptions):
    """Measures answers that are numbers, in the target's own units; smaller is better."""

    builds = "dlcli.metrics.regression:mean_error"
    tasks = frozenset({"regression", "forecasting"})
    higher_is_better = False


class AccuracyOptions(ClassificationMetricOptions):
    """Share of rows whose class is told right."""

    builds = "dlcli.metrics.classification:accuracy"

    name: Literal["accuracy"] = "accuracy"


class TopKOptions(ClassificationMetricOptions):
    """Share of rows whose class is among the k most likely ones."""

    builds = "dlcli.metrics.classification:top_k"

    name: Literal["top_k"] = "top_k"
    k: Count = Field(5, description="How many classes may be named; less than there are.")

    @property
    def label(self) -> str:
        """The name with k in its place, so that several can be measured."""
        return f"top_{self.k}"


class ClassScoreOptions(ClassificationMetricOptions):
    """A score of each class, as a mean over those that occur or are told."""

    builds = "dlcli.metrics.classification:class_score"


class PrecisionMacroOptions(ClassScoreOptions):
    """Of the rows told to be a class, the share that is; mean over classes."""

    name: Literal["precision_macro"] = "precision_macro"


class PrecisionWeightedOptions(ClassScoreOptions):
    """Of the rows told to be a class, the share that is; classes count by their rows."""

    name: Literal["precision_weighted"] = "precision_weighted"


class RecallMacroOptions(ClassScoreOptions):
    """Of the rows of a class, the share told to be it; mean over classes."""

    name: Literal["recall_macro"] = "recall_macro"


class RecallWeightedOptions(ClassScoreOptions):
    """Of the rows of a class, the share told to be it; classes count by their rows."""

    name: Literal["recall_weighted"] = "recall_weighted"


class F1MacroOptions(ClassScoreOptions):
    """Harmonic mean of a class's precision and recall; mean over classes."""

    name: Literal["f1_macro"] = "f1_macro"


class F1WeightedOptions(ClassScoreOptions):
    """Harmonic mean of a class's precision and recall; classes count by their rows."""

    name: Literal["f1_weighted"] = "f1_weighted"


class ROCAUCOptions(ClassificationMetricOptions):
    """Chance that a row of a class scores higher for it than another row; mean over classes."""

    builds = "dlcli.metrics.ranking:ROCAUC"

    name: Literal["roc_auc"] = "roc_auc"


class LogLossOptions(ClassificationMetricOptions):
    """Minus the log-probability of the right class; smaller is better."""

    builds = "dlcli.metrics.classification:log_loss"
    higher_is_better = False
    needs_probabilities = True

    name: Literal["log_loss"] = "log_loss"


class MSEMetricOptions(RegressionMetricOptions):
    """Mean squared error."""

    name: Literal["mse"] = "mse"


class RMSEOptions(RegressionMetricOptions):
    """Root of the mean squared error; of several targets, the mean of their roots."""

    name: Literal["rmse"] = "rmse"


class MAEMetricOptions(RegressionMetricOptions):
    """Mean absolute error."""

    name: Literal["mae"] = "mae"


class ScaledMSEOptions(RegressionMetricOptions):
    """Mean squared error of numbers scaled by the training part, as forecasts are published."""

    builds = "dlcli.metrics.regression:scaled_error"
    needs_scale = True

    name: Literal["scaled_mse"] = "scaled_mse"


class ScaledMAEOptions(RegressionMetricOptions):
    """Mean absolute error of numbers scaled by the training part."""

    builds = "dlcli.metrics.regression:scaled_error"
    needs_scale = True

    name: Literal["scaled_mae"] = "scaled_mae"


class MAPEOptions(RegressionMetricOptions):
    """Mean absolute error as a share of the target: 0.1 is ten per cent."""

    name: Literal["mape"] = "mape"


class R2Options(RegressionMetricOptions):
    """Share of the target's variance that is explained: 1 is perfect, 0 no better than the mean."""

    builds = "dlcli.metrics.regression:R2"
    higher_is_better = True

    name: Literal["r2"] = "r2"


class TokenMetricOptions(MetricOptions):
    """Measures how each token of running text is told from those before it."""

    tasks = frozenset({"language_modeling"})


class PerplexityOptions(TokenMetricOptions):
    """Exponential of the mean of -ln p(right token): as many equally likely tokens to choose from.

    Its logarithm is the loss `cross_entropy`, in nats per token.
    """

    builds = "dlcli.metrics.language:perplexity"
    higher_is_better = False

    name: Literal["perplexity"] = "perplexity"


class BitsPerTokenOptions(TokenMetricOptions):
    """Mean of -log2 p(right token): bits per character, where tokens are characters."""

    builds = "dlcli.metrics.language:bits_per_token"
    higher_is_better = False

    name: Literal["bits_per_token"] = "bits_per_token"


class TokenAccuracyOptions(TokenMetricOptions):
    """Share of tokens that are the likeliest one."""

    builds = "dlcli.metrics.language:token_accuracy"

    name: Literal["token_accuracy"] = "token_accuracy"
