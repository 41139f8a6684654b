"""The error of a cache that cannot be written to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dlcli.errors import MachineError
from dlcli.files import disk_errors


class CacheError(MachineError):
    """The cache cannot be written to; what is told is why."""


@contextmanager
def cache_errors(path: Path, *, size: int | None = None) -> Iterator[None]:
    """Turn an OSError, or an error of the machine, in the block into a CacheError.

    Args:
        path: What the block works on.
        size: Bytes that it writes, if known.
    """
    try:
        with disk_errors(path, size=size):
            yield
    except MachineError as error:
        raise CacheError(error.faults) from error
