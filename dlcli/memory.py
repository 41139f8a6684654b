"""How much main memory is free, and what is done with what is freed; knows no torch."""

from __future__ import annotations

import ctypes
import gc
import sys
from pathlib import Path

_MEMINFO = Path("/proc/meminfo")
_GROUP = Path("/sys/fs/cgroup")
_GROUPS = (
    (_GROUP / "memory.max", _GROUP / "memory.current", _GROUP / "memory.stat"),
    (
        _GROUP / "memory/memory.limit_in_bytes",
        _GROUP / "memory/memory.usage_in_bytes",
        _GROUP / "memory/memory.stat",
    ),
)
"""Limit, use and what the use is made of, of a control group of version 2 and of version 1."""
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Of malloc.h."""
_FILE_PAGES = ("active_file", "inactive_file")


def free_memory() -> int | None:
    """Return the bytes of main memory that are free, within the limit of a container."""
    found = [value for value in (_free_of_machine(), _free_of_group()) if value is not None]
    return min(found) if found else None


def begin_work() -> None:
    """Settle with Python and the C library how this process treats memory from here on.

    For a program of our own, once it has imported what it works with.
    """
    _set_start_apart()
    keep_freed_memory()


def _set_start_apart() -> None:
    """Look for garbage from here on, and only among what is made from here on.

    What was imported stays to the end, and to look through it takes 0.1 s. Own code may leave
    tensors in cycles, step by step.
    """
    if not gc.get_freeze_count():  # once a process: what it lets go of later is garbage
        gc.freeze()
    gc.set_threshold(10_000)


def keep_freed_memory() -> None:
    """Let the C library keep what a step frees for the next one, instead of giving it back.

    What comes from the kernel is cleared, and each of its pages is a fault: a fifth of the time of
    a step of two convolutions, whose layers give up to 19 MB, for 7 % more at the peak (glibc 2.36,
    one core). https://man7.org/linux/man-pages/man3/mallopt.3.html
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is None:  # glibc alone has it
        return
    # Older ones take no more than 32 MB; with the second alone all would be worse than before.
    if mallopt(_MMAP_THRESHOLD, 1 << 30) or mallopt(_MMAP_THRESHOLD, 1 << 25):
        mallopt(_TRIM_THRESHOLD, (1 << 31) - 1)


def _free_of_machine() -> int | None:
    if not _MEMINFO.exists():
        return None
    lines = dict(line.split(":", 1) for line in _MEMINFO.read_text().splitlines())
    return int(lines["MemAvailable"].split()[0]) * 1024


def _free_of_group() -> int | None:
    """Return what the limit of a control group, of either version, leaves; None without one."""
    for limit, used, stat in _GROUPS:
        if limit.exists() and used.exists():
            most = limit.read_text().strip()
            if most == "max":
                return None
            return max(0, int(most) - int(used.read_text()) + _pages_of_files(stat))
    return None


def _pages_of_files(stat: Path) -> int:
    """Return the bytes of files that a group holds and gives up as soon as memory is asked for."""
    if not stat.exists():
        return 0
    lines = dict(line.split() for line in stat.read_text().splitlines())
    return sum(int(lines.get(name, 0)) for name in _FILE_PAGES)
