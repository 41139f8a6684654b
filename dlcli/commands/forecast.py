"""`dlcli predict` of a series: forecasts past the end of a file, or rolling over it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import torch

from dlcli.build import Learner
from dlcli.commands.inputs import Given
from dlcli.commands.wishes import Wishes
from dlcli.config.data import SeriesOptions
from dlcli.data.encoders.number import NumberEncoder
from dlcli.data.series import SeriesRows
from dlcli.data.spec import Window
from dlcli.data.wording import counted
from dlcli.errors import DataError, UsageError
from dlcli.forecasting import GivenSeries, forecast, read_series
from dlcli.report.predictions import Predictions
from dlcli.trained import TrainedModel


def forecasts(
    model: TrainedModel, given: Given, wishes: Wishes, notes: Counter[str]
) -> Iterator[Predictions]:
    """Yield the forecasts for one file; what is odd about it is counted in `notes`.

    Raises:
        DataError: The file has too few rows, or does not tell what must be known ahead.
        UsageError: The horizon asked for is out of the model's reach.
    """
    learner, options = model.learner, model.config.data
    window = learner.preprocessor.window
    assert isinstance(options, SeriesOptions)
    assert window is not None
    if wishes.is_backtest:
        horizon = wishes.horizon or window.horizon
        if horizon > window.horizon:
            raise UsageError(
                f"--backtest looks at most {counted(window.horizon, 'row')} ahead, as in training"
            )
        # the last window's horizon may reach beyond what is asked for
        ahead = 0 if options.known else window.horizon - horizon
        series = read_series(learner, options, given, ahead=ahead)
        yield from _rolling(learner, series, horizon, notes)
        return
    told = forecast(learner, options, given, horizon=wishes.horizon)
    _note(learner, told.series.rows, slice(told.begin - window.past, told.begin), notes)
    places = {_name(window): told.series.timeline.labels(told.rows)}
    task = learner.task
    yield Predictions(task.names, task.decode(told.answers), places=places)


def _rolling(
    learner: Learner, series: GivenSeries, horizon: int, notes: Counter[str]
) -> Iterator[Predictions]:
    """Yield a forecast every `horizon` rows, beside what came; the last one ends with the file.

    Raises:
        DataError: The file has too few rows for one.
    """
    rows, window, task = series.rows, series.rows.window, learner.task
    last = min(rows.end - horizon, len(rows) - window.horizon)
    if last < window.past:
        raise DataError(
            f"{series.place}: found {counted(rows.end, 'row')} with a target, and a forecast to "
            f"look back on takes more: `past: {window.past}` and `horizon: {horizon}`"
        )
    begins = np.arange(window.past + (last - window.past) % horizon, last + 1, horizon)
    is_drawn = rows.is_drawn[begins - 1]
    notes.update({"forecasts left out, as their past ends in missing values": int(is_drawn.sum())})
    notes += Counter()  # drops zeros
    begins = begins[~is_drawn]
    _note(learner, rows, slice(0, rows.end), notes)
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
            "origin": series.timeline.labels(np.repeat(here - 1, horizon)),
            _name(window): series.timeline.labels(ahead),
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


def _note(learner: Learner, rows: SeriesRows, past: slice, notes: Counter[str]) -> None:
    """Count rows of the past that were filled, and values far from those of training."""
    filled = rows.is_missing[past].any(1) | rows.is_drawn[past]
    if filled.any():
        notes["rows of the past with missing values, which were filled"] += int(filled.sum())
    numeric = [e for e in learner.preprocessor.inputs.values() if isinstance(e, NumberEncoder)]
    for column, encoder in zip(rows.numbers[past].T, numeric, strict=True):
        values = column.astype(np.float64) * encoder.scale + encoder.shift
        span = 1.001 * (encoder.high - encoder.low)
        far = int(((values < encoder.low - span) | (values > encoder.high + span)).sum())
        if far:
            notes[f"column `{encoder.name}`, value far outside the training range"] += far
