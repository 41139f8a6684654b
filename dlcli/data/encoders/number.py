"""Numbers: missing ones filled, the rest shifted and scaled."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from dlcli.config.data import MissingOptions, Scaling
from dlcli.data.encoders.encoder import CellError
from dlcli.data.encoders.moments import Moments
from dlcli.data.encoders.parse import is_finite, numbers
from dlcli.data.spec import Field

_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class NumberEncoder:
    """A column of numbers as (x - shift) / scale; see `Encoder`.

    Attributes:
        name: The column.
        shift: In the column's units.
        scale: In the column's units, above 0.
        low: Smallest training value.
        high: Largest training value.
        fill: Takes the place of missing values, in the column's units; None refuses them.
        has_indicator: A second number says 1 where the value was missing, else 0.
    """

    name: str
    shift: float = 0.0
    scale: float = 1.0
    low: float = 0.0
    high: float = 0.0
    fill: float | None = None
    has_indicator: bool = False

    @property
    def field(self) -> Field:
        """One number, or two with the indicator."""
        return Field(self.name, "number", (2,) if self.has_indicator else (1,))

    @property
    def is_constant(self) -> bool:
        """Training showed one value only."""
        return self.low == self.high

    def encode(self, array: pa.Array) -> Tensor:
        """Return (N, 1) or (N, 2) float32, scaled in float64."""
        values = numbers(array, self.name)
        missing = None if is_finite(values) else np.isnan(values)
        if missing is not None and missing.any():
            if self.fill is None:
                raise CellError(self.name, None, "is missing, which is refused for this column")
            values = np.where(missing, self.fill, values)
        with np.errstate(over="ignore"):
            scaled = values - self.shift
            scaled /= self.scale
        if len(scaled) and max(scaled.max(), -scaled.min()) > _LARGEST:
            value = float(values[np.abs(scaled).argmax()])
            raise CellError(self.name, value, "is too large for a float32 number")
        encoded = np.empty((len(values), 1 + self.has_indicator), np.float32)
        encoded[:, 0] = scaled
        if self.has_indicator:
            encoded[:, 1] = 0 if missing is None else missing
        return torch.from_numpy(encoded)

    def decode(self, values: Tensor) -> list[float]:
        """Return the numbers in their units."""
        first = values[:, 0] if values.ndim > 1 else values
        decoded: list[float] = self.unscale(first).tolist()
        return decoded

    def unscale(self, values: Tensor) -> Tensor:
        """Return scaled values of any shape in the column's units, float64 where there is one."""
        dtype = torch.float32 if values.device.type == "mps" else torch.float64
        return values.to(dtype) * self.scale + self.shift

    def notes(self, array: pa.Array, encoded: Tensor) -> dict[str, int]:  # noqa: ARG002
        """Count values more than the training range beyond it, and missing ones if new."""
        values = numbers(array, self.name)
        span = self.high - self.low
        low, high = self.low - span, self.high + span
        if len(values) and low <= values.min() and values.max() <= high:  # false if one is missing
            return {}
        found = {
            "value far outside the training range": int(((values < low) | (values > high)).sum())
        }
        if not self.has_indicator:
            found["missing value"] = int(np.isnan(values).sum())
        return {what: count for what, count in found.items() if count}

    def state(self) -> dict[str, Any]:
        """Return plain data."""
        return {"kind": "number", **asdict(self)}


class NumberFit:
    """Fits a `NumberEncoder`: one pass, and a second one only where quantiles are needed.

    Args:
        name: The column.
        scaling: How to scale.
        missing: How to fill; None refuses missing values (a target).
    """

    def __init__(self, name: str, scaling: Scaling, missing: MissingOptions | None) -> None:
        self._name, self._scaling, self._missing = name, scaling, missing
        self._moments = Moments()
        self._nulls = 0
        self._kept: list[np.ndarray] | None = None

    def add(self, array: pa.Array) -> None:
        """Take in training cells; see `Fit`."""
        values = numbers(array, self._name)
        is_null = np.isnan(values)
        present = values[~is_null] if is_null.any() else values
        if self._kept is not None:
            self._kept.append(present.copy())
            return
        if len(present) < len(values) and self._missing and self._missing.numeric == "refuse":
            raise CellError(self._name, None, "is missing, which `missing.numeric: refuse` forbids")
        self._nulls += len(values) - len(present)
        self._moments.add(present)

    def again(self) -> bool:
        """Ask once for a second pass if a median, quartile or most frequent value is needed."""
        fills = self._missing.numeric if self._missing else "refuse"
        needed = self._scaling == "robust" or (
            self._nulls > 0 and fills in ("median", "most_frequent")
        )
        if not needed or self._kept is not None:
            return False
        self._kept = []
        return True

    def finish(self) -> NumberEncoder:
        """Return the encoder. Missing values have no part in the mean and deviation."""
        if self._moments.count == 0:
            fill = self._missing.fill_value if self._missing else None
            return NumberEncoder(self._name, fill=fill)
        values = np.concatenate(self._kept) if self._kept else np.empty(0)
        self._kept = None
        moments = self._moments
        with np.errstate(over="ignore", invalid="ignore"):
            shift, scale = self._shift_and_scale(values)
            fill = self._fill(values)
        if not np.isfinite([shift, scale, 0.0 if fill is None else fill]).all():
            largest = max(moments.low, moments.high, key=abs)
            raise CellError(self._name, largest, "is too large to be scaled")
        return NumberEncoder(
            self._name,
            shift,
            scale,
            moments.low,
            moments.high,
            fill=fill,
            has_indicator=bool(self._missing and self._missing.indicator and self._nulls),
        )

    def _shift_and_scale(self, values: np.ndarray) -> tuple[float, float]:
        moments = self._moments
        if self._scaling == "none":
            return 0.0, 1.0
        if moments.is_constant:
            return moments.low, 1.0
        if self._scaling == "standard":
            return moments.mean, moments.deviation or 1.0
        if self._scaling == "min_max":
            return moments.low, moments.high - moments.low
        first, middle, third = np.percentile(values, [25, 50, 75]).tolist()
        spread = third - first
        # Quartiles that agree to rounding would throw the other values out of float32's range.
        is_rounding = spread < np.finfo(np.float64).eps * (moments.high - moments.low)
        return middle, 1.0 if is_rounding else spread

    def _fill(self, values: np.ndarray) -> float | None:
        fills = self._missing.numeric if self._missing else "refuse"
        if fills == "refuse" or self._missing is None:
            return None
        if fills == "constant":
            return self._missing.fill_value
        if fills == "mean" or not self._nulls:
            return self._moments.mean
        if fills == "median":
            return float(np.median(values))
        found, counts = np.unique(values, return_counts=True)
        return float(found[counts.argmax()])
