"""`data: table`: delimited text, JSON lines or Parquet; reads no file."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from dlcli.config.data.base import ColumnType, Scalar, TabularOptions
from dlcli.config.options import DataPath


class TableOptions(TabularOptions):
    """A table: CSV, TSV, JSON lines or Parquet, one file or several."""

    name: Literal["table"] = "table"
    builds: ClassVar[str] = "dlcli.data.sources.table:open_table"

    path: DataPath | Annotated[list[DataPath], Field(min_length=1)] = Field(
        description="File, list of files or pattern such as `part-*.csv`."
    )
    val_path: DataPath | Annotated[list[DataPath], Field(min_length=1)] | None = Field(
        None, description="Validation rows in a file of their own; null draws them from `path`."
    )
    test_path: DataPath | Annotated[list[DataPath], Field(min_length=1)] | None = Field(
        None, description="Test rows in a file of their own; null draws them from `path`."
    )
    header: bool = Field(True, description="The first line of CSV files names the columns.")
    columns: Annotated[list[str], Field(min_length=1)] | None = Field(
        None, description="Names of the columns of CSV files without a header."
    )
    separator: Annotated[str, Field(min_length=1, max_length=1)] | None = Field(
        None, description="Between two fields; null is a tab for .tsv and .tab, else a comma."
    )
    quoting: Literal["minimal", "none"] = Field(
        "minimal", description='`none` takes a `"` for text like any other.'
    )
    encoding: str = Field("utf-8", description="Encoding of text files, such as `latin-1`.")
    na_values: list[str | int | float] = Field(
        ["NA", "N/A", "NaN", "nan", "null", "None"],
        description="Cells that mean missing; an empty cell always does.",
    )
    strip: bool = Field(True, description="Take white space off both ends of every cell.")
    replace: dict[str, dict[Scalar, Scalar | None]] = Field(
        {}, description="Per column, cells to replace: `{income: {'>50K.': '>50K'}}`."
    )
    drop: list[str] = Field([], description="Columns to leave out.")
    target: str | Annotated[list[str], Field(min_length=1)] = Field(
        description="Column to predict, or a list of numeric ones."
    )
    types: dict[str, ColumnType] = Field(
        {}, description="Types of columns; inferred over the whole file unless given."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.header and self.columns is None:
            raise ValueError("`header: false` needs the names of the `columns`")
        if self.header and self.columns is not None:
            raise ValueError(
                "`columns` names the columns of files without one: add `header: false`"
            )
        if self.columns is not None and len(set(self.columns)) < len(self.columns):
            twice = sorted({name for name in self.columns if self.columns.count(name) > 1})
            raise ValueError(f"`columns` names {', '.join(twice)} more than once")
        if self.split.folds is not None and self.test_path is not None:
            raise ValueError("`split.folds` draws the test parts, so `test_path` cannot be given")
        return self
