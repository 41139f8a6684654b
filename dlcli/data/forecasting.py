"""Rows in order of time: parts by time, a fit on the training rows alone, windows over all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pyarrow as pa
import torch

from dlcli.config.data import CategoryOptions, MissingOptions, SeriesOptions
from dlcli.data.calendar import circle_names
from dlcli.data.checks import constant_warnings
from dlcli.data.encoders.category import CategoryFit, CellKind
from dlcli.data.encoders.encoder import Encoder, Fit
from dlcli.data.encoders.number import NumberEncoder, NumberFit
from dlcli.data.examples import WindowExamples
from dlcli.data.fitting import fit_columns
from dlcli.data.prepared import Prepared
from dlcli.data.preprocessor import Preprocessor
from dlcli.data.series import SeriesRows, encode_rows, filled_words
from dlcli.data.sources.series import SeriesSource
from dlcli.data.sources.source import Sources, origin
from dlcli.data.spec import Window
from dlcli.data.time_split import split_by_time
from dlcli.data.timeline import Timeline, counted_rows, read_times, season_of, timeline_of
from dlcli.data.wording import counted
from dlcli.errors import ConfigError, DataError

_MEAN = MissingOptions(numeric="mean", indicator=False)


def prepare_series(sources: Sources, options: SeriesOptions, *, scale_targets: bool) -> Prepared:
    """See `dlcli.data.prepare.prepare`."""
    if not scale_targets and options.subtract_last:
        raise ConfigError(
            "the loss predicts by an exponential, to which no last value can be added",
            path=("data", "subtract_last"),
            suggestion="`subtract_last: false`, or another loss",
        )
    source = _source(sources)
    timeline = _timeline(source, options)
    parts = _parts(source, options, timeline)
    train = timeline.file_rows(parts["train"])
    encoders = _fit(source, sources, options, len(train), scale_targets)
    window = _window(source, sources, options, timeline)
    targets = {name: encoders[name] for name in sources.targets}
    preprocessor = Preprocessor(encoders, targets, window)
    rows = _rows(source, options, preprocessor, timeline, parts)
    examples = {part: _windows(rows, options, parts, part) for part in parts if len(parts[part])}
    return Prepared(
        task="forecasting",
        task_reason="the data are a series",
        preprocessor=preprocessor,
        examples=examples,
        rows={part: timeline.file_rows(of_part) for part, of_part in parts.items() if of_part},
        fingerprint=sources.fingerprint,
        files=sources.files,
        warnings=(
            *sources.warnings,
            *_filled_warnings(rows, timeline, parts, examples),
            *constant_warnings(preprocessor, remedy="`inputs` names the columns to use"),
        ),
        class_counts=None,
    )


def restore_series(
    sources: Sources, options: SeriesOptions, *, preprocessor: Preprocessor, parts: Sequence[str]
) -> Mapping[str, WindowExamples]:
    """See `dlcli.data.prepare.restore`."""
    source = _source(sources)
    timeline = _timeline(source, options)
    ranges = _parts(source, options, timeline)
    rows = _rows(source, options, preprocessor, timeline, ranges)
    return {part: _windows(rows, options, ranges, part) for part in parts if len(ranges[part])}


def _source(sources: Sources) -> SeriesSource:
    assert isinstance(sources.train, SeriesSource)
    return sources.train


def _timeline(source: SeriesSource, options: SeriesOptions) -> Timeline:
    if not source.time:
        return counted_rows(source.rows)
    batches = source.chunks(source.time)
    times = read_times(batches, source.time, are_numbers=source.are_numbers)
    return timeline_of(times, source.place, gaps=options.gaps)


def _parts(source: SeriesSource, options: SeriesOptions, timeline: Timeline) -> dict[str, range]:
    """Return the rows of each part.

    Raises:
        DataError: One has too few rows for a window.
    """
    past, horizon = options.past, options.horizon
    needs = f"a window takes {past + horizon:,}: `past: {past}` and `horizon: {horizon}`"
    if len(timeline) < past + horizon:
        raise DataError(
            f"{source.place} has {counted(len(timeline), 'row')}, and {needs}",
            path=("data", "past"),
            suggestion="more rows, or a shorter `past` or `horizon`",
        )
    parts = split_by_time(options.split, timeline)
    if len(parts["train"]) < past + horizon:
        raise DataError(
            f"the train part has {counted(len(parts['train']), 'row')} of {len(timeline):,}, and "
            f"{needs}",
            path=("data", "split"),
            suggestion="smaller `val` and `test` parts, or a shorter `past` or `horizon`",
        )
    for part in ("val", "test"):
        if 0 < len(parts[part]) < horizon:
            raise DataError(
                f"the {part} part has {counted(len(parts[part]), 'row')} of {len(timeline):,}, "
                f"fewer than the `horizon` of {horizon}",
                path=("data", "split"),
                suggestion=f"at least {horizon}, none, or a shorter `horizon`",
            )
    return parts


def _fit(
    source: SeriesSource,
    sources: Sources,
    options: SeriesOptions,
    train: int,
    scale_targets: bool,
) -> dict[str, Encoder]:
    """Fit every column on the first rows of the file, numbers before categories."""
    fits: dict[str, Fit] = {}
    for name in (*sources.targets, *sources.inputs):
        kind = source.kinds[name]
        scaling = options.scaling if scale_targets or name not in sources.targets else "none"
        if kind == "numeric":
            fits[name] = NumberFit(name, scaling, _MEAN)
        else:
            cells: CellKind = "boolean" if kind == "boolean" else "categorical"
            fits[name] = CategoryFit(name, cells, MissingOptions(), CategoryOptions())
    part_of = np.full(source.rows, -1, np.int8)
    part_of[:train] = 0
    fitted = fit_columns(source, fits, part_of)
    circle = {name: NumberEncoder(name, low=-1, high=1) for name in circle_names(options.calendar)}
    ordered: dict[str, Encoder] = {name: fitted[name] for name in fits}
    return ordered | circle


def _window(
    source: SeriesSource, sources: Sources, options: SeriesOptions, timeline: Timeline
) -> Window:
    season = options.season
    return Window(
        past=options.past,
        horizon=options.horizon,
        known=(*options.known, *circle_names(options.calendar)),
        targets=tuple(range(len(sources.targets))),
        subtract_last=options.subtract_last,
        per_channel=options.per_channel,
        season=season_of(timeline.step, options.past) if season is None else season,
        time=source.time,
        step=timeline.step,
        patch=options.patch,
    )


def _rows(
    source: SeriesSource,
    options: SeriesOptions,
    preprocessor: Preprocessor,
    timeline: Timeline,
    parts: Mapping[str, range],
) -> SeriesRows:
    circle = circle_names(options.calendar)
    columns = [name for name in preprocessor.inputs if name not in circle]
    edges = {0, len(timeline)} | {row for part in parts.values() for row in (part.start, part.stop)}
    return encode_rows(
        source.chunks(columns),
        preprocessor,
        timeline,
        options,
        edges=sorted(edges),
        place=source.place,
    )


def _windows(
    rows: SeriesRows, options: SeriesOptions, parts: Mapping[str, range], part: str
) -> WindowExamples:
    """Return the windows of a part: of train, those that lie in it; else, whose targets do."""
    own, past, horizon = parts[part], options.past, options.horizon
    if part == "train":
        count = (len(own) - past - horizon) // options.stride + 1
        return rows.windows(own.start, count, stride=options.stride)
    return fair_windows(rows, own.start - past, len(own) - horizon + 1, f"the {part} part")


def encode_series(
    batches: Iterable[pa.RecordBatch],
    options: SeriesOptions,
    preprocessor: Preprocessor,
    *,
    ahead: int = 0,
) -> tuple[SeriesRows, Timeline]:
    """Return the rows of a file that training has not seen, and their timeline.

    Args:
        batches: Rows with the columns of `series_columns`.
        options: The `data` section of the training.
        preprocessor: From its checkpoint.
        ahead: Rows to add after the last one; the calendar alone is known of them.

    Raises:
        DataError: There are no rows, a cell is not what its column holds, or times are amiss.
    """
    window = preprocessor.window
    assert window is not None
    read = list(batches)
    if not read:
        raise DataError("there are no records")
    place, _ = origin(read[0])
    if window.time:
        times = read_times(read, window.time, are_numbers=window.step[0] == "numbers")
        timeline = timeline_of(times, place, gaps=options.gaps, step=window.step)
    else:
        timeline = counted_rows(sum(batch.num_rows for batch in read))
    whole = timeline.extended(ahead) if ahead else timeline
    rows = encode_rows(read, preprocessor, whole, options, edges=(0, len(whole)), place=place)
    return rows, whole


def series_columns(options: SeriesOptions, preprocessor: Preprocessor) -> list[str]:
    """Return the columns that a file must have."""
    assert preprocessor.window is not None
    circle = circle_names(options.calendar)
    return [
        *preprocessor.window.time,
        *(name for name in preprocessor.inputs if name not in circle),
    ]


def labelled_windows(
    batches: Iterable[pa.RecordBatch], options: SeriesOptions, preprocessor: Preprocessor
) -> WindowExamples:
    """Return every window of a file that can be scored; see `encode_series`.

    Raises:
        DataError: There is none.
    """
    read = list(batches)
    rows, timeline = encode_series(read, options, preprocessor)
    needed = rows.window.past + rows.window.horizon
    if len(timeline) < needed:
        place, _ = origin(read[0])
        raise DataError(
            f"{place} has {counted(len(timeline), 'row')}, and a window takes {needed:,}: "
            f"`past: {rows.window.past}` and `horizon: {rows.window.horizon}`"
        )
    return fair_windows(rows, 0, len(timeline) - needed + 1, "the file")


def fair_windows(rows: SeriesRows, first: int, count: int, place: str) -> WindowExamples:
    """Return the windows that can be scored among `count` from row `first` on.

    Raises:
        DataError: None can.
    """
    windows = rows.windows(first, count)
    is_fair = rows.is_fair(first, count)
    if is_fair.all():
        return windows
    chosen = torch.from_numpy(np.flatnonzero(is_fair))
    if not len(chosen):
        raise DataError(
            f"none of {counted(count, 'window')} of {place} can be scored: of each a target is "
            "missing, or the past ends in missing values",
            suggestion="a shorter `horizon`, or a file that has those values",
        )
    return windows.of(chosen)


def _filled_warnings(
    rows: SeriesRows,
    timeline: Timeline,
    parts: Mapping[str, range],
    examples: Mapping[str, WindowExamples],
) -> list[str]:
    filled = filled_words(rows, timeline)
    if not filled:
        return []
    left = [
        f"{lost:,} of {part}"
        for part, windows in examples.items()
        if part != "train" and (lost := len(parts[part]) - rows.window.horizon + 1 - len(windows))
    ]
    scored = f"; windows left out of scores for that: {' and '.join(left)}" if left else ""
    return [f"missing and filled by lines between their neighbours: {filled}{scored}"]
