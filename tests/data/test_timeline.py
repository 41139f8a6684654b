"""Times: read from cells, told apart by a step, parts of a day as points on a circle."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from dlcli.config.data import TimeSplitOptions
from dlcli.data.calendar import circle_names, circles
from dlcli.data.time_split import split_by_time
from dlcli.data.timeline import Timeline, counted_rows, read_times, season_of, timeline_of
from dlcli.errors import ConfigError, DataError

HOUR = 3_600_000_000


def dates(*texts: str) -> np.ndarray:
    return np.array(texts, "datetime64[us]")


def read(**columns: list[object]) -> np.ndarray:
    return read_times([pa.record_batch(columns)], list(columns), are_numbers=False)


@pytest.mark.parametrize(
    "columns",
    [
        {"time": ["2024-02-28 23:00:00", "2024-02-29 00:00:00"]},
        {"y": ["2024", "2024"], "m": ["2", "2"], "d": ["28", "29"], "h": ["23", "0"]},
        {"y": [2024, 2024], "m": [2, 2], "d": [28, 28], "h": [23, 24]},
        {"date": ["2024-02-28", "2024-02-29"], "time": ["23:00:00", "00:00:00"]},
        {"date": ["2024-02-28", "2024-02-29"], "hour": ["23", "0"]},
    ],
)
def test_one_time_is_read_from_one_column_or_from_several(columns):
    assert read(**columns).tolist() == dates("2024-02-28T23", "2024-02-29T00").tolist()


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"t": ["2024-01-01", None]}, "row 2, column `t`: a value is missing, and every row"),
        ({"t": ["2024-01-01", "soon"]}, 'row 2, column `t`: "soon" is not a date such as'),
        ({"y": ["2024", "2024"], "m": ["1", "13"]}, "row 2, column `m`: 13.0 is no month"),
        ({"d": ["2024-01-01", "2024-01-02"], "t": ["9", "late"]}, "gives `2024-01-02 late`"),
    ],
)
def test_a_time_that_is_none_is_named(columns, message):
    with pytest.raises(DataError, match=message):
        read(**columns)


@pytest.mark.parametrize(
    ("start", "step", "unit"),
    [
        ("2024-01-01", ("microseconds", HOUR), "h"),
        ("2024-01-01", ("microseconds", 24 * HOUR), "D"),
        ("2024-01-01", ("microseconds", 7 * 24 * HOUR), "W"),
        ("2023-11", ("months", 1), "M"),
        ("1990", ("months", 12), "Y"),
    ],
)
def test_the_step_is_told_and_goes_on(start, step, unit):
    every = np.arange(np.datetime64(start, unit), np.datetime64(start, unit) + 30)
    times = every.astype("datetime64[us]")

    found = timeline_of(times[:20], "f", gaps="interpolate")

    assert found.step == step
    assert (found.extended(10).times == times).all()


def test_the_ends_of_months_are_a_month_apart():
    firsts = np.arange("2023-02", "2025-02", dtype="datetime64[M]").astype("datetime64[us]")
    times = firsts - np.timedelta64(1, "D")
    assert (timeline_of(times[:12], "f", gaps="refuse").extended(12).times == times).all()


def test_a_missing_end_of_a_month_is_the_end_of_that_month():
    times = dates("2024-01-31", "2024-03-31", "2024-04-30", "2024-05-31")
    found = timeline_of(times, "f", gaps="interpolate")
    assert found.labels(slice(1, 2)) == ["2024-02-29"]


def test_after_two_ends_of_long_months_comes_the_end_of_a_short_one():
    found = timeline_of(dates("2024-07-31", "2024-08-31"), "f", gaps="refuse")
    assert found.extended(1).labels(slice(2, 3)) == ["2024-09-30"]


def test_numbers_and_rows_go_on_too():
    tenths = timeline_of(np.arange(30) * 0.1, "f", gaps="interpolate")
    assert tenths.extended(1).times[-1] == pytest.approx(3.0)
    assert counted_rows(3).extended(2).labels(slice(2, 5)) == [3, 4, 5]


def test_missing_rows_get_their_places():
    times = dates("2024-01-01", "2024-01-02", "2024-01-05", "2024-01-06")
    found = timeline_of(times, "f", gaps="interpolate")
    assert found.places is not None
    assert found.places.tolist() == [0, 1, 4, 5]
    assert found.lost == 2
    assert found.extended(3).lost == 2
    assert found.labels(slice(None)) == [f"2024-01-0{day}" for day in range(1, 7)]
    assert found.file_rows(range(1, 5)).tolist() == [1, 2]
    with pytest.raises(DataError, match=r"2 of 6 are missing, the first after row 2 \(2024-01-02"):
        timeline_of(times, "f", gaps="refuse")
    assert timeline_of(times, "f", gaps="ignore").places is None


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (["2024-01-01", "2024-01-03", "2024-01-02"], "f, row 3: 2024-01-02 comes after 2024-01-03"),
        (["2024-01-01", "2024-01-02", "2024-01-02"], "row 3: 2024-01-02 has the time of the row"),
        (
            ["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-03T07"],
            "row 4: 2024-01-03 07:00:00 is not a whole number of steps .* 1 day apart",
        ),
        (
            ["1970-01-01", "1970-01-02", "2024-01-01"],
            "rows are 1 day apart, and 19,721 of 19,724 are missing",
        ),
    ],
)
def test_times_that_are_amiss_are_named_with_their_row(times, message):
    with pytest.raises(DataError, match=message):
        timeline_of(dates(*times), "f", gaps="interpolate")


def test_another_step_than_in_training_is_refused():
    times = dates("2024-01-01", "2024-01-02", "2024-01-03")
    with pytest.raises(DataError, match="rows are 1 day apart, those of the training 1 hour"):
        timeline_of(times, "f", gaps="interpolate", step=("microseconds", HOUR))


def test_later_times_may_be_rounded_otherwise_than_those_of_training():
    trained = timeline_of(np.arange(1000) * 0.1, "f", gaps="refuse")
    later = timeline_of(np.arange(10_000, 10_100) * 0.1, "g", gaps="refuse", step=trained.step)
    assert later.step != trained.step
    assert len(later) == 100
    with pytest.raises(DataError, match=r"rows are 0\.2 apart, those of the training 0\.1"):
        timeline_of(np.arange(100) * 0.2, "g", gaps="refuse", step=trained.step)


def test_a_time_that_is_no_number_is_missing():
    batch = pa.record_batch({"t": [1.0, float("nan"), 3.0]})
    with pytest.raises(DataError, match="column `t`: a value is missing"):
        read_times([batch], ["t"], are_numbers=True)


@pytest.mark.parametrize(
    ("step", "season"),
    [
        (("microseconds", HOUR), 24),
        (("microseconds", HOUR // 4), 96),
        (("microseconds", 24 * HOUR), 7),
        (("microseconds", 7 * 24 * HOUR), 52),
        (("months", 1), 12),
        (("months", 3), 4),
        (("months", 12), 0),
        (("microseconds", HOUR // 60), 0),
        (("rows", 1), 0),
    ],
)
def test_the_season_goes_by_the_step_if_it_fits_in_the_past(step, season):
    assert season_of(step, 100) == season
    assert season_of(step, max(season, 1) - 1) == 0


def test_calendar_parts_are_circles_where_the_end_lies_beside_the_beginning():
    times = np.arange("2023-01-01T00", "2025-01-01T00", dtype="datetime64[h]")
    parts = ["hour", "day_of_week", "day_of_month", "day_of_year", "month"]

    points = circles(times.astype("datetime64[us]"), parts).reshape(len(times), -1, 2)

    assert circle_names(["hour"]) == ["hour_sin", "hour_cos"]
    assert np.allclose(np.square(points).sum(2), 1)
    expected = [time.item().hour / 24 for time in times[:50]]
    assert np.allclose(points[:50, 0, 0], np.sin(2 * np.pi * np.array(expected)))
    assert [time.item().weekday() for time in times[::24][:9]] == (
        np.round(np.arctan2(points[::24, 1, 0], points[::24, 1, 1])[:9] / (2 * np.pi / 7)) % 7
    ).tolist()
    leap = np.linalg.norm(np.diff(points, axis=0), axis=2).max(0)
    assert (leap < [0.27, 0.9, 0.9, 0.04, 0.53]).all()  # a step, or a month's missing days


DAYS = Timeline(
    np.arange("2024-01-01", "2024-04-10", dtype="datetime64[D]").astype("M8[us]"), ("d", 1)
)


@pytest.mark.parametrize(
    ("options", "bounds"),
    [
        ({}, [(0, 80), (80, 90), (90, 100)]),
        ({"val": 0.2, "test": 5}, [(0, 75), (75, 95), (95, 100)]),
        ({"train": 40, "val": 10, "test": 20}, [(0, 40), (40, 50), (50, 70)]),
        ({"val": "2024-03-01", "test": "2024-04-01"}, [(0, 60), (60, 91), (91, 100)]),
        ({"val": 10, "test": "2024-04-01"}, [(0, 81), (81, 91), (91, 100)]),
        ({"train": 50, "val": "2024-03-01", "test": 10}, [(0, 50), (60, 90), (90, 100)]),
        ({"val": 0, "test": 0}, [(0, 100), (100, 100), (100, 100)]),
    ],
)
def test_parts_are_rows_shares_or_dates(options, bounds):
    parts = split_by_time(TimeSplitOptions(**options), DAYS)
    assert [(part.start, part.stop) for part in parts.values()] == bounds
    assert list(parts) == ["train", "val", "test"]


@pytest.mark.parametrize(
    ("options", "timeline", "message"),
    [
        ({"train": 95, "val": 10}, DAYS, "do not fit into 100 rows"),
        ({"val": 60, "test": 40}, DAYS, "do not fit"),
        ({"val": "soon"}, DAYS, "`soon` is neither rows nor a share nor a date"),
        ({"val": "2024-03-01"}, counted_rows(9), "`2024-03-01` is a date, and these rows have"),
    ],
)
def test_parts_that_cannot_be_are_refused(options, timeline, message):
    with pytest.raises(ConfigError, match=message):
        split_by_time(TimeSplitOptions(**options), timeline)
