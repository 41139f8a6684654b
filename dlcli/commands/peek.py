"""How an unknown CSV file is to be read, guessed from its first lines; writes nothing."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dlcli.config.data import TableOptions
from dlcli.data.sources.counting import count_records
from dlcli.data.sources.files import BLOCK_BYTES, blocks, open_text, wide_encoding

_HEAD_BYTES = 1 << 20
_START_BYTES = 1 << 12
_HEAD_ROWS = 2000
_SEPARATORS = (",", "\t", ";", "|")
_MARKERS = ("?", "-", "--", ".", "n/a", "NULL", "#N/A", "missing", "unknown")
_VALUE = re.compile(r"[-+]?[0-9.,:/ -]*[0-9][0-9.,:/ eE+-]*%?")
_LONGEST_NAME = 60


@dataclass(frozen=True)
class Guess:
    """An option of a table, and why it is set."""

    key: str
    value: Any
    reason: str


def peek(path: Path) -> list[Guess]:
    """Return the options that a CSV file needs beside its path, those at their defaults left out.

    Raises:
        DataError: The file is missing.
        MachineError: It may not be read.
    """
    encoding = _encoding(path)
    text = _head(path, encoding)
    usual = "\t" if {".tsv", ".tab"} & {suffix.lower() for suffix in path.suffixes} else ","
    separator = max(_SEPARATORS, key=lambda sign: (_roughly(text, sign), sign == usual))
    quoted = _is_quoted(path, encoding, text, separator)
    rows = list(_rows(text, separator, quoted=quoted))
    guesses = []
    if encoding != "utf-8":
        guesses.append(Guess("encoding", encoding, "the file is not UTF-8"))
    if separator != usual:
        guesses.append(Guess("separator", separator, "splits the lines most evenly"))
    if not quoted:
        guesses.append(Guess("quoting", "none", 'a `"` in this file is plain text'))
    if rows and not _has_header(rows):
        names = [f"column_{i + 1}" for i in range(len(rows[0]))]
        guesses += [
            Guess("header", False, "the first line looks like data"),
            Guess("columns", names, "rename them as you like"),
        ]
    if markers := _markers(rows[1:]):
        usual_markers = TableOptions.model_fields["na_values"].default
        said = ", ".join(f"`{marker}`" for marker in markers)
        guesses.append(Guess("na_values", [*usual_markers, *markers], f"{said} stands for missing"))
    return guesses


def _encoding(path: Path) -> str:
    """Return `utf-8`, or what else the file's bytes can be; every byte is looked at."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with open_text(path, "utf-8") as stream:
        block = stream.read(BLOCK_BYTES)
        if wide := wide_encoding(block[:_START_BYTES]):
            return wide
        try:
            while block:
                decoder.decode(block)
                block = stream.read(BLOCK_BYTES)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "cp1252" if _decodes(path, "cp1252") else "latin-1"
    return "utf-8"


def _decodes(path: Path, encoding: str) -> bool:
    """Tell whether all bytes of a file have a meaning in a one-byte encoding."""
    with open_text(path, "utf-8") as stream:
        while block := stream.read(BLOCK_BYTES):
            try:
                block.decode(encoding)
            except UnicodeDecodeError:
                return False
    return True


def _head(path: Path, encoding: str) -> str:
    """Return the first whole lines of a file."""
    with open_text(path, encoding) as stream:
        data: bytes = stream.read(_HEAD_BYTES)
    text = data.decode("utf-8-sig", "ignore")
    return text if len(data) < _HEAD_BYTES else text[: text.rfind("\n") + 1]


def _rows(text: str, separator: str, *, quoted: bool) -> Iterator[list[str]]:
    """Yield the first records, cells stripped, empty lines left out."""
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    csv.field_size_limit(2 * _HEAD_BYTES)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, quoting=quoting)
    for row in reader:
        if row:
            yield [cell.strip() for cell in row]
        if reader.line_num > _HEAD_ROWS:
            return


def _regularity(text: str, separator: str, *, quoted: bool = True) -> tuple[float, int]:
    """Return the share of records with as many fields as most have, and that many; 0 if one."""
    counts = Counter(len(row) for row in _rows(text, separator, quoted=quoted))
    if not counts:
        return 0.0, 0
    fields, rows = counts.most_common(1)[0]
    return (rows / counts.total() if fields > 1 else 0.0), fields


def _roughly(text: str, separator: str) -> tuple[float, int]:
    """Return the same with a rounded share: among nearly regular ones, more fields decide."""
    share, fields = _regularity(text, separator)
    return round(share, 1), fields


def _is_quoted(path: Path, encoding: str, text: str, separator: str) -> bool:
    """Tell whether quotes hold cells together; a stray quote would join lines."""
    if '"' not in text:
        return True
    with open_text(path, encoding) as stream:
        count = count_records(blocks(stream), separator, quoted=True)
    if not count.joined_lines and not count.unclosed:
        return True
    plain, quoted = (_regularity(text, separator, quoted=flag) for flag in (False, True))
    return quoted > plain  # line ends inside cells would make the plain lines uneven


def _has_header(rows: Sequence[Sequence[str]]) -> bool:
    """Tell whether the first row holds names: no number, nothing empty, twice or seen below."""
    first, below = rows[0], rows[1:]
    if len(set(first)) < len(first) or any(len(cell) > _LONGEST_NAME for cell in first):
        return False
    if any(not cell or _VALUE.fullmatch(cell) for cell in first):
        return False
    columns = zip(*(row for row in below if len(row) == len(first)), strict=True)
    return not any(name in cells for name, cells in zip(first, columns, strict=False))


def _markers(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the cells that mean missing: a question mark, or a lone word among numbers."""
    found: dict[str, None] = {}
    width = len(rows[0]) if rows else 0
    for cells in zip(*(row for row in rows if len(row) == width), strict=True):
        words = {cell for cell in cells if cell and not _VALUE.fullmatch(cell)}
        is_numeric = sum(map(bool, map(_VALUE.fullmatch, cells))) * 2 > len(cells)
        for word in words & set(_MARKERS):
            if word == "?" or (is_numeric and len(words) <= 2):
                found[word] = None
    return sorted(found)
