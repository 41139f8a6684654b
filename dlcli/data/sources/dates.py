"""Dates as people write them, to timestamps."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

_REWRITES = (
    (r"^(\d{4})[/.](\d{1,2})[/.](\d{1,2})", r"\1-\2-\3"),
    (r"^(\d{1,2})\.(\d{1,2})\.(\d{4})", r"\3-\2-\1"),
    (r"^(\d{4})-(\d{1,2})$", r"\1-\2-1"),
    (r"-(\d)(-|$|[ T])", r"-0\1\2"),
    (r"-(\d)($|[ T])", r"-0\1\2"),
)

ACCEPTED_DATES = "2024-03-31, 2024-03-31 17:00:00, 2024/3/31, 31.3.2024 or 2024-03"


def parse_dates(array: pa.Array) -> pa.Array:
    """Return texts or times as naive timestamps in microseconds; times with a zone become UTC.

    Raises:
        ValueError: A text is not a date; see `ACCEPTED_DATES`.
    """
    if not pa.types.is_string(array.type):
        return _naive(array)
    parsed = _cast(array)
    parsed = _cast(_rewritten(array)) if parsed is None else parsed
    if parsed is None:
        raise ValueError("not a date")
    return parsed


def _cast(array: pa.Array) -> pa.Array | None:
    for unit in (pa.timestamp("us"), pa.timestamp("us", tz="UTC")):
        try:
            return _naive(pc.cast(array, unit))
        except pa.ArrowInvalid:
            continue
    return None


def _naive(array: pa.Array) -> pa.Array:
    if not pa.types.is_temporal(array.type):
        raise ValueError("not a date")
    try:
        zoned = pa.types.is_timestamp(array.type) and array.type.tz is not None
        return pc.cast(array, pa.timestamp("us", tz="UTC" if zoned else None)).cast(
            pa.timestamp("us")
        )
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise ValueError("not a date") from error


def _rewritten(array: pa.Array) -> pa.Array:
    for pattern, replacement in _REWRITES:
        array = pc.replace_substring_regex(array, pattern=pattern, replacement=replacement)
    return array
