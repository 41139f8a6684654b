"""`data: series`: measurements in order of time, to be continued; reads no file."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from dlcli.config.data.base import DataOptions, Scaling, share_or_rows
from dlcli.config.options import MOST, Count, DataPath, Options

Steps = Annotated[int, Field(ge=1, le=2**20)]
CalendarPart = Literal["hour", "day_of_week", "day_of_month", "day_of_year", "month"]
Extent = Annotated[
    Annotated[int, Field(ge=0)] | Annotated[float, Field(ge=0)] | str, AfterValidator(share_or_rows)
]
"""A share of the rows (a number below 1), a number of rows, or the date of the first row."""


class TimeSplitOptions(Options):
    """Parts in order of time: train, then val, then test; each target row is in one part."""

    train: Annotated[int, Field(ge=1, le=MOST)] | None = Field(
        None, description="Rows to train on, the first ones; null takes all that are left."
    )
    val: Extent = Field(
        0.1,
        description="Validation part: a number below 1 is a share, a whole number is rows, a date "
        "is where it begins.",
    )
    test: Extent = Field(0.1, description="Test part, likewise.")


class SeriesOptions(DataOptions):
    """Forecasting: rows in order of time, windows of the past, a horizon ahead."""

    forms = frozenset({"vector", "sequence"})
    task = "forecasting"

    name: Literal["series"] = "series"
    builds: ClassVar[str] = "dlcli.data.sources.series:open_series"

    path: DataPath = Field(description="CSV, TSV, JSON lines or Parquet file, a row per time.")
    header: bool = Field(True, description="The first line of a CSV file names the columns.")
    columns: Annotated[list[str], Field(min_length=1)] | None = Field(
        None, description="Names of the columns of a CSV file without a header."
    )
    separator: Annotated[str, Field(min_length=1, max_length=1)] | None = Field(
        None, description="Between two fields; null is a tab for .tsv and .tab, else a comma."
    )
    encoding: str = Field("utf-8", description="Encoding of text files, such as `latin-1`.")
    na_values: list[str | int | float] = Field(
        ["NA", "N/A", "NaN", "nan", "null", "None"],
        description="Cells that mean missing; an empty cell always does.",
    )
    time: str | Annotated[list[str], Field(min_length=1)] | None = Field(
        None,
        description="Column of times, or columns such as `[year, month, day, hour]`; null takes "
        "the one column of dates, or counts rows.",
    )
    target: str | Annotated[list[str], Field(min_length=1)] = Field(
        description="Column to forecast, or a list of them."
    )
    inputs: list[str] | None = Field(
        None,
        description="Columns whose past is used beside the targets' own; null takes every one "
        "that is left.",
    )
    known: list[str] = Field(
        [], description="Input columns that are known for the time ahead as well, such as holidays."
    )
    calendar: list[CalendarPart] = Field(
        [], description="Parts of the time to add as known inputs, each as a point on a circle."
    )
    past: Steps = Field(96, description="Rows that a forecast looks back on.")
    horizon: Steps = Field(24, description="Rows that it looks ahead.")
    stride: Count = Field(1, description="Rows from one training window to the next.")
    patch: Steps = Field(
        1,
        description="Rows that a sequence model reads as one step, such as the 24 hours of a day "
        "(arXiv 2211.14730); divides `past`.",
    )
    season: Steps | None = Field(
        None,
        description="Rows of a season, for the seasonal naive forecast; null chooses by the time "
        "between rows.",
    )
    gaps: Literal["interpolate", "refuse", "ignore"] = Field(
        "interpolate",
        description="Missing rows and values: draw a line between their neighbours, or refuse the "
        "file; `ignore` takes rows one after the other, whatever their times (trading days).",
    )
    scaling: Scaling = Field(
        "standard", description="Of every column, by the training part; as for tables."
    )
    subtract_last: bool = Field(
        True,
        description="Take the window's last value off its columns, and add it to the forecast "
        "again.",
    )
    per_channel: bool = Field(
        False,
        description="Forecast every target from its own past alone, all by one network.",
    )
    split: TimeSplitOptions = Field(
        TimeSplitOptions(), description="How rows are given to the parts."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        targets = self.targets
        if self.inputs is not None and self.per_channel and set(self.inputs) - set(targets):
            raise ValueError("`per_channel: true` uses the targets' own past, so no other `inputs`")
        if len(set(targets)) < len(targets):
            raise ValueError("`target` names a column twice")
        unknown = [name for name in self.known if name in targets]
        if unknown:
            raise ValueError(f"`known` names the target {unknown[0]}, which is what is forecast")
        if self.season is not None and self.season > self.past:
            raise ValueError(
                f"`season: {self.season}` does not fit into `past: {self.past}`, where the "
                "seasonal naive forecast finds its values"
            )
        if self.past % self.patch:
            raise ValueError(
                f"`past: {self.past}` cannot be cut into whole steps of `patch: {self.patch}`"
            )
        return self

    @property
    def targets(self) -> list[str]:
        """The columns to forecast."""
        return [self.target] if isinstance(self.target, str) else self.target
