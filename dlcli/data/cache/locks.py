"""Locks on folders, which the system drops when their process ends, however it ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class Lock:
    """A lock on a folder, held until `close` or until nothing refers to it any longer.

    Use `share` or `own`. Where the file system has no locks, none is held.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Give the folder up; doing so twice is harmless."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def share(folder: Path) -> Lock | None:
    """Lock a folder against its removal; None where it is gone or about to go."""
    return _lock(folder, fcntl.LOCK_SH)


def own(folder: Path) -> Lock | None:
    """Lock a folder for this process alone; None where it is gone or another one uses it."""
    return _lock(folder, fcntl.LOCK_EX)


def _lock(folder: Path, kind: int) -> Lock | None:
    try:
        lock = Lock(descriptor := os.open(folder, os.O_RDONLY | os.O_DIRECTORY))
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return None
    except OSError:  # no locks here
        return lock
    return lock if _is_there(folder, descriptor) else None


def _is_there(folder: Path, descriptor: int) -> bool:
    """Say whether the folder is still the one that was opened: another process may remove it."""
    try:
        return os.path.samestat(folder.stat(), os.fstat(descriptor))
    except OSError:
        return False
