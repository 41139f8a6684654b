"""Texts as codes of their tokens, from a vocabulary of the training rows."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from dlcli.config.data import TextOptions
from dlcli.data.encoders.category import code_type
from dlcli.data.sources.cells import texts
from dlcli.data.spec import PADDING, UNKNOWN, Field
from dlcli.data.tokenize import Cut, TokenKind, Tokens, cutter, read_tokenizer

UNKNOWN_TOKEN = "<unknown>"
_FIRST = UNKNOWN + 1


@dataclass(frozen=True)
class TokensEncoder:
    """A column of texts; see `Encoder`. A text without tokens is one unknown token.

    Attributes:
        name: The column.
        tokens: What a token is, unless `tokenizer` says so.
        lowercase: Take capital letters for small ones, likewise.
        vocabulary: Tokens in the order of their codes, from code 2: the most frequent one first.
        length: Tokens of a row, T: of a longer text, the first so many.
        embedding_size: See `Field`.
        tokenizer: Content of a `tokenizers` file, or nothing.
        empty: Training rows without tokens.
        cut: Training rows of more than `length` tokens.
        longest: Tokens of the longest training row.
    """

    name: str
    tokens: TokenKind
    lowercase: bool
    vocabulary: tuple[str, ...]
    length: int
    embedding_size: int
    tokenizer: str = ""
    empty: int = 0
    cut: int = 0
    longest: int = 0

    @property
    def field(self) -> Field:
        """The codes of one text."""
        size = len(self.vocabulary) + _FIRST
        return Field(self.name, "tokens", (self.length,), size, self.embedding_size)

    @property
    def is_constant(self) -> bool:
        """Return False: a text is not looked into."""
        return False

    def encode(self, array: pa.Array) -> Tensor:
        """Return codes (N, T) in the smallest type that holds them, `PADDING` after the last."""
        return torch.from_numpy(self._codes(self._tokens(array)))

    def decode(self, values: Tensor) -> list[list[str]]:
        """Return the tokens of each text, `<unknown>` for unknown ones."""
        names = [UNKNOWN_TOKEN, *self.vocabulary]
        return [[names[code - 1] for code in row if code != PADDING] for row in values.tolist()]

    def notes(self, array: pa.Array, encoded: Tensor) -> dict[str, int]:
        """Count texts that are empty, cut, or mostly unknown."""
        tokens = self._tokens(array)
        lengths = _lengths(tokens)
        unknown = (encoded.numpy() == UNKNOWN).sum(1)
        counts = {
            "empty text": lengths == 0,
            f"longer than {self.length:,} tokens, cut": lengths > self.length,
            "most of its tokens not seen (often enough) in training": (lengths > 0)
            & (2 * unknown > lengths.clip(max=self.length)),
        }
        return {note: int(is_so.sum()) for note, is_so in counts.items() if is_so.any()}

    def state(self) -> dict[str, Any]:
        """Return plain data."""
        return {"kind": "tokens", **asdict(self), "vocabulary": list(self.vocabulary)}

    @cached_property
    def _cut(self) -> Cut:
        return cutter(self.tokens, lowercase=self.lowercase, tokenizer=self.tokenizer)

    @cached_property
    def _values(self) -> pa.Array:
        return pa.array(self.vocabulary, pa.string())

    def _tokens(self, array: pa.Array) -> Tokens:
        return self._cut(_filled(array))

    def _codes(self, tokens: Tokens) -> np.ndarray:
        """Return codes (N, T) of each text's tokens."""
        codes = np.full((len(tokens), self.length), PADDING, code_type(self.field.size))
        is_token = np.arange(self.length) < _lengths(tokens)[:, None]  # (N, T)
        kept = _flat(tokens, self.length)
        place = pc.index_in(kept, value_set=self._values).fill_null(UNKNOWN - _FIRST)
        codes[is_token] = place.to_numpy(zero_copy_only=False) + _FIRST
        codes[~is_token[:, 0], 0] = UNKNOWN
        return codes


class TokensFit:
    """Fits a `TokensEncoder` in one pass.

    Args:
        name: The column.
        options: How texts become tokens.
        folder: What the path of a tokenizer starts from.
    """

    def __init__(self, name: str, options: TextOptions, folder: Path) -> None:
        self._name, self._options = name, options
        self._tokenizer = ""
        if options.tokenizer is not None:
            key = ("data", "text", "tokenizer")
            self._tokenizer = read_tokenizer(options.tokenizer, folder, key)
        self._cut = cutter(options.tokens, lowercase=options.lowercase, tokenizer=self._tokenizer)
        self._counts: Counter[str] = Counter()
        self._empty = self._too_long = self._longest = 0

    def add(self, array: pa.Array) -> None:
        """Take in training cells; see `Fit`. Tokens that are cut off do not count."""
        tokens = self._cut(_filled(array))
        lengths = _lengths(tokens)
        most = self._options.max_length
        self._empty += int((lengths == 0).sum())
        self._too_long += int((lengths > most).sum())
        self._longest = max(self._longest, int(lengths.max(initial=0)))
        found = pc.value_counts(_flat(tokens, most))
        counts = zip(*(column.to_pylist() for column in found.flatten()), strict=True)
        for token, count in counts:
            self._counts[token] += count

    def again(self) -> bool:
        """Return False: one pass is enough."""
        return False

    def finish(self) -> TokensEncoder:
        """Return the encoder, its vocabulary by falling count, then by name."""
        options = self._options
        by_count = sorted(self._counts.items(), key=lambda item: (-item[1], item[0]))
        known = [token for token, count in by_count if count >= options.min_count]
        return TokensEncoder(
            self._name,
            options.tokens,
            options.lowercase,
            tuple(known[: options.max_tokens]),
            max(1, min(options.max_length, self._longest)),
            options.embedding_size,
            self._tokenizer,
            self._empty,
            self._too_long,
            self._longest,
        )


def _filled(array: pa.Array) -> pa.Array:
    return texts(array).fill_null("")


def _lengths(tokens: Tokens) -> np.ndarray:
    """Return how many tokens each text has (N,)."""
    return np.fromiter(map(len, tokens), np.int64, len(tokens))


def _flat(tokens: Tokens, most: int) -> pa.Array:
    """Return the first tokens of every text, one text after the other."""
    kept = chain.from_iterable(found[:most] for found in tokens)
    return pa.array(list(kept), pa.string())
