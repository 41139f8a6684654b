"""Entries in the making: whole or not there, whoever else writes or dies meanwhile."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from dlcli.data.cache.entries import (
    MARKER,
    DamagedEntryError,
    Entry,
    open_entry,
    remove_entry,
)
from dlcli.data.cache.errors import cache_errors
from dlcli.data.cache.locks import Lock
from dlcli.data.cache.partial import partial_folder
from dlcli.data.cache.place import cache_folder
from dlcli.data.cache.room import make_room
from dlcli.data.cache.seals import sealed, write_whole
from dlcli.files import JSON, sync_folder

_BLOCK_BYTES = 1 << 20


class HashedFile:
    """A file that is written from its start to its end, and hashed on the way.

    Args:
        path: A file that does not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: BinaryIO = path.open("xb", buffering=_BLOCK_BYTES)
        self._digest = hashlib.sha256()

    def write(self, data: Any) -> None:
        """Append the bytes of a contiguous array, or bytes."""
        view = memoryview(data)
        view = view.cast("B") if view.nbytes else memoryview(b"")
        self._digest.update(view)
        self._file.write(view)

    def close(self) -> None:
        """Close the file as it is."""
        with suppress(OSError):  # a full disk has been told already
            self._file.close()

    def seal(self) -> JSON:
        """Close the file, flushed to the disk; return what tells whether it stays as it is."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        status = self.path.stat()
        return {
            "bytes": status.st_size,
            "mtime_ns": status.st_mtime_ns,
            "sha256": self._digest.hexdigest(),
        }


class Draft:
    """An entry that is being written; nothing of it is shown to readers before `keep`.

    Use `drafted`.

    Args:
        path: Its folder until then.
        lock: On that.
    """

    def __init__(self, path: Path, lock: Lock) -> None:
        self.path = path
        self._lock = lock
        self._files: dict[str, HashedFile] = {}

    def write(self, name: str, data: Any) -> None:
        """Append bytes, or the bytes of a contiguous array, to a file of the entry.

        Raises:
            CacheError: The disk is full, or refuses otherwise.
        """
        with cache_errors(self.path):
            if name not in self._files:
                self._files[name] = HashedFile(self.path / name)
            self._files[name].write(data)

    def take_out(self, name: str) -> Path:
        """Take a file out of the entry again; return where it lies, whole, until the end."""
        with cache_errors(self.path):
            self._files.pop(name).seal()
            return (self.path / name).rename(self.path / f"{name}.former")

    def close(self) -> None:
        """Close the files as they are."""
        for file in self._files.values():
            file.close()

    def keep(self, key: str, content: Mapping[str, JSON]) -> Entry:
        """Make an entry of it, and return that; or the one that another process kept first.

        Args:
            key: Of the entry.
            content: What to say of it; `what` and `rows` are shown to the user.

        Raises:
            CacheError: The disk refuses.
        """
        place = cache_folder() / "entries" / key
        with cache_errors(self.path):
            files = {name: file.seal() for name, file in self._files.items()}
            for former in self.path.glob("*.former"):
                former.unlink()
            write_whole(self.path / MARKER, sealed({"content": content, "files": files}))
            sync_folder(self.path)
            place.parent.mkdir(exist_ok=True)
            while not _renamed(self.path, place):
                with suppress(DamagedEntryError):
                    if (others := open_entry(key)) is not None:
                        return others
                remove_entry(key)
            sync_folder(place.parent)
        return Entry(place, content, self._lock)


@contextmanager
def drafted(*, size: int) -> Iterator[Draft]:
    """Let an entry be written; what is left of it at the end is removed, unless it was kept.

    Args:
        size: Bytes that will be written, for which room is made.

    Raises:
        CacheError: They do not fit, or the cache may not be written to.
    """
    cache = cache_folder()
    with ExitStack() as stack:
        with cache_errors(cache, size=size):
            make_room(size)
            path, lock = stack.enter_context(partial_folder(cache))
        draft = Draft(path, lock)
        stack.callback(draft.close)
        yield draft


def _renamed(path: Path, place: Path) -> bool:
    """Rename a folder; return False where another one stands there."""
    try:
        path.rename(place)
    except OSError:
        if not place.is_dir():
            raise
        return False
    return True
