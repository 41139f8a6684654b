"""The times of rows: read from their cells, rising, a step apart; knows none of their values."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dlcli.data.encoders.date import cell_times
from dlcli.data.encoders.encoder import CellError
from dlcli.data.encoders.parse import numbers
from dlcli.data.preprocessor import located
from dlcli.data.sources.cells import texts
from dlcli.data.wording import counted
from dlcli.errors import DataError

Step = tuple[str, float]
"""From a row to the next: a count of `rows`, `numbers`, `microseconds` or `months`."""
Gaps = Literal["interpolate", "refuse", "ignore"]

_SECOND = 10**6
_DAY = 86_400 * _SECOND
_SIZES = {"day": _DAY, "hour": 3600 * _SECOND, "minute": 60 * _SECOND, "second": _SECOND}
_FIELDS = ("year", "month", "day", "hour", "minute", "second")
_BOUNDS = ((1, 9999), (1, 12), (1, 31), (0, 24), (0, 59), (0, 60))
_OFF_THE_GRID = 0.01  # of a step: more than what rounding leaves of times such as 0.1, 0.2, 0.3
_IGNORE = "`gaps: ignore` takes the rows one after the other, whatever their times"
_SEASONS = {_DAY: 7, 7 * _DAY: 52}


@dataclass(frozen=True)
class Timeline:
    """The times of R rows.

    Attributes:
        times: (R,) datetime64[us], or numbers in float64.
        step: From a row to the next.
        places: Row of each row of the file, where rows are missing there; else None.
    """

    times: np.ndarray
    step: Step
    places: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.times)

    @property
    def is_dated(self) -> bool:
        """Whether the times are dates."""
        return self.times.dtype.kind == "M"

    @property
    def lost(self) -> int:
        """Number of rows that the file does not have."""
        return 0 if self.places is None else int(self.places[-1]) + 1 - len(self.places)

    def rows(self, start: int, stop: int) -> slice | np.ndarray:
        """Return the rows of the file's rows from start up to stop."""
        return slice(start, stop) if self.places is None else self.places[start:stop]

    def file_rows(self, rows: range) -> np.ndarray:
        """Return the file's rows among these."""
        if self.places is None:
            return np.arange(rows.start, rows.stop, dtype=np.int32)
        return np.arange(*np.searchsorted(self.places, [rows.start, rows.stop]), dtype=np.int32)

    def extended(self, count: int) -> Timeline:
        """Return the timeline with so many rows more."""
        later = _after(self.times, -1, self.step, count)
        return replace(self, times=np.concatenate([self.times, later]))

    def labels(self, rows: slice | np.ndarray) -> list[str] | list[float]:
        """Return the times of rows as answers and messages write them."""
        if self.is_dated:
            shown = np.datetime_as_string(self.times[rows], unit=self._precision)
            return [str(text).replace("T", " ") for text in shown]
        return [int(x) if x == int(x) else x for x in self.times[rows].tolist()]

    @cached_property
    def _precision(self) -> Literal["D", "s", "us"]:
        since = self.times.astype(np.int64)
        return "D" if not (since % _DAY).any() else "us" if (since % _SECOND).any() else "s"


def _after(times: np.ndarray, row: int, step: Step, count: int) -> np.ndarray:
    """Return the times of so many rows after one of these."""
    unit, size = step
    ahead = np.arange(1, count + 1) * (size if unit in ("rows", "numbers") else int(size))
    months = _months(times) if unit == "months" else None
    later: np.ndarray
    if months is not None:
        later = _month_starts(months[0][row] + ahead) + months[1]
    else:
        later = times[row] + (_micros(ahead) if times.dtype.kind == "M" else ahead)
    return later


def counted_rows(rows: int) -> Timeline:
    """Return the timeline of rows without times: their numbers, from 1."""
    return Timeline(np.arange(1.0, rows + 1), ("rows", 1))


def read_times(
    batches: Iterable[pa.RecordBatch], columns: Sequence[str], *, are_numbers: bool
) -> np.ndarray:
    """Return the time of every row (R,): datetime64[us], or float64.

    Args:
        batches: Hold the columns.
        columns: One; or parts of a date from the year on; or texts that make one together.
        are_numbers: The one column holds plain numbers.

    Raises:
        DataError: A time is missing, or is none.
    """
    found = []
    for batch in batches:
        try:
            found.append(_batch_times(batch, columns, are_numbers))
        except CellError as error:
            raise located(error, batch) from error
    return np.concatenate(found) if found else np.empty(0)


def _batch_times(batch: pa.RecordBatch, columns: Sequence[str], are_numbers: bool) -> np.ndarray:
    for name in columns:
        if pc.any(pc.is_null(batch.column(name), nan_is_null=True)).as_py():
            raise CellError(name, None, "is missing, and every row needs its time")
    cells = [batch.column(name) for name in columns]
    if are_numbers and len(columns) == 1:
        return numbers(cells[0], columns[0])
    if len(columns) == 1:
        return cell_times(cells[0], columns[0])[0]
    try:
        fields = [numbers(array, name) for array, name in zip(cells, columns, strict=True)]
    except CellError:
        return _joined(cells, columns)
    return _dates(fields, columns)


def _joined(cells: Sequence[pa.Array], columns: Sequence[str]) -> np.ndarray:
    """Read columns such as a date and a time of day, or an hour."""
    text = pc.binary_join_element_wise(*map(texts, cells), " ")
    for pattern, replacement in ((r" (\d)$", r" 0\1"), (r" (\d\d)$", r" \1:00")):
        text = pc.replace_substring_regex(text, pattern=pattern, replacement=replacement)
    try:
        return cell_times(text, columns[0])[0]
    except CellError as error:
        first = cells[0][text.index(error.value).as_py()].as_py()
        raise CellError(columns[0], first, f"gives `{error.value}`, which {error}") from error


def _dates(fields: Sequence[np.ndarray], columns: Sequence[str]) -> np.ndarray:
    """Return dates from their year, month, day and so on."""
    for values, name, (low, high), what in zip(fields, columns, _BOUNDS, _FIELDS, strict=False):
        wrong = (values < low) | (values > high) | (values != np.floor(values))
        if wrong.any():
            raise CellError(name, values[wrong][0].item(), f"is no {what}")
    whole = [values.astype(np.int64) for values in fields]
    whole += [np.full_like(whole[0], low) for low, _ in _BOUNDS[len(whole) :]]
    year, month, day, hour, minute, second = whole
    seconds = (((day - 1) * 24 + hour) * 60 + minute) * 60 + second
    dates: np.ndarray = _month_starts((year - 1970) * 12 + month - 1) + _micros(seconds * _SECOND)
    return dates


def timeline_of(times: np.ndarray, place: str, *, gaps: Gaps, step: Step | None = None) -> Timeline:
    """Return the timeline of rows at these times.

    Args:
        times: (R,) of the file's rows.
        place: What messages call the file.
        gaps: What to do with missing rows.
        step: Of the training, where there was one; None tells it from the times.

    Raises:
        DataError: The times do not rise, or are no whole number of steps apart; or rows are
            missing, which is refused.
    """
    _check_rising(times, place)
    found = _step(times) or step or ("rows", 1)
    if gaps == "ignore":
        return Timeline(times, found)
    if step is not None and not _are_alike(found, step):
        raise DataError(
            f"{place}: its rows are {step_words(found)} apart, those of the training "
            f"{step_words(step)}"
        )
    if _is_regular(times, found):
        return Timeline(times, found)
    places = _places(times, found, place)
    if places[-1] + 1 == len(places):
        return Timeline(times, found)
    return _with_gaps(times, found, places, place, is_refusing=gaps == "refuse")


def _check_rising(times: np.ndarray, place: str) -> None:
    falls = np.flatnonzero(times[1:] <= times[:-1])
    if not len(falls):
        return
    row = int(falls[0]) + 1
    before, here = Timeline(times, ("rows", 1)).labels(np.array([row - 1, row]))
    said = "has the time of the row before" if before == here else f"comes after {before}"
    raise DataError(
        f"{place}, row {row + 1}: {here} {said}",
        suggestion="sort the rows by time; a file holds one series, with one row per time",
    )


def _step(times: np.ndarray) -> Step | None:
    """Return the most frequent difference; None of less than two times."""
    if len(times) < 2:
        return None
    if times.dtype.kind != "M":
        return "numbers", _mode(np.diff(times))
    size = _mode(np.diff(times.astype(np.int64)))
    if size >= 28 * _DAY and (months := _months(times)) is not None:
        return "months", _mode(np.diff(months[0]))
    return "microseconds", size


def _are_alike(one: Step, other: Step) -> bool:
    """Say whether steps are equal, but for what rounding leaves of numbers."""
    if one[0] == other[0] == "numbers":
        return math.isclose(one[1], other[1], rel_tol=_OFF_THE_GRID)
    return one == other


def _is_regular(times: np.ndarray, step: Step) -> bool:
    """Say whether every difference is the step, in less memory than `_places` takes."""
    size = np.timedelta64(int(step[1]), "us") if times.dtype.kind == "M" else step[1]
    return step[0] != "months" and bool((np.diff(times) == size).all())


def _mode(values: np.ndarray) -> float:
    if (values == values[0]).all():
        return values[0].item()  # type: ignore[no-any-return]
    distinct, counts = np.unique(values, return_counts=True)
    mode: float = distinct[counts.argmax()].item()
    return mode


def _months(times: np.ndarray) -> tuple[np.ndarray, np.timedelta64] | None:
    """Return months since 1970 and what is added to the first of each; None if that varies.

    The last days of months count as the days before the first ones.
    """
    for later in (_DAY, 0):
        months = (times + np.timedelta64(later, "us")).astype("datetime64[M]")
        beside = times - months.astype("datetime64[us]")
        if (beside == beside[0]).all():
            return months.astype(np.int64), beside[0]
    return None


def _month_starts(months: np.ndarray) -> np.ndarray:
    return months.astype("datetime64[M]").astype("datetime64[us]")


def _micros(count: np.ndarray) -> np.ndarray:
    return count.astype(np.int64).astype("timedelta64[us]")


def _places(times: np.ndarray, step: Step, place: str) -> np.ndarray:
    """Return how many steps after the first each time is (R,) int64."""
    unit, size = step
    months = _months(times) if unit == "months" else None
    since = (times - times[:1]).astype(np.float64) if months is None else months[0] - months[0][0]
    steps = since / size
    places: np.ndarray = np.rint(steps).astype(np.int64)
    off = np.flatnonzero(
        (np.abs(steps - places) > _OFF_THE_GRID) | (np.diff(places, prepend=-1) < 1)
    )
    if len(off):
        (shown,) = Timeline(times, step).labels(off[:1])
        raise DataError(
            f"{place}, row {off[0] + 1}: {shown} is not a whole number of steps after the first "
            f"row; most rows are {step_words(step)} apart",
            suggestion=_IGNORE,
        )
    return places


def _with_gaps(
    times: np.ndarray, step: Step, places: np.ndarray, place: str, *, is_refusing: bool
) -> Timeline:
    total = int(places[-1]) + 1
    lost = total - len(places)
    if is_refusing or lost > len(places):
        before = int((np.diff(places) > 1).argmax())
        (shown,) = Timeline(times, step).labels(np.array([before]))
        raise DataError(
            f"{place}: rows are {step_words(step)} apart, and {lost:,} of {total:,} are missing, "
            f"the first after row {before + 1} ({shown})",
            suggestion="`gaps: interpolate` draws lines between their neighbours"
            if lost <= len(places)
            else _IGNORE,
        )
    whole = np.concatenate([times[:1], _after(times, 0, step, total - 1)])
    whole[places] = times
    return Timeline(whole, step, places)


def step_words(step: Step) -> str:
    """Return a step in words: `1 hour`, `3 months`."""
    unit, size = step
    if unit == "microseconds":
        for name, length in _SIZES.items():
            if size % length == 0:
                return counted(int(size // length), name)
        return f"{size / _SECOND:g} seconds"
    return f"{size:g}" if unit == "numbers" else counted(int(size), unit[:-1])


def season_of(step: Step, past: int) -> int:
    """Return the rows of the season that goes with a step; 0 where none fits in the past.

    Of rows within a day it is the day, of days the week, of weeks and months the year.
    """
    unit, size = step
    whole = {"months": 12, "microseconds": _DAY}.get(unit, 0)
    season = _SEASONS.get(int(size), 0) if unit == "microseconds" else 0
    if not season and whole and whole % size == 0:
        season = int(whole // size)
    return season if 1 < season <= past else 0
