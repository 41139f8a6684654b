"""Small options classes to test the reading with, independent of dlcli's own sections."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from dlcli.config.options import Betas, Count, DataPath, OneOf, Options, PositiveFloat
from dlcli.config.types import Type


class Shape(Options):
    pass


class Circle(Shape):
    """A round one."""

    name: Literal["circle"] = "circle"
    radius: PositiveFloat = Field(1.0, description="From the middle to the rim.")


class Box(Shape):
    """A square one."""

    name: Literal["box"] = "box"
    sides: Annotated[list[Count], Field(min_length=1)] = Field([1], description="Lengths.")
    betas: Betas = Field((0.9, 0.99), description="Two rates.")
    tag: Literal["red", "blue"] | None = Field(None, description="Colour.")


AnyShape = Annotated[Shape, OneOf(Shape)]


class Inner(Options):
    """Nested."""

    depth: Count = Field(1, description="How deep.")
    low: int = 0
    high: int = 9

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low > self.high:
            raise ValueError("`low` is above `high`")
        return self


class Root(Options):
    name: str | None = None
    rate: PositiveFloat = Field(0.1, description="Step.")
    count: Count = 3
    flag: bool = False
    text: str = "a"
    paths: DataPath | list[DataPath] = "x.csv"
    mixed: int | list[str] | dict[str, float] = 1
    grid: list[float] | list[list[float]] = Field([1.0])
    either: Annotated[int | float, Field(ge=0)] = 1
    words: dict[str, dict[str, str]] = Field({})
    shape: AnyShape = Circle()
    wanted: AnyShape | None = None
    shapes: Annotated[list[AnyShape] | None, Field(min_length=1)] = None
    inner: Inner = Inner()
    maybe: Inner | None = None


ROOT = Type("section", options=Root)


class Needs(Root):
    needed: str


NEEDS = Type("section", options=Needs)
