"""What the cache holds, and what goes first: the entry that was used longest ago."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dlcli.data.cache.locks import own
from dlcli.data.cache.partial import discard
from dlcli.data.cache.place import FOLDER, LIMIT, cache_folder, free_bytes, limit_bytes
from dlcli.errors import MachineError


@dataclass(frozen=True)
class Held:
    """An entry or a note as it lies there; it may be gone the next moment.

    Attributes:
        path: A folder, or a note's file.
        bytes: What it takes.
        used: When it was last used, in seconds since 1970.
    """

    path: Path
    bytes: int
    used: float

    @property
    def key(self) -> str:
        """Its key."""
        return self.path.stem

    @property
    def is_note(self) -> bool:
        """Whether it is a note."""
        return self.path.suffix == ".json"


def held() -> list[Held]:
    """Return what the cache holds, what was used longest ago first."""
    folder = cache_folder()
    found = [one for kind in ("entries", "notes") for one in _held_in(folder / kind)]
    return sorted(found, key=lambda one: (one.used, one.key))


def make_room(size: int) -> None:
    """Remove what was used longest ago until so many bytes more are within the limit and the disk.

    What is in use stays.

    Raises:
        MachineError: They will not fit.
        UsageError: The limit is no size.
    """
    there = held()
    used = sum(one.bytes for one in there) + _partial_bytes()
    limit = limit_bytes(used)
    if size > limit:
        raise MachineError(
            f"{size:,} bytes do not fit in the cache, which may take {limit:,}",
            suggestion=f"a larger {LIMIT}, or a disk with more room ({FOLDER})",
        )
    for one in there:
        if used + size <= limit and size <= free_bytes():
            return
        if remove(one):
            used -= one.bytes
    if size > (free := free_bytes()):
        raise MachineError(
            f"the disk of the cache is full: {size:,} bytes needed, {free:,} free",
            suggestion=f"free some space, or set {FOLDER} to a folder on another disk",
        )


def remove(one: Held) -> bool:
    """Remove an entry or a note; return whether it is gone, as it is not while in use."""
    if one.is_note:
        one.path.unlink(missing_ok=True)
        return True
    lock = own(one.path)
    if lock is None:
        return not one.path.exists()
    discard(one.path, cache_folder())
    return True


def _held_in(folder: Path) -> Iterator[Held]:
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        try:
            yield Held(path, _bytes(path), path.stat().st_mtime)
        except FileNotFoundError:
            continue


def _partial_bytes() -> int:
    """Return the bytes of what other processes are writing."""
    folder = cache_folder() / "partial"
    return sum(map(_bytes, folder.iterdir())) if folder.is_dir() else 0


def _bytes(path: Path) -> int:
    """Return what a file or folder takes, as far as it is still there."""
    size = 0
    with suppress(FileNotFoundError, NotADirectoryError):
        size = path.stat().st_size if path.is_file() else 0
        for file in path.iterdir():
            size += file.stat().st_size
    return size
