"""Parts in order of time: a pure function of the options and the timeline."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from dlcli.config.data import TimeSplitOptions
from dlcli.data.sources.dates import ACCEPTED_DATES, parse_dates
from dlcli.data.timeline import Timeline
from dlcli.errors import ConfigError

Extent = int | float | str


def split_by_time(options: TimeSplitOptions, timeline: Timeline) -> dict[str, range]:
    """Return the rows of train, val and test; val and test may be empty.

    Raises:
        ConfigError: The parts overlap, leave nothing to train on or end after the last row; or
            a date is none.
    """
    rows = len(timeline)
    val, test = (_extent(options, part, timeline) for part in ("val", "test"))
    if isinstance(test, range):
        end = rows
    elif options.train is None or isinstance(val, range):
        end, test = rows, range(rows - test, rows)
    else:
        end = min(rows, options.train + val + test)
        test = range(end - test, end)
    if isinstance(val, int):
        first = test.start - val if options.train is None else options.train
        val = range(first, first + val)
    else:
        val = range(val.start, test.start)
    train = range(val.start if options.train is None else options.train)
    parts = {"train": train, "val": val, "test": range(test.start, end)}
    _check(parts, rows)
    return parts


def _extent(options: TimeSplitOptions, part: str, timeline: Timeline) -> int | range:
    """Return a number of rows, or, where a date is given, the rows from there on."""
    given: Extent = getattr(options, part)
    rows = len(timeline)
    if not isinstance(given, str):
        return given if isinstance(given, int) else round(given * rows)
    path = ("data", "split", part)
    if not timeline.is_dated:
        raise ConfigError(f"`{given}` is a date, and these rows have none", path=path)
    try:
        date = parse_dates(pa.array([given])).to_numpy(zero_copy_only=False)[0]
    except ValueError as error:
        raise ConfigError(
            f"`{given}` is neither rows nor a share nor a date",
            path=path,
            suggestion=f"a date is written {ACCEPTED_DATES}",
        ) from error
    first = int(np.searchsorted(timeline.times, date))
    if first == rows:
        last = timeline.labels(slice(-1, None))[0]
        raise ConfigError(f"no row is of {given} or later: the last one is of {last}", path=path)
    return range(first, rows)


def _check(parts: dict[str, range], rows: int) -> None:
    train, val, test = parts.values()
    bounds = [0, train.start, train.stop, val.start, val.stop, test.start, test.stop, rows]
    if bounds == sorted(bounds) and len(train):
        return
    said = ", ".join(f"{name} {part.start:,} to {part.stop:,}" for name, part in parts.items())
    raise ConfigError(
        f"the parts do not fit into {rows:,} rows one after the other: {said}",
        path=("data", "split"),
    )
