"""Texts cut into tokens: words, characters or as a `tokenizers` file says; knows no codes."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from dlcli.data.sources.files import find_files
from dlcli.errors import DataError, KeyPath
from dlcli.extras import import_extra

TokenKind = Literal["word", "character"]
Tokens = Sequence[Sequence[str]]
"""The tokens of each text; of a text in characters, the text itself."""
Cut = Callable[[pa.Array], Tokens]
"""Texts (N,), none of them null -> the tokens of each."""

_MARKS = (0x300, 0x10000)  # accents, vowel signs, variants of emoji; `re` is slow with those above


def cutter(kind: TokenKind, *, lowercase: bool, tokenizer: str = "") -> Cut:
    """Return what cuts texts, composed (é is one character) and in lower case if wanted.

    Args:
        kind: A word is letters with their marks, apostrophes between them too; a run of digits;
            or a single other sign that is no white space. A character is any one.
        lowercase: Take capital letters for small ones.
        tokenizer: Content of a `tokenizers` file: it alone then says what becomes of a text.

    Raises:
        ExtraError: The package is not installed.
        DataError: It cannot read this tokenizer.
    """
    if tokenizer:
        return _from_tokenizer(tokenizer)

    def cut(texts: pa.Array) -> Tokens:
        composed = pc.utf8_normalize(texts, form="NFC")
        plain: list[str] = (pc.utf8_lower(composed) if lowercase else composed).to_pylist()
        return plain if kind == "character" else [_words().findall(text) for text in plain]

    return cut


def read_tokenizer(name: str, folder: Path, path: KeyPath) -> str:
    """Return the content of a `tokenizers` file.

    Args:
        name: As in the config.
        folder: What a relative name starts from.
        path: The config key, for messages.

    Raises:
        ExtraError: The package is not installed.
        DataError: The file is missing, or is none of that package.
    """
    (file, *_) = find_files(name, folder, path)
    try:
        content = file.read_text(encoding="utf-8")
        _from_tokenizer(content)
    except (UnicodeDecodeError, DataError) as error:
        raise DataError(f"{file.name} is no `tokenizers` file: {error}", path=path) from error
    return content


@cache
def _words() -> re.Pattern[str]:
    """Return the pattern of a word, a run of digits or another sign.

    Python's letters leave out the marks after them (the vowels of Hindi), so these are named.
    """
    signs = map(chr, range(*_MARKS))
    marks = "".join(sign for sign in signs if unicodedata.category(sign)[0] == "M")
    word = rf"(?:[^\W\d_]++[{marks}]*+)++"
    apostrophes = "'\u2019"
    return re.compile(rf"{word}(?:[{apostrophes}]{word})*+|\d++|\S[{marks}]*+")


def _from_tokenizer(content: str) -> Cut:
    library = import_extra("tokenizers", extra="tokenizers", purpose="`text.tokenizer`")
    made = _made(library, content)
    made.no_truncation()
    made.no_padding()

    def cut(texts: pa.Array) -> Tokens:
        found = made.encode_batch(texts.to_pylist(), add_special_tokens=False)
        return [encoding.tokens for encoding in found]

    return cut


def _made(library: Any, content: str) -> Any:
    try:
        return library.Tokenizer.from_str(content)
    except Exception as error:  # the package raises no other class
        raise DataError(str(error)) from error
