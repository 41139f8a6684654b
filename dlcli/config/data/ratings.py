"""`data: ratings`: who gave what which score; reads no file."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from dlcli.config.data.base import CategoryOptions
from dlcli.config.data.table import TableOptions
from dlcli.config.options import Count


class IdOptions(CategoryOptions):
    """How ids become inputs."""

    min_count: Count = Field(
        1, description="Ids of fewer training rows share the place of unknown ones."
    )


class RatingsOptions(TableOptions):
    """A table of ratings: two columns of ids, and a score to predict; others are left out."""

    forms = frozenset({"vector", "ids"})

    name: Literal["ratings"] = "ratings"  # type: ignore[assignment]
    builds: ClassVar[str] = "dlcli.data.sources.ratings:open_ratings"

    user: str = Field("user", description="Column of the ids that rate.")
    item: str = Field("item", description="Column of the ids that are rated.")
    target: str = Field("rating", description="Column of the scores.")
    categories: IdOptions = Field(IdOptions(), description="How ids become inputs.")

    @model_validator(mode="after")
    def _check_roles(self) -> Self:
        if self.drop:
            raise ValueError("`ratings` takes two columns of ids and a score: leave `drop` out")
        taken = [self.user, self.item, self.target]
        others = [name for name in (self.split.column, self.split.group) if name]
        twice = [name for name in dict.fromkeys(taken) if (taken + others).count(name) > 1]
        if twice:
            raise ValueError(
                f"`{twice[0]}` has two roles among `user`, `item`, `target` and `split`"
            )
        return self
