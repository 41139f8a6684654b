"""Dates as numbers: the year scaled, and month, day, weekday and hour as points on a circle."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from dlcli.config.data import MissingOptions
from dlcli.data.encoders.encoder import CellError
from dlcli.data.encoders.moments import Moments
from dlcli.data.sources.dates import ACCEPTED_DATES, parse_dates
from dlcli.data.spec import Field

_PERIODS = (12.0, 31.0, 7.0, 24.0)  # months, days, weekdays, hours


@dataclass(frozen=True)
class DateEncoder:
    """A column of dates; see `Encoder`.

    Attributes:
        name: The column.
        shift: Mean year of the training rows.
        scale: Deviation of the years, or 1.
        has_times: Training rows have times of day, so hours are encoded.
        is_refusing: Missing dates are refused; else they become zeros.
        has_indicator: A last number says 1 where the date was missing.
        is_constant: Training showed one date only.
        low: First training year.
        high: Last training year.
    """

    name: str
    shift: float
    scale: float
    low: float
    high: float
    has_times: bool = False
    is_refusing: bool = False
    has_indicator: bool = False
    is_constant: bool = False

    @property
    def field(self) -> Field:
        """The year, then sine and cosine of each cycle, then the indicator."""
        cycles = len(_PERIODS) - (not self.has_times)
        return Field(self.name, "number", (1 + 2 * cycles + self.has_indicator,))

    def encode(self, array: pa.Array) -> Tensor:
        """Return (N, 7), (N, 9) with times; one more with the indicator; float32."""
        times, missing = cell_times(array, self.name)
        if missing.any() and self.is_refusing:
            raise CellError(self.name, None, "is missing, which is refused for this column")
        year, cycles = _parts(times)
        columns = [(year - self.shift) / self.scale]
        for part, period in zip(cycles[: 3 + self.has_times], _PERIODS, strict=False):
            angle = 2 * np.pi * part / period
            columns += [np.sin(angle), np.cos(angle)]
        encoded = np.stack(columns, axis=1)
        encoded[missing] = 0.0
        if self.has_indicator:
            encoded = np.concatenate([encoded, missing[:, None]], axis=1)
        return torch.from_numpy(encoded.astype(np.float32))

    def decode(self, values: Tensor) -> list[str | None]:
        """Return dates in ISO form, with minutes if there are times; None where missing."""
        return [self._decode(row) for row in values.double().tolist()]

    def _decode(self, row: list[float]) -> str | None:
        if row[1] == row[2] == 0.0:
            return None
        year = round(row[0] * self.scale + self.shift)
        turns = [
            np.arctan2(row[1 + 2 * index], row[2 + 2 * index]) / (2 * np.pi) % 1
            for index in range(3 + self.has_times)
        ]
        month, day = round(turns[0] * 12) % 12, round(turns[1] * 31) % 31
        date = f"{year:04}-{month + 1:02}-{day + 1:02}"
        if not self.has_times:
            return date
        minutes = round(turns[3] * 24 * 60) % (24 * 60)
        return f"{date} {minutes // 60:02}:{minutes % 60:02}"

    def notes(self, array: pa.Array, encoded: Tensor) -> dict[str, int]:  # noqa: ARG002
        """Count dates in years further from the training years than these span."""
        times, _ = cell_times(array, self.name)
        year, _ = _parts(times)
        span = max(1.0, self.high - self.low)
        far = int(((year < self.low - span) | (year > self.high + span)).sum())
        return {"value far outside the training range": far} if far else {}

    def state(self) -> dict[str, Any]:
        """Return plain data."""
        return {"kind": "date", **asdict(self)}


class DateFit:
    """Fits a `DateEncoder` in one pass.

    Args:
        name: The column.
        missing: How to treat missing dates: `numeric: refuse` refuses them.
    """

    def __init__(self, name: str, missing: MissingOptions) -> None:
        self._name, self._missing = name, missing
        self._years = Moments()
        self._seconds = Moments()
        self._nulls = 0
        self._has_times = False

    def add(self, array: pa.Array) -> None:
        """Take in training cells; see `Fit`."""
        times, missing = cell_times(array, self._name)
        present = times[~missing]
        self._nulls += int(missing.sum())
        if self._nulls and self._missing.numeric == "refuse":
            raise CellError(self._name, None, "is missing, which `missing.numeric: refuse` forbids")
        year, cycles = _parts(present)
        self._years.add(year)
        self._seconds.add(present.astype(np.int64) / 1e6)
        self._has_times |= bool((cycles[3] > 0).any())

    def again(self) -> bool:
        """Return False: one pass is enough."""
        return False

    def finish(self) -> DateEncoder:
        """Return the encoder."""
        years, refuse = self._years, self._missing.numeric == "refuse"
        if not years.count:
            return DateEncoder(self._name, 1970.0, 1.0, 1970.0, 1970.0, is_constant=True)
        return DateEncoder(
            self._name,
            shift=years.low if years.is_constant else years.mean,
            scale=1.0 if years.is_constant else years.deviation,
            low=years.low,
            high=years.high,
            has_times=self._has_times,
            is_refusing=refuse,
            has_indicator=bool(self._nulls) and self._missing.indicator,
            is_constant=self._seconds.is_constant,
        )


def cell_times(array: pa.Array, column: str) -> tuple[np.ndarray, np.ndarray]:
    """Return times (N,) datetime64[us] and which are missing (N,); missing ones are in 1970."""
    try:
        parsed = parse_dates(array)
    except ValueError as error:
        expected = f"is not a date such as {ACCEPTED_DATES}"
        raise CellError(column, _not_a_date(array), expected) from error
    missing = parsed.is_null().to_numpy(zero_copy_only=False)
    micros = parsed.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    return micros.astype("datetime64[us]"), missing


def _not_a_date(array: pa.Array) -> object:
    for index in range(len(array)):
        try:
            parse_dates(array[index : index + 1])
        except ValueError:
            return array[index].as_py()
    return None


def _parts(times: np.ndarray) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """Return the year, and month, day, weekday (0 is a Monday) and hour from 0; float64 each."""
    years, months = times.astype("datetime64[Y]"), times.astype("datetime64[M]")
    days = times.astype("datetime64[D]")
    parts = (
        (months - years).astype(np.int64),
        (days - months.astype("datetime64[D]")).astype(np.int64),
        (days.astype(np.int64) + 3) % 7,  # 1970-01-01 was a Thursday
        (times - days).astype(np.int64) / 3.6e9,
    )
    return years.astype(np.int64) + 1970.0, tuple(part.astype(np.float64) for part in parts)
