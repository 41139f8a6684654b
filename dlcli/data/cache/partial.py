"""Folders in which something is written, or that are on their way out; shown to no reader."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex

from dlcli.data.cache.locks import Lock, own, share


@contextmanager
def partial_folder(cache: Path) -> Iterator[tuple[Path, Lock]]:
    """Make a locked folder, after removing those that dead processes left; removed at the end.

    The lock is the one that readers take, so that it still holds once the folder is an entry.
    """
    partial = cache / "partial"
    partial.mkdir(parents=True, exist_ok=True)
    for left_over in partial.iterdir():
        if (lock := own(left_over)) is not None:
            shutil.rmtree(left_over, ignore_errors=True)
            lock.close()
    while True:
        path = partial / token_hex(8)
        path.mkdir()
        if (lock := share(path)) is not None:  # else a process that clears up was faster
            break
    try:
        yield path, lock
    finally:
        shutil.rmtree(path, ignore_errors=True)


def discard(path: Path, cache: Path) -> None:
    """Remove an entry at once and whole; whoever has its files open keeps them."""
    with partial_folder(cache) as (folder, _), suppress(FileNotFoundError):
        path.rename(folder / path.name)
