"""`data: text_file`: running text for a language model; reads no file."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from dlcli.config.data.base import DataOptions, ShareOrRows
from dlcli.config.options import Count, DataPath, Options


class TextSplitOptions(Options):
    """Parts in the order of the text: train, then val, then test."""

    val: ShareOrRows = Field(
        0.1,
        description="Validation part: a number below 1 is a share of the tokens, a whole number "
        "is tokens.",
    )
    test: ShareOrRows = Field(0.0, description="Test part, likewise, at the end of the text.")


class TextFileOptions(DataOptions):
    """Language modelling: text files whose next character or word is to be told."""

    forms = frozenset({"stream"})
    task = "language_modeling"

    name: Literal["text_file"] = "text_file"
    builds: ClassVar[str] = "dlcli.data.sources.text_file:open_text_file"

    path: DataPath | Annotated[list[DataPath], Field(min_length=1)] = Field(
        description="Text file, list of files or pattern such as `'*.txt'` (in quotes); read one "
        "after the other."
    )
    encoding: str = Field("utf-8", description="Encoding of the files, such as `latin-1`.")
    level: Literal["character", "word"] = Field(
        "character",
        description="What a token is; a word is a word, number or other sign with the space before "
        "it.",
    )
    min_count: Count = Field(
        1, description="Tokens of fewer training occurrences share the place of unknown ones."
    )
    max_tokens: Annotated[int, Field(ge=1, le=2**20)] = Field(
        20_000, description="Size of the vocabulary: the most frequent ones."
    )
    embedding_size: Annotated[int, Field(ge=1, le=2**16)] = Field(
        64, description="Width of a token's learned vector."
    )
    context: Annotated[int, Field(ge=2, le=2**20)] = Field(
        128, description="Tokens of a row; each is told from those before it."
    )
    overlap: Annotated[int, Field(ge=0, le=2**20)] | None = Field(
        None,
        description="Tokens that a val or test row repeats of the one before, to tell its own "
        "from; null is a quarter of `context`, 0 tells the first ones of a row from nothing, as in "
        "training.",
    )
    split: TextSplitOptions = Field(
        TextSplitOptions(), description="How the text is given to the parts."
    )

    @property
    def stride(self) -> int:
        """Tokens from one val or test row to the next."""
        return self.context - (self.context // 4 if self.overlap is None else self.overlap)

    @model_validator(mode="after")
    def _rows_move_on(self) -> Self:
        if self.stride < 1:
            raise ValueError(
                f"`overlap: {self.overlap}` leaves nothing to tell in rows of `context: "
                f"{self.context}`"
            )
        return self
