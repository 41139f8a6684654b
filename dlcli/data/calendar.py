"""Parts of a time as points on a circle, where December lies beside January."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dlcli.config.data.series import CalendarPart

_PERIODS: dict[CalendarPart, float] = {
    "hour": 24,
    "day_of_week": 7,
    "day_of_month": 31,
    "day_of_year": 366,
    "month": 12,
}


def circle_names(parts: Sequence[CalendarPart]) -> list[str]:
    """Return the names of the numbers that `circles` gives: `hour_sin`, `hour_cos`, ..."""
    return [f"{part}_{side}" for part in parts for side in ("sin", "cos")]


def circles(times: np.ndarray, parts: Sequence[CalendarPart]) -> np.ndarray:
    """Return sine and cosine of each part, (N, 2 * parts).

    Args:
        times: (N,) datetime64[us].
        parts: In the order of the columns.
    """
    columns = []
    for part in parts:
        angle = 2 * np.pi * _elapsed(times, part) / _PERIODS[part]
        columns += [np.sin(angle), np.cos(angle)]
    return np.stack(columns, axis=1)


def _elapsed(times: np.ndarray, part: CalendarPart) -> np.ndarray:
    """Return how much of a period has gone: hours of the day, days or months before this one."""
    days = times.astype("datetime64[D]")
    months, years = times.astype("datetime64[M]"), times.astype("datetime64[Y]")
    elapsed: np.ndarray
    if part == "hour":
        elapsed = (times - days) / np.timedelta64(1, "h")
    elif part == "day_of_week":
        elapsed = (days.astype(np.int64) + 3) % 7  # 1970-01-01 was a Thursday
    elif part == "month":
        elapsed = (months - years).astype(np.int64)
    else:
        elapsed = (days - (months if part == "day_of_month" else years)).astype(np.int64)
    return elapsed
