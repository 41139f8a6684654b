"""Small data sets that come with the program or stand in the config itself; reads no file."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from dlcli.config.data.base import Scalar, TabularOptions
from dlcli.config.data.image import PictureOptions


class DigitsOptions(PictureOptions):
    """1,797 handwritten digits, images of 8 x 8 pixels in 10 classes."""

    name: Literal["digits"] = "digits"
    builds: ClassVar[str] = "dlcli.data.sources.embedded:open_embedded"


class NumberSetOptions(TabularOptions):
    """Columns of numbers and categories."""

    forms = frozenset({"vector"})


class IrisOptions(NumberSetOptions):
    """150 iris flowers, 4 measures, 3 species."""

    name: Literal["iris"] = "iris"
    builds: ClassVar[str] = "dlcli.data.sources.embedded:open_embedded"


class WineOptions(NumberSetOptions):
    """178 wines, 13 chemical measures, 3 growers."""

    name: Literal["wine"] = "wine"
    builds: ClassVar[str] = "dlcli.data.sources.embedded:open_embedded"


class BreastCancerOptions(NumberSetOptions):
    """569 tumours, 30 measures, malignant or benign."""

    name: Literal["breast_cancer"] = "breast_cancer"
    builds: ClassVar[str] = "dlcli.data.sources.embedded:open_embedded"


class DiabetesOptions(NumberSetOptions):
    """442 patients, 10 measures, progression of diabetes after a year (a number)."""

    name: Literal["diabetes"] = "diabetes"
    builds: ClassVar[str] = "dlcli.data.sources.embedded:open_embedded"


class LineOptions(NumberSetOptions):
    """The first data set: y = 2x at x = 0, 1, 2, 3."""

    name: Literal["line"] = "line"
    builds: ClassVar[str] = "dlcli.data.sources.line:open_line"


class InlineOptions(NumberSetOptions):
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
