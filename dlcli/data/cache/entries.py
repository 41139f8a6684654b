"""Entries on disk: read only if whole, locked while in use.

    CACHE/entries/KEY/   entry.json and the files that it lists
    CACHE/notes/KEY.json
    CACHE/partial/       what is being written, each in a folder that its writer has locked

An entry is a folder that was filled under another name and then renamed. It does not know what
is in it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcli.data.cache.errors import CacheError, cache_errors
from dlcli.data.cache.locks import Lock, share
from dlcli.data.cache.partial import discard
from dlcli.data.cache.place import cache_folder
from dlcli.data.cache.seals import checked

MARKER = "entry.json"

Say = Callable[[str], None]
"""Tells the user."""


class DamagedEntryError(Exception):
    """An entry is not what was written; the message says why, to follow its name."""


@dataclass(frozen=True)
class Entry:
    """A whole entry, which nobody removes while this is referred to.

    Attributes:
        path: Its folder.
        content: What its writer said of it.
        lock: Keeps it.
    """

    path: Path
    content: Mapping[str, Any]
    lock: Lock


def open_entry(key: str) -> Entry | None:
    """Open an entry and note that it was used; None where there is none.

    The bytes of its files are compared with their hashes where a file was touched since.

    Raises:
        DamagedEntryError: It is there and is not whole.
    """
    path = cache_folder() / "entries" / key
    lock = share(path)
    if lock is None:
        return None
    facts = checked(path / MARKER)
    if facts is None:
        raise DamagedEntryError(f"{MARKER} is missing or damaged")
    for name, stored in facts["files"].items():
        _check_file(path / name, stored)
    with suppress(OSError):  # a cache that may only be read
        os.utime(path)
    return Entry(path, facts["content"], lock)


def find_entry(key: str, say: Say) -> Entry | None:
    """Return an entry; None where there is none, or where it was damaged, which is said."""
    try:
        return open_entry(key)
    except DamagedEntryError as error:
        say(f"the cache entry {key} is damaged ({error}): what it held is made anew")
    try:
        remove_entry(key)
    except CacheError as error:
        say(f"it cannot be removed: {error}")
    return None


def described(path: Path) -> tuple[str, int | None]:
    """Return what an entry is, in words, and its number of rows, for people."""
    facts = checked(path / MARKER)
    if facts is None:
        return "damaged", None
    return facts["content"]["what"], facts["content"]["rows"]


def remove_entry(key: str) -> None:
    """Remove an entry that is damaged; whoever has it open keeps its files.

    Raises:
        CacheError: The cache may not be written to.
    """
    cache = cache_folder()
    with cache_errors(cache):
        discard(cache / "entries" / key, cache)


def _check_file(path: Path, stored: Mapping[str, Any]) -> None:
    try:
        status = path.stat()
        if status.st_size != stored["bytes"]:
            raise DamagedEntryError(
                f"{path.name} has {status.st_size:,} bytes instead of {stored['bytes']:,}"
            )
        if status.st_mtime_ns == stored["mtime_ns"]:
            return
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() == stored["sha256"]:
                return
    except OSError as error:
        raise DamagedEntryError(f"{path.name} cannot be read: {error.strerror}") from error
    raise DamagedEntryError(f"the bytes of {path.name} changed")
