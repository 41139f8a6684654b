"""Our own count of the records in a CSV file, against which the parsed rows are checked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

_NEWLINE, _QUOTE = 10, 34


@dataclass(frozen=True)
class RecordCount:
    """What a file holds.

    Attributes:
        records: Records that are not empty, the header among them.
        joined_lines: Line ends inside quotes: lines that are no record of their own.
        first_joined: The first line that goes on in the next one, 1-based; 0 where none does.
        longest: Bytes of the longest record.
        unclosed: The file ends inside quotes.
    """

    records: int = 0
    joined_lines: int = 0
    first_joined: int = 0
    longest: int = 0
    unclosed: bool = False


def count_records(blocks: Iterable[bytes], separator: str, *, quoted: bool) -> RecordCount:
    """Count records, with quotes read as pyarrow reads them: a quote opens at a field's start.

    Args:
        blocks: The file's bytes in UTF-8, each block but the last ending where a line ends.
        separator: One character.
        quoted: Quotes may hold separators and line ends.
    """
    records = joined = first_joined = longest = lines = open_bytes = 0
    inside = False
    for block in blocks:
        data = _lines(block)
        ends = np.flatnonzero(data == _NEWLINE)
        held = np.zeros(len(ends), bool)
        if quoted:
            toggles = _toggles(data, ord(separator), inside)
            held = (np.searchsorted(toggles, ends) + inside) % 2 == 1
            inside = bool((len(toggles) + inside) % 2)
        if held.any():
            first_joined = first_joined or lines + int(held.argmax()) + 1
        lines += len(ends)
        joined += int(held.sum())
        record_ends = ends[~held]
        sizes = np.diff(record_ends, prepend=-1 - open_bytes) - 1
        records += int((sizes > 0).sum())
        longest = max(longest, int(sizes.max(initial=0)))
        open_bytes = (
            len(data) - 1 - int(record_ends[-1]) if len(record_ends) else open_bytes + len(data)
        )
    longest = max(longest, open_bytes)
    return RecordCount(records + (open_bytes > 0), joined, first_joined, longest, inside)


def _lines(block: bytes) -> np.ndarray:
    """Return a block's bytes with every line end as one newline, the last one included."""
    if b"\r" in block:
        block = block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if not block.endswith(b"\n"):
        block += b"\n"
    return np.frombuffer(block, np.uint8)


def _toggles(data: np.ndarray, separator: int, inside: bool) -> np.ndarray:
    """Return where quotes open or close; an escaped pair may count as closing and opening."""
    quotes = np.flatnonzero(data == _QUOTE)
    if len(quotes) == 0:
        return quotes
    opening = (np.arange(len(quotes)) + inside) % 2 == 0
    around = np.where(opening, data[quotes - 1], data[np.minimum(quotes + 1, len(data) - 1)])
    around[(quotes == 0) & opening] = _NEWLINE
    if np.isin(around, (separator, _NEWLINE, _QUOTE)).all():
        return quotes
    return np.array(_walk(data, quotes.tolist(), separator, inside), np.int64)


def _walk(data: np.ndarray, quotes: list[int], separator: int, inside: bool) -> list[int]:
    """Go through the quotes one by one: for blocks with quotes in the middle of fields."""
    toggles: list[int] = []
    escaped = -1
    for place in quotes:
        if place == escaped:
            continue
        if inside and data[place + 1] == _QUOTE:
            escaped = place + 1
        elif inside or place == 0 or data[place - 1] in (separator, _NEWLINE):
            toggles.append(place)
            inside = not inside
    return toggles
