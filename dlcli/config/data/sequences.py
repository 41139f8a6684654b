"""`data: sequences`: a table in long format, several rows per example; reads no file."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from dlcli.config.data.table import TableOptions


class SequencesOptions(TableOptions):
    """Sequences in long format: rows with an id, a time, numbers, and one target per id.

    A missing number is taken for the mean of the training rows, unless `missing` refuses it.
    """

    forms = frozenset({"vector", "sequence"})

    name: Literal["sequences"] = "sequences"  # type: ignore[assignment]
    builds: ClassVar[str] = "dlcli.data.sources.sequences:open_sequences"

    id: str = Field("id", description="Column that says which sequence a row belongs to.")
    time: str | None = Field(
        None, description="Column that orders the rows of a sequence; null keeps the file's order."
    )
    max_length: Annotated[int, Field(ge=1, le=2**20)] | None = Field(
        None, description="Longest sequence: the last so many rows; null is that of training."
    )

    @model_validator(mode="after")
    def _check_roles(self) -> Self:
        lost = [name for name in (self.id, self.time) if name in self.drop]
        if lost:
            raise ValueError(f"`drop` leaves out `{lost[0]}`, which has a role of its own")
        targets = [self.target] if isinstance(self.target, str) else self.target
        taken = [self.id, self.time, *targets, self.split.column]
        if self.id in taken[1:] or (self.time is not None and self.time in taken[2:]):
            twice = self.id if self.id in taken[1:] else self.time
            raise ValueError(f"`{twice}` has two roles among `id`, `time`, `target` and `split`")
        if self.split.group == self.id:
            raise ValueError("the rows of an `id` stay together anyway: leave `split.group` out")
        return self
