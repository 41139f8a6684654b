"""The kind of a column, told from every one of its cells in one pass; knows no file."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dlcli.data.sources.dates import parse_dates
from dlcli.data.sources.source import ColumnKind

_DISTINCT_CAP = 10_000
_REPEATING = 0.75  # distinct texts over texts, below which they may be categories
_TIMES = ((5e8, 4e9), (5e11, 4e12))  # from 1985 to 2096 in seconds and milliseconds since 1970
_TEXT_LENGTH = 20  # titanic: names have 27 characters on average, tickets 7


class ColumnScan:
    """What is found out about one column, chunk by chunk.

    Attributes:
        rows: Cells seen.
        nulls: Missing ones among them.
        is_plain: A CSV parser may read the column as numbers without our treatment of cells.
    """

    def __init__(self) -> None:
        self.rows = 0
        self.nulls = 0
        self.is_plain = True
        self._kinds: list[ColumnKind] = ["numeric", "boolean", "date"]
        self._unsupported = ""
        self._is_rising = True
        self._is_time = True
        self._last = -np.inf
        self._distinct: set[str] = set()
        self._texts = 0
        self._characters = 0
        self._is_list = False

    def add(self, array: pa.Array) -> None:
        """Take in the next cells, cleaned."""
        self.rows += len(array)
        self.nulls += array.null_count
        if array.null_count == len(array):
            return
        if pa.types.is_list(array.type) or pa.types.is_fixed_size_list(array.type):
            self._is_list = True
        elif pa.types.is_nested(array.type) or pa.types.is_binary(array.type):
            self._unsupported = str(array.type)
        else:
            fitting = next((kind for kind in self._kinds if self._fits(kind, array)), None)
            self._kinds = [fitting] if fitting else []
        if pa.types.is_string(array.type) and "numeric" not in self._kinds:
            self._count_texts(array)

    @property
    def unsupported(self) -> str:
        """The type of cells that no encoder takes, or nothing."""
        return self._unsupported

    @property
    def kind(self) -> ColumnKind | None:
        """The column's kind; None while every cell is missing."""
        if self.nulls == self.rows:
            return None
        if self._is_list:
            return "image"
        if self._kinds:
            return self._kinds[0]
        return "text" if self._is_free_text() else "categorical"

    @property
    def is_id(self) -> bool:
        """Every value is another one: whole numbers that only rise, or short texts."""
        if self.rows < 20 or self.nulls:
            return False
        if self.kind == "numeric":
            return self._is_rising
        return self.kind == "categorical" and len(self._distinct) in (self.rows, _DISTINCT_CAP)

    @property
    def is_time(self) -> bool:
        """Every value is a whole number that may be a time in seconds or milliseconds."""
        return self.kind == "numeric" and self._is_time

    @property
    def repeats(self) -> bool:
        """Many texts stand in more than one row, so that they may be categories."""
        return len(self._distinct) < min(_REPEATING * self._texts, _DISTINCT_CAP)

    def _fits(self, kind: ColumnKind, array: pa.Array) -> bool:
        if kind == "numeric":
            return self._fits_numeric(array)
        if kind == "boolean":
            return _is_boolean(array)
        return _is_date(array)

    def _fits_numeric(self, array: pa.Array) -> bool:
        values = _as_numbers(array)
        if values is None:
            return False
        numbers = values.to_numpy(zero_copy_only=False)
        if np.isinf(numbers).any():
            self.is_plain = False  # as a text the cell can be quoted
        if self._is_rising:
            self._check_rising(numbers)
        if self._is_time:
            self._check_time(numbers)
        return True

    def _check_rising(self, numbers: np.ndarray) -> None:
        with np.errstate(over="ignore", invalid="ignore"):
            steps = np.diff(numbers, prepend=self._last)
        is_whole = np.isfinite(numbers) & (numbers == np.floor(numbers))
        self._is_rising = bool((steps > 0).all() and is_whole.all())
        self._last = float(numbers[-1])

    def _check_time(self, numbers: np.ndarray) -> None:
        present = numbers[~np.isnan(numbers)]
        is_whole = bool((present == np.floor(present)).all())
        self._is_time = is_whole and any(
            bool(((present >= low) & (present < high)).all()) for low, high in _TIMES
        )

    def _count_texts(self, array: pa.Array) -> None:
        self._texts += len(array) - array.null_count
        self._characters += pc.sum(pc.utf8_length(array)).as_py() or 0
        if len(self._distinct) < _DISTINCT_CAP:
            new = pc.unique(array.drop_null())[:_DISTINCT_CAP].to_pylist()
            room = _DISTINCT_CAP - len(self._distinct)
            self._distinct.update([text for text in new if text not in self._distinct][:room])

    def _is_free_text(self) -> bool:
        if not self._texts or self._characters / self._texts < _TEXT_LENGTH:
            return False
        return len(self._distinct) >= min(self._texts / 2, _DISTINCT_CAP)


def has_leading_zeros(array: pa.Array) -> bool:
    """Say whether any text is like `01`: a code that reading as a number would damage."""
    if len(array) == 0 or array.buffers()[2] is None:
        return False
    offsets = np.frombuffer(array.buffers()[1], np.int32)[array.offset :][: len(array) + 1]
    data = np.frombuffer(array.buffers()[2], np.uint8)
    starts = offsets[:-1][np.diff(offsets) > 1]
    digit = data[starts + 1] - 48  # wraps below zero
    return bool(((data[starts] == 48) & (digit < 10)).any())


def _as_numbers(array: pa.Array) -> pa.Array | None:
    if pa.types.is_integer(array.type) or pa.types.is_floating(array.type):
        return pc.cast(array, pa.float64(), safe=False)
    if not pa.types.is_string(array.type) or has_leading_zeros(array):
        return None
    try:
        pc.cast(array.drop_null()[:1], pa.float64())  # a failing cast of many cells is slow
        return pc.cast(array, pa.float64())
    except pa.ArrowInvalid:
        return None


def _is_boolean(array: pa.Array) -> bool:
    if pa.types.is_boolean(array.type):
        return True
    if not pa.types.is_string(array.type) or _first(array).lower() not in ("true", "false"):
        return False
    words = pc.is_in(pc.utf8_lower(array.drop_null()), value_set=pa.array(["true", "false"]))
    return bool(pc.all(words).as_py())


def _is_date(array: pa.Array) -> bool:
    if not pa.types.is_string(array.type):
        return bool(pa.types.is_timestamp(array.type) or pa.types.is_date(array.type))
    try:
        parse_dates(array.drop_null()[:1])  # a failing cast of many cells is slow
        parse_dates(array)
    except ValueError:
        return False
    return True


def _first(array: pa.Array) -> str:
    """Return the first text that is not null."""
    return str(array.drop_null()[0].as_py())
