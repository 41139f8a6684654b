"""What the words after `dlcli predict` mean: files, folders, texts, records, numbers or stdin."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from math import isfinite
from pathlib import Path
from typing import Any, BinaryIO

from dlcli.data import pictures, sounds
from dlcli.data.pictures import find_files
from dlcli.data.sources.files import is_file
from dlcli.data.spec import Field
from dlcli.data.unseen import exists
from dlcli.data.wording import counted
from dlcli.errors import DataError, MachineError, UsageError

Given = Path | BinaryIO | list[dict[str, Any]]
"""A file, a stream, or records."""

_LONGEST_PATH = 255
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_JSON_BEGINS = re.compile(r"\s*[\[{]\s*[\[{\"]")
_TABLES = {".csv", ".tsv", ".tab", ".jsonl", ".ndjson", ".json", ".parquet", ".pq"}
_ENDINGS = {"image": pictures.ENDINGS, "sound": sounds.ENDINGS}
_NAMES = {"image": "picture", "sound": "sound"}
_FILES_AT_ONCE = 64
"""Pictures and sounds are far larger decoded than their names are."""


def read_words(
    words: Sequence[str], fields: Sequence[Field], *, has_header: bool = True
) -> Iterator[Given]:
    """Yield what each word stands for; bare numbers, JSON records, files and texts are gathered.

    Of a model whose one input is a picture or a sound, a word is such a file, a folder of them, or
    a table of paths. Where the one input is a text, a word is a text, or a file with one a line;
    so is standard input, unless it begins like a table or JSON.

    Args:
        words: Paths, `-`, JSON objects and lists, numbers, texts.
        fields: The model's inputs, in the order in which a list gives them.
        has_header: Whether a table on standard input names its columns in the first line.

    Raises:
        UsageError: A word is none of these.
        DataError: A record does not have as many values as there are inputs.
    """
    columns = [field.name for field in fields]
    kind = fields[0].kind if len(fields) == 1 else None
    if kind not in {"tokens", *_ENDINGS} and all(_NUMBER.fullmatch(word) for word in words):
        yield _from_numbers([_number(word) for word in words], columns)
        return
    records: list[dict[str, Any]] = []
    for word in words:
        is_lines = word == "-" and kind == "tokens" and has_header
        given = _piped_texts(columns[0]) if is_lines else _meant(word, columns, kind)
        if isinstance(given, list):
            records += given
            continue
        yield from _pieces(records, kind)
        records = []
        yield given
    yield from _pieces(records, kind)


def _pieces(records: list[dict[str, Any]], kind: str | None) -> Iterator[list[dict[str, Any]]]:
    size = _FILES_AT_ONCE if kind in _ENDINGS else max(1, len(records))
    return (records[start : start + size] for start in range(0, len(records), size))


def _meant(word: str, columns: Sequence[str], kind: str | None) -> Given:
    """Return what one word stands for."""
    if word == "-":
        return sys.stdin.buffer
    is_other = (kind == "tokens" and not _is_json(word)) or (
        kind in _ENDINGS and exists(Path(word))
    )
    if word.lstrip()[:1] in {"{", "["} and not is_other:
        return _from_json(word, columns)
    if kind in _ENDINGS:
        return _decodable(word, columns, kind)
    if kind == "tokens":
        return _texts(word, columns)
    return _file(word, columns, kind)


def _decodable(word: str, columns: Sequence[str], kind: str) -> Given:
    """Return pictures or sounds: one file, or all in a folder, by name; or a table of paths."""
    path = Path(word)
    if word and path.is_dir():
        files, _ = find_files(path, _ENDINGS[kind])
        if not files:
            endings = ", ".join(sorted(_ENDINGS[kind]))
            raise DataError(f"{word} holds no {_NAMES[kind]}", suggestion=f"endings: {endings}")
        return [{columns[0]: str(file)} for file in files]
    file = _file(word, columns, kind)
    return file if _is_table(file) else [{columns[0]: str(file)}]


def _texts(word: str, columns: Sequence[str]) -> Given:
    """Return the text that a word is, or those in a file: a table, or one on each line."""
    path = Path(word)
    is_sentence = re.search(r"\s", word) is not None or _NUMBER.fullmatch(word) is not None
    names_file = not is_sentence and (_is_table(path) or path.suffix.lower() == ".txt")
    names_option = not is_sentence and word.startswith("-")
    is_there = exists(path)
    if word and (path.is_dir() if is_there else not (names_file or names_option)):
        return [{columns[0]: word}]
    file = _file(word, columns, "tokens")
    if _is_table(file):
        return file
    try:
        return _lines(file.read_bytes().decode("utf-8-sig"), columns[0])
    except UnicodeDecodeError as error:
        raise DataError(f"{word} is not UTF-8 text: {error.reason}") from error
    except OSError as error:
        raise MachineError(f"{word} cannot be opened: {error}") from error


def _piped_texts(column: str) -> Given:
    """Return the texts on standard input, one on each line; or a stream of a table or JSON."""
    data = sys.stdin.buffer.read()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:  # a table may have another encoding
        return BytesIO(data)
    first = text.lstrip().partition("\n")[0]
    names = [cell.strip().strip('"') for cell in re.split(r"[,;\t|]", first)]
    is_table = not first or column in names or _JSON_BEGINS.match(text)
    return BytesIO(data) if is_table else _lines(text, column)


def _lines(text: str, column: str) -> list[dict[str, Any]]:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return [{column: line} for line in (lines[:-1] if lines[-1] == "" else lines)]


def _is_table(path: Path) -> bool:
    return bool(_TABLES & {suffix.lower() for suffix in path.suffixes[-2:]})


def _is_json(word: str) -> bool:
    try:
        json.loads(word)
    except (ValueError, RecursionError):
        return False
    return True


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
            f"{counted(len(values), 'value')} {'was' if len(values) == 1 else 'were'} given, "
            f"the model takes {len(columns)}: {shown}",
            suggestion="give one value per input, in this order, or a JSON record with names",
        )
    return dict(zip(columns, values, strict=True))


def _file(word: str, columns: Sequence[str], kind: str | None) -> Path:
    if not word:
        raise UsageError("an empty text is no input", suggestion=_inputs(columns, kind))
    path = Path(word)
    if is_file(path, remedy="give a file, or - for standard input"):
        return path
    if _NUMBER.fullmatch(word) and kind not in _ENDINGS:
        raise UsageError(
            f"the number {word} stands among other inputs",
            suggestion="give numbers alone, or in JSON lists: '[1, 2]' '[3, 4]'",
        )
    if word.startswith("-"):
        raise UsageError(f"no such option: {word}", suggestion="`dlcli predict --help` lists them")
    if (path.suffix or "/" in word) and len(word) <= _LONGEST_PATH and " " not in path.suffix:
        raise DataError(f"there is no file `{word}`", suggestion="check the path")
    raise UsageError(
        f"`{_short(word)}` is neither a file nor a record nor a "
        f"{'folder' if kind in _ENDINGS else 'number'}",
        suggestion=_inputs(columns, kind),
    )


def _inputs(columns: Sequence[str], kind: str | None) -> str:
    record = f"""'{{"{columns[0]}": ...}}'"""
    if kind in _ENDINGS:
        return f"a {_NAMES[kind]} file, a folder of them, a table of paths, or {record}"
    if kind == "tokens":
        return f"a text, a .txt file with one a line, a table, {record}, or - for stdin"
    return f"a file of records, {record}, numbers, or - for stdin"


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."
