"""`dlcli predict` of a series: forecasts past the end of a file, or rolling over it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dlcli.build import Learner
from dlcli.commands.inputs import Given
from dlcli.commands.wishes import Wishes
from dlcli.config.data import SeriesOptions
from dlcli.data.encoders.number import NumberEncoder
from dlcli.data.forecasting import encode_series, series_columns
from dlcli.data.series import SeriesRows
from dlcli.data.sources.dialect import dialect_of
from dlcli.data.sources.records import read_records
from dlcli.data.spec import Window
from dlcli.data.timeline import Timeline
from dlcli.data.wording import counted
from dlcli.errors import DataError, UsageError
from dlcli.report.predictions import Predictions
from dlcli.trained import TrainedModel


@dataclass(frozen=True)
class _File:
    """A file's rows, encoded.

    Attributes:
        rows: Those of the file, then room for what is forecast.
        timeline: Of all of them.
        count: Rows of the file.
    """

    rows: SeriesRows
    timeline: Timeline
    count: int


def forecasts(
    model: TrainedModel, given: Given, wishes: Wishes, notes: Counter[str]
) -> Iterator[Predictions]:
    """Yield the forecasts for one file; what is odd about it is counted in `notes`.

    Rows at the end of the file that have no target are what is to be forecast: they may tell what
    is known ahead.

    Raises:
        DataError: The file has too few rows, or does not tell what must be known ahead.
        UsageError: The horizon asked for is out of the model's reach.
    """
    learner, options = model.learner, model.config.data
    window = learner.preprocessor.window
    assert isinstance(options, SeriesOptions)
    assert window is not None
    horizon = wishes.horizon or window.horizon
    _check_reach(learner, horizon, is_backtest=wishes.is_backtest)
    ahead = -(-horizon // window.horizon) * window.horizon
    if wishes.is_backtest:  # the last window's horizon may reach beyond what is asked for
        ahead = 0 if options.known else window.horizon - horizon
    batches = read_records(
        given, dialect_of(options), needed=series_columns(options, learner.preprocessor)
    )
    rows, timeline = encode_series(batches, options, learner.preprocessor, ahead=ahead)
    file = _File(rows, timeline, len(rows) - ahead)
    if wishes.is_backtest:
        yield from _rolling(learner, file, horizon, notes)
        return
    begin = rows.end
    if begin < window.past:
        raise DataError(
            f"found {counted(begin, 'row')} with a target, and a forecast looks back on "
            f"{window.past}"
        )
    _check_known(file, options, ahead)
    _note(learner, file, slice(begin - window.past, begin), notes)
    starts = range(begin, begin + ahead, window.horizon)
    answers = torch.cat([_next(learner, file, start) for start in starts])
    places = {_name(window): timeline.labels(slice(begin, begin + horizon))}
    task = learner.task
    yield Predictions(task.names, task.decode(answers[:horizon]), places=places)


def _check_reach(learner: Learner, horizon: int, *, is_backtest: bool) -> None:
    """Refuse a horizon that takes several forecasts in a row where they cannot follow each other.

    Raises:
        UsageError: A backtest looks further than one forecast; or a forecast of more needs inputs
            that are neither forecast nor known.
    """
    window, own = learner.preprocessor.window, learner.preprocessor
    assert window is not None
    if horizon <= window.horizon:
        return
    if is_backtest:
        raise UsageError(f"--backtest looks at most {window.horizon} rows ahead, as in training")
    needed = [name for name in own.inputs if name not in {*own.targets, *window.known}]
    if needed:
        shown = ", ".join(f"`{name}`" for name in needed[:5]) + ", ..." * (len(needed) > 5)
        raise UsageError(
            f"--horizon {horizon} goes beyond the {window.horizon} rows of training, and there "
            f"{shown} would have to be known"
        )


def _check_known(file: _File, options: SeriesOptions, ahead: int) -> None:
    """Refuse a file that ends before what must be known ahead.

    Raises:
        DataError: It does.
    """
    found = file.count - file.rows.end
    if options.known and found < ahead:
        known = ", ".join(f"`{name}`" for name in options.known)
        raise DataError(
            f"the forecast needs {known} for {counted(ahead, 'row')} ahead, and after the last row "
            f"with a target there {'is' if found == 1 else 'are'} {found}",
            suggestion="add rows with time and what is known, and leave the target empty",
        )


def _next(learner: Learner, file: _File, begin: int) -> Tensor:
    """Forecast the rows from `begin` on (H, D), in units; what is forecast becomes their past."""
    rows = file.rows
    blocks = rows.windows(begin - rows.window.past, 1).slice(0, 1).inputs
    with torch.inference_mode():
        inputs = {name: block.to(learner.device) for name, block in blocks.items()}
        linked = learner.loss.link(learner.network(inputs))  # (1, H, D)
        answers = learner.task.answers(linked)[0].cpu()
    ahead = slice(begin, begin + rows.window.horizon)
    rows.numbers[ahead, : len(rows.window.targets)] = linked[0].cpu().numpy()
    return answers


def _rolling(
    learner: Learner, file: _File, horizon: int, notes: Counter[str]
) -> Iterator[Predictions]:
    """Yield a forecast every `horizon` rows, beside what came; the last one ends with the file.

    Raises:
        DataError: The file has too few rows for one.
    """
    rows, window, task = file.rows, file.rows.window, learner.task
    last = min(rows.end - horizon, len(rows) - window.horizon)
    if last < window.past:
        raise DataError(
            f"found {counted(rows.end, 'row')} with a target, and a forecast to look back on "
            f"takes more: `past: {window.past}` and `horizon: {horizon}`"
        )
    begins = np.arange(window.past + (last - window.past) % horizon, last + 1, horizon)
    is_drawn = rows.is_drawn[begins - 1]
    notes.update({"forecasts left out, as their past ends in missing values": int(is_drawn.sum())})
    notes += Counter()  # drops zeros
    begins = begins[~is_drawn]
    _note(learner, file, slice(0, rows.end), notes)
    chosen = (
        rows.windows(0, last - window.past + 1)
        .of(torch.from_numpy(begins - window.past))
        .to(learner.device)
    )
    evaluation, done = learner.evaluation, 0
    for outputs, batch in evaluation.outputs(learner.network, chosen):
        here = begins[done : done + len(batch)]
        done += len(batch)
        ahead = (here[:, None] + np.arange(horizon)).ravel()
        answers, truths = evaluation.answers(outputs), evaluation.truths(batch.targets)
        actual = task.decode(truths[:, :horizon].cpu())
        places = {
            "origin": file.timeline.labels(np.repeat(here - 1, horizon)),
            _name(window): file.timeline.labels(ahead),
        } | {
            "actual" if task.size == 1 else f"actual_{name}": [
                None if missing else value
                for value, missing in zip(values, rows.is_missing[ahead, index], strict=True)
            ]
            for index, (name, values) in enumerate(zip(task.names, actual, strict=True))
        }
        yield Predictions(task.names, task.decode(answers[:, :horizon].cpu()), places=places)


def _name(window: Window) -> str:
    return "time" if window.time else "row"


def _note(learner: Learner, file: _File, past: slice, notes: Counter[str]) -> None:
    """Count rows of the past that were filled, and values far from those of training."""
    filled = file.rows.is_missing[past].any(1) | file.rows.is_drawn[past]
    if filled.any():
        notes["rows of the past with missing values, which were filled"] += int(filled.sum())
    numeric = [e for e in learner.preprocessor.inputs.values() if isinstance(e, NumberEncoder)]
    for column, encoder in zip(file.rows.numbers[past].T, numeric, strict=True):
        values = column.astype(np.float64) * encoder.scale + encoder.shift
        span = 1.001 * (encoder.high - encoder.low)
        far = int(((values < encoder.low - span) | (values > encoder.high + span)).sum())
        if far:
            notes[f"column `{encoder.name}`, value far outside the training range"] += far
