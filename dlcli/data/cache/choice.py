"""Whether encoded data are held in memory or mapped from the cache: decided here alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from dlcli.data.cache.errors import CacheError
from dlcli.memory import free_memory

Use = Literal["auto", "always", "never"]

ALWAYS_HELD = 1 << 24
"""Bytes that are held however little memory is free."""
MOST_HELD = 1 << 30
"""Bytes above which holding gains nothing: pages of files that were read stay in free memory."""
_REFUGE = 0.5
"""Of free memory, that data may take where the cache refuses them."""
SHARE = 0.25
"""Of free memory, that data may take: network, optimizer and batches need some as well."""


def is_held(size: int, use: Use, free: int | None = None) -> bool:
    """Say whether data of so many encoded bytes are held in memory.

    With `auto` they are, up to a gigabyte and up to a quarter of the memory that is free; more are
    written to the cache and mapped. Either way the same rows come in the same order.

    Args:
        size: Bytes of all parts.
        use: `data.cache`.
        free: Bytes of main memory; asked of the machine unless given.
    """
    if use != "auto":
        return use == "never"
    free = free_memory() if free is None else free
    fits = free is None or size <= max(ALWAYS_HELD, SHARE * free)
    return fits and size <= MOST_HELD


def without_cache(error: CacheError, size: int, use: Use) -> str:
    """Return what to say of data that are held in memory though they were to be mapped.

    Args:
        error: Why they cannot be written.
        size: Their encoded bytes.
        use: `data.cache`.

    Raises:
        CacheError: Memory does not hold them either.
    """
    free = free_memory()
    if use == "auto" and free is not None and size > _REFUGE * free:
        first, *more = error.faults
        message = f"{first.message}; and of {free:,} bytes of free memory, {size:,} are too many"
        raise CacheError([replace(first, message=message), *more]) from error
    return f"the data are held in memory, {size:,} bytes, for the cache does not take them: {error}"
