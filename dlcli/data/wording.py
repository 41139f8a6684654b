"""Counts as messages write them; knows no data."""

from __future__ import annotations


def counted(count: int, noun: str) -> str:
    """Return `1 row` or `2,067 rows`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
