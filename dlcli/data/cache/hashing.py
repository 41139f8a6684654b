"""Hashes of whole files, remembered as long as a file's size, times and number stay the same."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from dlcli.data.cache.notes import read_note, write_note
from dlcli.data.cache.seals import key_of

_SETTLED_NS = 10**8
_SETTLED_COARSE_NS = 2 * 10**9
"""A file that was changed less than so long before may change again and keep its time; of file
systems that count in seconds, FAT in two, the longer one holds."""


@dataclass(frozen=True)
class Stamps:
    """What tells, without reading them, that files are still those that were read.

    Attributes:
        files: In their order.
        values: Size, time of change in nanoseconds, and number of each.
        taken_ns: When they were looked at.
    """

    files: Sequence[Path]
    values: Sequence[Sequence[int]]
    taken_ns: int

    @classmethod
    def of(cls, files: Sequence[Path]) -> Stamps:
        """Look at files; of one that is not there the values are empty."""
        now = time.time_ns()
        return cls(files, [_values(file) for file in files], now)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(values[0] for values in self.values if values)

    @property
    def key(self) -> str:
        """That of the note on these files, whatever is in them."""
        digest = hashlib.sha256()
        for file in self.files:
            folder, name = os.path.split(file)
            digest.update(os.fsencode(os.path.join(_real(folder), name)) + b"\0")  # noqa: PTH118
        return key_of(what="hashes", files=digest.hexdigest())

    def has_held(self) -> bool:
        """Say whether the files are the same now, and could not have changed unseen."""
        times = [values[1] for values in self.values if values]
        is_coarse = all(time % 10**9 == 0 for time in times)
        settled = _SETTLED_COARSE_NS if is_coarse else _SETTLED_NS
        is_settled = self.taken_ns - max(times, default=0) >= settled
        return is_settled and all(self.values) and Stamps.of(self.files).values == self.values


def recall(stamps: Stamps) -> list[str] | None:
    """Return the hashes that `remember` was given for these files; None if any file changed."""
    note = read_note(stamps.key)
    return list(note["hashes"]) if note and note["stamps"] == stamps.values else None


def remember(stamps: Stamps, hashes: Sequence[str]) -> bool:
    """Remember hashes, unless files may have changed; return whether they are remembered.

    Args:
        stamps: Taken before the files were read.
        hashes: In hexadecimal digits, as many as are to be kept.
    """
    if not stamps.has_held():
        return False
    write_note(stamps.key, {"stamps": stamps.values, "hashes": list(hashes)})
    return True


def file_hash(file: Path) -> str | None:
    """Return the hash of a small file's bytes; None where it cannot be read."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return None


@lru_cache(maxsize=256)
def _real(folder: str) -> str:
    return os.path.realpath(folder)


def _values(file: Path) -> list[int]:
    try:
        status = os.stat(file)  # noqa: PTH116 - one of very many
    except (OSError, ValueError):
        return []
    return [status.st_size, status.st_mtime_ns, status.st_ino]
