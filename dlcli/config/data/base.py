"""What every kind of data has: a batch size, parts, and encoders' options; reads no file."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self, TypeVar

from pydantic import AfterValidator, Field, model_validator

from dlcli.config.options import MOST, Count, DataPath, Options, Seed

Scaling = Literal["standard", "min_max", "robust", "none"]
ColumnType = Literal["numeric", "categorical", "boolean", "date", "text"]
Scalar = str | int | float | bool


Part = TypeVar("Part", int | float, int | float | str)


def share_or_rows(value: Part) -> Part:
    """Refuse a number that is neither a share nor rows."""
    if isinstance(value, float) and value >= 1:
        raise ValueError(
            f"{value} is neither a share (a number below 1) nor rows (a whole number, no point)"
        )
    return value


ShareOrRows = Annotated[int | float, Field(ge=0), AfterValidator(share_or_rows)]
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


Form = Literal["vector", "image", "sequence", "stream", "ids"]
FORMS: dict[Form, str] = {
    "vector": "numbers side by side",
    "image": "pictures",
    "sequence": "sequences",
    "stream": "running text",
    "ids": "two columns of ids",
}
"""What a model can be given, in words."""


def worded(forms: Iterable[Form]) -> str:
    """Return forms in words."""
    return " or ".join(FORMS[form] for form in forms)


Section = TypeVar("Section", bound=Options)


class TextOptions(Options):
    """How texts become tokens; the vocabulary is that of the training rows."""

    tokens: Literal["word", "character"] = Field(
        "word", description="What a token is; words are words, numbers and single other signs."
    )
    tokenizer: DataPath | None = Field(
        None,
        description="File of the `tokenizers` library, which then makes the tokens; the checkpoint "
        "keeps it.",
    )
    lowercase: bool = Field(
        True, description="Take capital letters for small ones; a tokenizer decides for itself."
    )
    min_count: Count = Field(
        2, description="Tokens of fewer training occurrences share the place of unknown ones."
    )
    max_tokens: Annotated[int, Field(ge=1, le=2**20)] = Field(
        20_000, description="Size of the vocabulary: the most frequent ones."
    )
    max_length: Annotated[int, Field(ge=1, le=2**16)] = Field(
        256, description="Tokens of a row: the first so many."
    )
    embedding_size: Annotated[int, Field(ge=1, le=2**16)] = Field(
        64, description="Width of a token's learned vector."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.tokenizer is not None and self.tokens != "word":
            raise ValueError("`tokenizer` makes the tokens, so `tokens` has no effect")
        return self


class DataOptions(Options):
    """What every kind of data has.

    Attributes:
        forms: What these data can be given to a model as; None where only the data tell.
        task: What is learned from them, where that is the same for all of the kind.
    """

    forms: ClassVar[frozenset[Form] | None] = None
    task: ClassVar[str | None] = None

    if TYPE_CHECKING:  # every component declares its own
        name: str = ""

    batch_size: Count | Literal["auto"] = Field(
        32,
        description="Rows per optimizer step; `auto` takes the largest power of two that memory "
        "holds.",
    )

    @property
    def rows_per_step(self) -> int:
        """`batch_size` as a number; a training puts one in the place of `auto` before it begins."""
        assert self.batch_size != "auto"
        return self.batch_size

    @property
    def folds(self) -> int | None:
        """Number of folds, each of which is the test part once; None where there are none."""
        return None

    def section(self, kind: type[Section]) -> Section | None:
        """Return the options of this class among one's own; None where there are none."""
        own = (getattr(self, name) for name in type(self).model_fields)
        return next((value for value in own if isinstance(value, kind)), None)


class RecordOptions(DataOptions):
    """What every kind of data has whose rows stand each for itself."""

    split: SplitOptions = Field(SplitOptions(), description="How rows are given to the parts.")
    cache: Literal["auto", "always", "never"] = Field(
        "auto",
        description="Encoded rows and decoded pictures on disk: `auto` keeps what memory does not "
        "hold or what took long; results do not depend on it.",
    )

    @property
    def folds(self) -> int | None:
        """See `DataOptions.folds`."""
        return self.split.folds


class TabularOptions(RecordOptions):
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
    text: TextOptions = Field(TextOptions(), description="How texts become inputs.")
