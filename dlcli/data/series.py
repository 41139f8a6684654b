"""Encoded rows of a series: every number scaled, gaps filled, windows cut as views."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from dlcli.config.data import SeriesOptions
from dlcli.data.calendar import circle_names, circles
from dlcli.data.encoders.category import CategoryEncoder, code_type
from dlcli.data.encoders.encoder import CellError
from dlcli.data.encoders.number import NumberEncoder
from dlcli.data.examples import WindowExamples
from dlcli.data.preprocessor import Preprocessor, located
from dlcli.data.spec import CATEGORIES, NUMBERS, Window
from dlcli.data.timeline import Timeline
from dlcli.data.wording import counted
from dlcli.errors import DataError

_ROWS_AT_ONCE = 1 << 16


@dataclass(frozen=True)
class SeriesRows:
    """R encoded rows, one step apart, with none missing any more.

    Attributes:
        numbers: (R, F) float32: targets, other inputs, then what is known ahead.
        categories: (R, C) codes; None where there are none.
        window: How windows are cut from them.
        known: The first column of what is known ahead.
        is_missing: (R, D) targets that the file does not have.
        is_drawn: (R,) some number was filled by a line to a later one.
        lost: Missing values of the file's rows by column.
    """

    numbers: np.ndarray
    categories: np.ndarray | None
    window: Window
    known: int
    is_missing: np.ndarray
    is_drawn: np.ndarray
    lost: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def end(self) -> int:
        """The row after the last one that has a target."""
        present = np.flatnonzero(~self.is_missing.all(1))
        return int(present[-1]) + 1 if len(present) else 0

    def windows(self, first: int, count: int, *, stride: int = 1) -> WindowExamples:
        """Return windows as views of the rows.

        Args:
            first: Row at which the first one begins.
            count: Number of windows.
            stride: Rows from one to the next.
        """
        numbers = torch.from_numpy(self.numbers)
        blocks = {NUMBERS: numbers}
        if self.categories is not None:
            blocks[CATEGORIES] = torch.from_numpy(self.categories)
        return WindowExamples(
            blocks,
            known=numbers[:, self.known :] if self.known < numbers.shape[1] else None,
            rows=numbers[:, : len(self.window.targets)],
            first=first,
            count=count,
            past=self.window.past,
            horizon=self.window.horizon,
            lead=self.window.past,
            stride=stride,
        )

    def is_fair(self, first: int, count: int, *, stride: int = 1) -> np.ndarray:
        """Say of windows (count,) whether they can be scored; arguments as for `windows`.

        They can where the file has every target of the horizon, and the last row of the past holds
        nothing that a line to a later row has filled: it would tell what is to be forecast.
        """
        begins = first + self.window.past + stride * np.arange(count)
        if not self.is_drawn.any() and not self.is_missing.any():
            return np.ones(count, bool)
        missing = np.concatenate([[0], self.is_missing.any(1).cumsum(dtype=np.int32)])
        is_fair: np.ndarray = missing[begins + self.window.horizon] == missing[begins]
        is_fair &= ~self.is_drawn[begins - 1]
        return is_fair


def encode_rows(
    batches: Iterable[pa.RecordBatch],
    preprocessor: Preprocessor,
    timeline: Timeline,
    options: SeriesOptions,
    *,
    edges: Sequence[int],
    place: str,
) -> SeriesRows:
    """Encode rows once, as they come, and fill what is missing.

    Args:
        batches: The file's rows, with every column but those of the calendar.
        preprocessor: Encodes them.
        timeline: Of all rows; it may go on after the file's last one.
        options: What to do with gaps; the calendar.
        edges: Rows at which parts begin and end, ascending, 0 and R among them: nothing is filled
            by what comes after its part.
        place: What messages call the file.

    Raises:
        DataError: A cell is not what its column holds; a value is missing, which is refused, or
            there is none to fill it by.
    """
    window = preprocessor.window
    assert window is not None
    numeric = [n for n, one in preprocessor.inputs.items() if isinstance(one, NumberEncoder)]
    coded = {n: one for n, one in preprocessor.inputs.items() if isinstance(one, CategoryEncoder)}
    circle = circle_names(options.calendar)
    columns = [name for name in numeric if name not in circle]
    numbers = np.full((len(timeline), len(numeric)), np.nan, np.float32)
    categories = _unknown(coded, len(timeline))
    row = 0
    for batch in batches:
        rows = timeline.rows(row, row + batch.num_rows)
        row += batch.num_rows
        try:
            for index, name in enumerate(columns):
                numbers[rows, index] = _scaled(batch.column(name), preprocessor.inputs[name])
            for index, (name, encoder) in enumerate(coded.items()):
                categories[rows, index] = encoder.encode(batch.column(name)).numpy()
        except CellError as error:
            raise located(error, batch) from error
    if circle:
        for start in range(0, len(timeline), _ROWS_AT_ONCE):
            times = timeline.times[start : start + _ROWS_AT_ONCE]
            numbers[start : start + len(times), len(columns) :] = circles(times, options.calendar)
    encoded = SeriesRows(
        numbers,
        categories if coded else None,
        window,
        known=len(numeric) - len(window.known),
        is_missing=np.zeros((len(timeline), len(window.targets)), bool),
        is_drawn=np.zeros(len(timeline), bool),
    )
    gap = int(np.isnan(numbers).any(1).argmax()) if options.gaps == "refuse" else 0
    _fill(encoded, columns, edges, file_rows=row + timeline.lost, absent=timeline.lost)
    lost = encoded.lost
    if lost and options.gaps == "refuse":
        raise DataError(
            f"{place}: {_listed(lost)} missing, the first in row {gap + 1:,}",
            suggestion="`gaps: interpolate` draws lines between their neighbours",
        )
    return encoded


def _unknown(coded: dict[str, CategoryEncoder], rows: int) -> np.ndarray:
    """Return codes (rows, C) of missing cells, for rows that the file does not have."""
    codes = [int(one.encode(pa.array([None], pa.string()))[0]) for one in coded.values()]
    widest = code_type(max((one.size for one in coded.values()), default=1))
    return np.tile(np.array(codes, widest), (rows, 1))


def _scaled(cells: pa.Array, encoder: object) -> np.ndarray:
    """Return numbers (N,) as the encoder scales them, NaN where they are missing."""
    assert isinstance(encoder, NumberEncoder)
    values: np.ndarray = encoder.encode(cells).numpy()[:, 0]
    missing = pc.is_null(cells, nan_is_null=True)
    values[missing.to_numpy(zero_copy_only=False)] = np.nan
    return values


def _fill(
    rows: SeriesRows, columns: Sequence[str], edges: Sequence[int], *, file_rows: int, absent: int
) -> None:
    """Draw lines over what is missing, within each part, and note where that was.

    Args:
        rows: To be filled in place.
        columns: Names of the columns that come from the file.
        edges: See `encode_rows`.
        file_rows: Rows up to the file's last one; what is missing up to its last target is counted.
        absent: Rows among them that the file does not have.
    """
    wide = rows.is_missing.shape[1]
    rows.is_missing[:] = np.isnan(rows.numbers[:, :wide])
    file_rows = min(file_rows, rows.end)
    for index, name in enumerate(columns):
        missing = np.isnan(rows.numbers[:, index])
        if not missing.any():
            continue
        if (lost := int(missing[:file_rows].sum()) - absent) > 0:
            rows.lost[name] = lost
        drawn = _interpolate(rows.numbers[:, index], missing, edges, name)
        if index < rows.known:
            rows.is_drawn[drawn] = True


def _interpolate(
    column: np.ndarray, missing: np.ndarray, edges: Sequence[int], name: str
) -> np.ndarray:
    """Fill a column (R,) in place; return the rows that were filled towards a later one.

    Before the first value and after the last one of a part, the nearest stands in.
    """
    present = np.flatnonzero(~missing)
    drawn = []
    for start, stop in pairwise(edges):
        rows = start + np.flatnonzero(missing[start:stop])
        seen = present[: np.searchsorted(present, stop)]
        if not len(rows):
            continue
        if not len(seen):
            raise DataError(f"column `{name}` has no value before row {stop + 1:,}")
        column[rows] = np.interp(rows, seen, column[seen])
        drawn.append(rows[rows < seen[-1]])
    return np.concatenate(drawn) if drawn else np.empty(0, np.int64)


def _listed(lost: dict[str, int]) -> str:
    total = sum(lost.values())
    shown = ", ".join(f"`{name}` {count:,}" for name, count in list(lost.items())[:5])
    more = ", ..." if len(lost) > 5 else ""
    return f"{counted(total, 'value')} ({shown}{more}) {'is' if total == 1 else 'are'}"


def filled_words(rows: SeriesRows, timeline: Timeline) -> str:
    """Return what was filled, as a message says it; nothing where nothing was."""
    said = [f"{counted(timeline.lost, 'row')} in time"] if timeline.lost else []
    if rows.lost:
        said.append(_listed(rows.lost).rsplit(" ", 1)[0])
    return " and ".join(said)
