"""The `data` section: where records come from, how they are split and prepared; reads no file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from dlcli.config.options import MOST, Count, DataPath, Options, Seed

Scaling = Literal["standard", "min_max", "robust", "none"]
ColumnType = Literal["numeric", "categorical", "boolean", "date"]
Scalar = str | int | float | bool


def _share_or_rows(value: float) -> float:
    if isinstance(value, float) and value >= 1:
        raise ValueError(
            f"{value} is neither a share (a number below 1) nor rows (a whole number, no point)"
        )
    return value


ShareOrRows = Annotated[int | float, Field(ge=0), AfterValidator(_share_or_rows)]
"""A share of the rows (a number below 1), or a number of rows (a whole number)."""


class SplitOptions(Options):
    """Which rows train the model, which choose the best epoch (val) and which judge it (test)."""

    val: ShareOrRows = Field(
        0.1,
        description="Validation part: a number below 1 is a share, a whole number is rows. "
        "Of fewer than 20 rows in all, a share makes no part.",
    )
    test: ShareOrRows = Field(0.1, description="Test part, likewise; none beside a test file.")
    column: str | None = Field(
        None, description="Column that says `train`, `val` or `test` for each row; null draws rows."
    )
    group: str | None = Field(
        None,
        description="Column whose equal values stay in one part (a patient, a user); not an input.",
    )
    stratify: bool | None = Field(
        None,
        description="Give each part the same mix of classes; null does so for classification.",
    )
    seed: Seed = Field(0, description="Draws the parts; the same rows whatever `seed` trains.")
    folds: Annotated[int, Field(ge=2, le=MOST)] | None = Field(
        None, description="Number of folds, each of which is the test part once; null makes none."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.group is not None and self.stratify:
            raise ValueError("`group` keeps rows together, so `stratify: true` cannot hold as well")
        if self.column is not None and self.folds is not None:
            raise ValueError("`column` names the parts, so `folds` cannot draw them")
        if self.column is not None and self.group is not None:
            raise ValueError("`column` names the parts, so `group` has no effect: leave one out")
        return self


class MissingOptions(Options):
    """What takes the place of a missing value; fitted on the training rows."""

    numeric: Literal["median", "mean", "most_frequent", "constant", "refuse"] = Field(
        "median",
        description="Fill of numbers. A column that is complete in training is filled by its mean.",
    )
    categorical: Literal["category", "most_frequent", "constant", "refuse"] = Field(
        "category", description="`category` makes missing a category of its own."
    )
    fill_value: float = Field(0.0, description="The number that `numeric: constant` puts there.")
    fill_category: str = Field(
        "missing", description="The category that `categorical: constant` puts there."
    )
    indicator: bool = Field(
        True, description="Add an input that says `missing` to numbers missing in training rows."
    )


class CategoryOptions(Options):
    """How categories become inputs."""

    encoding: Literal["embedding", "one_hot"] = Field(
        "embedding", description="A learned vector per category, or one input per category."
    )
    min_count: Count = Field(
        2, description="Categories of fewer training rows share the place of unknown ones."
    )
    embedding_size: Annotated[int, Field(ge=0, le=2**20)] = Field(
        0, description="Width of the learned vectors; 0 chooses by the number of categories."
    )


class DataOptions(Options):
    """What every kind of data has."""

    if TYPE_CHECKING:  # every component declares its own
        name: str = ""

    split: SplitOptions = Field(SplitOptions(), description="How rows are given to the parts.")
    batch_size: Count = Field(32, description="Rows per optimizer step.")


class TabularOptions(DataOptions):
    """What every kind of data made of columns has."""

    missing: MissingOptions = Field(
        MissingOptions(), description="What takes the place of missing values."
    )
    scaling: Scaling = Field(
        "standard",
        description="Numbers: `standard` to mean 0 and deviation 1, `min_max` to 0..1, `robust` by "
        "median and quartiles.",
    )
    target_scaling: Literal["auto", "standard", "min_max", "robust", "none"] = Field(
        "auto",
        description="Likewise for a regression target; `auto` is standard where the loss allows.",
    )
    categories: CategoryOptions = Field(
        CategoryOptions(), description="How categories become inputs."
    )


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


class DigitsOptions(DataOptions):
    """1,797 handwritten digits, images of 8 x 8 pixels in 10 classes."""

    name: Literal["digits"] = "digits"
    builds: ClassVar[str] = "dlcli.data.sources.embedded:open_embedded"


class IrisOptions(TabularOptions):
    """150 iris flowers, 4 measures, 3 species."""

    name: Literal["iris"] = "iris"
    builds: ClassVar[str] = "dlcli.data.sources.embedded:open_embedded"


class WineOptions(TabularOptions):
    """178 wines, 13 chemical measures, 3 growers."""

    name: Literal["wine"] = "wine"
    builds: ClassVar[str] = "dlcli.data.sources.embedded:open_embedded"


class BreastCancerOptions(TabularOptions):
    """569 tumours, 30 measures, malignant or benign."""

    name: Literal["breast_cancer"] = "breast_cancer"
    builds: ClassVar[str] = "dlcli.data.sources.embedded:open_embedded"


class DiabetesOptions(TabularOptions):
    """442 patients, 10 measures, progression of diabetes after a year (a number)."""

    name: Literal["diabetes"] = "diabetes"
    builds: ClassVar[str] = "dlcli.data.sources.embedded:open_embedded"


class LineOptions(TabularOptions):
    """The first data set: y = 2x at x = 0, 1, 2, 3."""

    name: Literal["line"] = "line"
    builds: ClassVar[str] = "dlcli.data.sources.line:open_line"


class InlineOptions(TabularOptions):
    """A few rows written in the config itself."""

    name: Literal["inline"] = "inline"
    builds: ClassVar[str] = "dlcli.data.sources.inline:open_inline"

    x: Annotated[
        list[float] | list[Annotated[list[float], Field(min_length=1)]], Field(min_length=1)
    ] = Field(description="Inputs: a number per row, or a list of numbers per row.")
    y: Annotated[list[Scalar], Field(min_length=1)] = Field(
        description="Targets: a number or a class name per row."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(self.x) != len(self.y):
            raise ValueError(f"`x` has {len(self.x)} rows and `y` has {len(self.y)}")
        widths = sorted({len(row) if isinstance(row, list) else 1 for row in self.x})
        if len(widths) > 1:
            raise ValueError(f"rows of `x` have different lengths: {', '.join(map(str, widths))}")
        if len({isinstance(value, str) for value in self.y}) > 1:
            raise ValueError("`y` mixes names and numbers: quote the numbers if they are names")
        return self
