"""What the words after `dlcli predict` mean: files, records, numbers or standard input."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any, BinaryIO

from dlcli.data.sources.files import is_file
from dlcli.errors import DataError, UsageError

Given = Path | BinaryIO | list[dict[str, Any]]
"""A file, a stream, or records."""

_LONGEST_PATH = 255
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")


def read_words(words: Sequence[str], columns: Sequence[str]) -> Iterator[Given]:
    """Yield what each word stands for; bare numbers and JSON records are gathered.

    Args:
        words: Paths, `-`, JSON objects and lists, numbers.
        columns: The model's inputs, in the order in which a list gives them.

    Raises:
        UsageError: A word is none of these.
        DataError: A record does not have as many values as there are inputs.
    """
    if all(_NUMBER.fullmatch(word) for word in words):
        yield _from_numbers([_number(word) for word in words], columns)
        return
    records: list[dict[str, Any]] = []
    for word in words:
        if word.lstrip()[:1] in {"{", "["}:
            records += _from_json(word, columns)
            continue
        if records:
            yield records
            records = []
        yield sys.stdin.buffer if word == "-" else _file(word, columns)
    if records:
        yield records


def _number(word: str) -> float | str:
    """Return a number; one beyond float64 as its text, which a message then quotes."""
    number = float(word)
    return number if isfinite(number) else word


def _from_numbers(numbers: list[float | str], columns: Sequence[str]) -> list[dict[str, Any]]:
    if len(columns) == 1:
        return [{columns[0]: number} for number in numbers]
    return [_record(numbers, columns)]


def _from_json(text: str, columns: Sequence[str]) -> list[dict[str, Any]]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"`{_short(text)}` is not JSON: {error}",
            suggestion=f"""a record looks like '{{"{columns[0]}": 1}}', in single quotes""",
        ) from error
    if isinstance(value, Mapping):
        return [dict(value)]
    if value and all(isinstance(row, Mapping) for row in value):
        return [dict(row) for row in value]
    if value and all(isinstance(row, list) for row in value):
        return _from_rows(value, columns)
    return [_record(value, columns)]


def _from_rows(rows: list[list[Any]], columns: Sequence[str]) -> list[dict[str, Any]]:
    """Read a list of lists: records, or an image's rows of pixels where that is the one input."""
    if len(columns) > 1 or all(len(row) == 1 for row in rows):
        return [_record(row, columns) for row in rows]
    return [{columns[0]: rows[0] if len(rows) == 1 else rows}]


def _record(values: Sequence[Any], columns: Sequence[str]) -> dict[str, Any]:
    if len(values) != len(columns):
        shown = ", ".join(columns[:20]) + (", ..." if len(columns) > 20 else "")
        raise DataError(
            f"{len(values)} values were given, the model takes {len(columns)}: {shown}",
            suggestion="give one value per input, in this order, or a JSON record with names",
        )
    return dict(zip(columns, values, strict=True))


def _file(word: str, columns: Sequence[str]) -> Path:
    if not word:
        raise UsageError("an empty text is no input", suggestion=_inputs(columns))
    path = Path(word)
    if is_file(path, remedy="give a file, or - for standard input"):
        return path
    if _NUMBER.fullmatch(word):
        raise UsageError(
            f"the number {word} stands among other inputs",
            suggestion="give numbers alone, or in JSON lists: '[1, 2]' '[3, 4]'",
        )
    if word.startswith("-"):
        raise UsageError(f"no such option: {word}", suggestion="`dlcli predict --help` lists them")
    if (path.suffix or "/" in word) and len(word) <= _LONGEST_PATH and " " not in path.suffix:
        raise DataError(f"there is no file `{word}`", suggestion="check the path")
    raise UsageError(
        f"`{_short(word)}` is neither a file nor a record nor a number",
        suggestion=_inputs(columns),
    )


def _inputs(columns: Sequence[str]) -> str:
    return f"""a file of records, '{{"{columns[0]}": 1}}', numbers, or - for stdin"""


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."
