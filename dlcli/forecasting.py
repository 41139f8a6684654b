"""What comes after the rows of a series, told by a learner; writes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import torch
from torch import Tensor

from dlcli.build import Learner
from dlcli.config.data import SeriesOptions
from dlcli.data.forecasting import encode_series, series_columns
from dlcli.data.series import SeriesRows
from dlcli.data.sources.dialect import dialect_of
from dlcli.data.sources.records import read_records
from dlcli.data.sources.source import origin
from dlcli.data.timeline import Timeline
from dlcli.data.wording import counted
from dlcli.errors import DataError, UsageError


@dataclass(frozen=True)
class GivenSeries:
    """Rows that training has not seen, encoded.

    Attributes:
        rows: Those that were given, then room for what is forecast.
        timeline: Of all of them.
        count: Rows that were given.
        place: What messages call them.
    """

    rows: SeriesRows
    timeline: Timeline
    count: int
    place: str


@dataclass(frozen=True)
class Forecast:
    """What comes next.

    Attributes:
        answers: (H, D) in the targets' units, on the CPU.
        begin: Row of the first of them.
        series: What they follow.
    """

    answers: Tensor
    begin: int
    series: GivenSeries

    @property
    def rows(self) -> slice:
        """The rows that are told."""
        return slice(self.begin, self.begin + len(self.answers))


def read_series(
    learner: Learner,
    options: SeriesOptions,
    given: Path | BinaryIO | Sequence[Mapping[str, object]],
    *,
    ahead: int,
) -> GivenSeries:
    """Read and encode a file, a stream or records, with room for `ahead` rows after them.

    Raises:
        DataError: Columns are missing, or a cell is not what its column holds.
    """
    needed = series_columns(options, learner.preprocessor)
    batches = list(read_records(given, dialect_of(options), needed=needed))
    rows, timeline = encode_series(batches, options, learner.preprocessor, ahead=ahead)
    return GivenSeries(rows, timeline, len(rows) - ahead, origin(batches[0])[0])


def forecast(
    learner: Learner,
    options: SeriesOptions,
    given: Path | BinaryIO | Sequence[Mapping[str, object]],
    *,
    horizon: int | None = None,
) -> Forecast:
    """Tell the rows after the last one that has a target.

    Rows at the end that have no target are what is to be forecast: they may tell what is known
    ahead.

    Args:
        learner: Trained.
        options: The `data` section of the training.
        given: A file, a stream, or records in order of time.
        horizon: Rows to tell; None tells as many as in training.

    Raises:
        DataError: There are too few rows, or they do not tell what must be known ahead.
        UsageError: The horizon asked for is out of the model's reach.
    """
    window = learner.preprocessor.window
    assert window is not None
    horizon = horizon or window.horizon
    _check_reach(learner, horizon)
    ahead = -(-horizon // window.horizon) * window.horizon
    series = read_series(learner, options, given, ahead=ahead)
    begin = series.rows.end
    if begin < window.past:
        raise DataError(
            f"{series.place}: found {counted(begin, 'row')} with a target, and a forecast looks "
            f"back on {window.past}",
            suggestion="put the rows before them in, too",
        )
    _check_known(series, options, ahead)
    starts = range(begin, begin + ahead, window.horizon)
    answers = torch.cat([_next(learner, series.rows, start) for start in starts])
    return Forecast(answers[:horizon], begin, series)


def _check_reach(learner: Learner, horizon: int) -> None:
    """Refuse a horizon that takes several forecasts in a row where they cannot follow each other.

    Raises:
        UsageError: They need inputs that are neither forecast nor known.
    """
    window, own = learner.preprocessor.window, learner.preprocessor
    assert window is not None
    if horizon <= window.horizon:
        return
    needed = [name for name in own.inputs if name not in {*own.targets, *window.known}]
    if needed:
        shown = ", ".join(f"`{name}`" for name in needed[:5]) + ", ..." * (len(needed) > 5)
        raise UsageError(
            f"--horizon {horizon} goes beyond the {counted(window.horizon, 'row')} of training, "
            f"and there {shown} would have to be known"
        )


def _check_known(series: GivenSeries, options: SeriesOptions, ahead: int) -> None:
    """Refuse rows that end before what must be known ahead.

    Raises:
        DataError: They do.
    """
    found = series.count - series.rows.end
    if options.known and found < ahead:
        known = ", ".join(f"`{name}`" for name in options.known)
        raise DataError(
            f"the forecast needs {known} for {counted(ahead, 'row')} ahead, and after the last row "
            f"with a target there {'is' if found == 1 else 'are'} {found}",
            suggestion="add rows with time and what is known, and leave the target empty",
        )


def _next(learner: Learner, rows: SeriesRows, begin: int) -> Tensor:
    """Forecast the rows from `begin` on (H, D), in units; what is forecast becomes their past."""
    blocks = rows.windows(begin - rows.window.past, 1).slice(0, 1).inputs
    with torch.inference_mode():
        inputs = {name: block.to(learner.device) for name, block in blocks.items()}
        linked = learner.loss.link(learner.network(inputs))  # (1, H, D)
        answers = learner.task.answers(linked)[0].cpu()
    ahead = slice(begin, begin + rows.window.horizon)
    rows.numbers[ahead, : len(rows.window.targets)] = linked[0].cpu().numpy()
    return answers
