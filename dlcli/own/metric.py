"""A metric of the user's: a fold over batches; knows no task."""

from __future__ import annotations

from numbers import Real
from typing import Any, Self

from torch import Tensor

from dlcli.config.own import OwnMetricOptions, keywords


class OwnMetric:
    """See `dlcli.metrics.metric.Metric`.

    Args:
        options: What the user's class is given by name.
        size: Number of classes or of numbers per row; given where `size` is a parameter.
        own: The class.

    Raises:
        OwnCodeError: It lacks `update` or `value`.
    """

    def __init__(self, options: OwnMetricOptions, *, size: int, own: Any) -> None:
        assert options.code is not None
        self.code = options.code
        given = keywords(options)
        if "size" in self.code.given:
            given["size"] = size
        self.own = own(**given)
        self.higher_is_better = options.higher_is_better
        for method in ("update", "value"):
            if not callable(getattr(self.own, method, None)):
                raise self.code.error(f"has no method `{method}`")

    def update(self, answers: Tensor, targets: Tensor) -> None:
        """Take in a batch."""
        self.own.update(answers, targets)

    def merge(self, other: Self) -> None:
        """Take in what another one has seen, as ranks do.

        Raises:
            OwnCodeError: The user's class cannot.
        """
        if not callable(getattr(self.own, "merge", None)):
            raise self.code.error(
                "has no method `merge(other)`", suggestion="several processes need it"
            )
        self.own.merge(other.own)

    def value(self) -> float | None:
        """Return the value over all rows so far; None where it is not defined.

        Raises:
            OwnCodeError: It is no number.
        """
        value = self.own.value()
        if isinstance(value, Tensor) and value.numel() == 1:
            value = value.item()
        if value is None:
            return None
        if not isinstance(value, Real):
            raise self.code.error(f"gives {type(value).__name__} by `value`, expected a number")
        return float(value)
