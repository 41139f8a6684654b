"""Running text as codes of its tokens, and codes as text; knows neither parts nor windows."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from dlcli.data.encoders.category import code_type
from dlcli.data.spec import UNKNOWN, Field

Level = Literal["character", "word"]
UNKNOWN_TEXT = "\ufffd"
"""What stands for a token that has no name."""

_FIRST = UNKNOWN + 1
_WORDS = re.compile(r" ?(?:\w+(?:['\u2019]\w+)*|[^\w\s])|\s")


def cut(text: str, level: Level) -> Sequence[str]:
    """Return the tokens of a text, which together are that text.

    A word is letters and digits, apostrophes between them too, or another sign, with the space
    before it; other white space stands alone.
    """
    return text if level == "character" else _WORDS.findall(text)


@dataclass(frozen=True)
class StreamEncoder:
    """Running text; see `Encoder`. Of several cells it makes one text.

    Attributes:
        name: The column.
        level: What a token is.
        vocabulary: Tokens in the order of their codes, from code 2: characters by code point,
            words by falling count.
        embedding_size: See `Field`.
    """

    name: str
    level: Level
    vocabulary: tuple[str, ...]
    embedding_size: int

    @property
    def field(self) -> Field:
        """The code of one token."""
        size = len(self.vocabulary) + _FIRST
        return Field(self.name, "tokens", (), size, self.embedding_size)

    @property
    def is_constant(self) -> bool:
        """Training showed one token only."""
        return len(self.vocabulary) == 1

    def encode(self, array: pa.Array) -> Tensor:
        """Return the codes (R,) of all tokens in the smallest type that holds them."""
        codes = [self.codes(cell.as_py()) for cell in array]
        return torch.from_numpy(np.concatenate(codes) if codes else self.codes(""))

    def codes(self, text: str) -> np.ndarray:
        """Return the codes (R,) of a text's tokens."""
        if self.level == "character":
            points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
            codes: np.ndarray = self._by_point[np.minimum(points, len(self._by_point) - 1)]
            return codes
        places = self._places
        found = (places.get(token, UNKNOWN) for token in cut(text, self.level))
        return np.fromiter(found, code_type(self.field.size))

    def decode(self, values: Tensor) -> list[str]:
        """Return the text of each row of codes (N, T)."""
        names = [UNKNOWN_TEXT] * _FIRST + list(self.vocabulary)
        return ["".join(names[code] for code in row) for row in values.tolist()]

    def notes(self, array: pa.Array, encoded: Tensor) -> dict[str, int]:  # noqa: ARG002
        """Count tokens that training did not show (often enough)."""
        count = int((encoded == UNKNOWN).sum())
        return {f"{self.level}s not seen (often enough) in training": count} if count else {}

    def state(self) -> dict[str, Any]:
        """Return plain data."""
        return {"kind": "stream", **asdict(self), "vocabulary": list(self.vocabulary)}

    @cached_property
    def _places(self) -> dict[str, int]:
        return {token: code for code, token in enumerate(self.vocabulary, _FIRST)}

    @cached_property
    def _by_point(self) -> np.ndarray:
        """Return the code of each code point up to the largest known one, and of those above."""
        points = [ord(token) for token in self.vocabulary]
        table = np.full(max(points, default=0) + 2, UNKNOWN, code_type(self.field.size))
        table[points] = np.arange(_FIRST, len(points) + _FIRST)
        return table


def fit_stream(
    name: str,
    level: Level,
    stretches: Iterable[Sequence[str]],
    *,
    min_count: int,
    max_tokens: int,
    embedding_size: int,
) -> StreamEncoder:
    """Return the encoder whose vocabulary is that of these stretches of tokens.

    Args:
        name: The column.
        level: What a token is.
        stretches: The training part alone.
        min_count: Rarer tokens are unknown.
        max_tokens: So are those beyond so many, the rarest.
        embedding_size: See `Field`.
    """
    counts: Counter[str] = Counter()
    for tokens in stretches:
        counts.update(tokens)
    by_count = sorted(counts, key=lambda token: (-counts[token], token))
    known = [token for token in by_count if counts[token] >= min_count][:max_tokens]
    vocabulary = sorted(known) if level == "character" else known
    return StreamEncoder(name, level, tuple(vocabulary), embedding_size)
