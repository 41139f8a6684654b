"""Make a directory that no one else has, and own it; knows nothing of what is in it."""

from __future__ import annotations

import fcntl
import os
import re
from datetime import datetime
from itertools import count
from pathlib import Path

from dlcli.errors import CheckpointError
from dlcli.files import disk_errors


def make_directory(runs_dir: Path, name: str, *, now: datetime) -> Path:
    """Make `runs_dir/YYYYMMDD-HHMMSS-NAME`, or the first of that with -2, -3 and so on.

    Args:
        runs_dir: Made where missing.
        name: Made fit for a file name; see `clean_name`.
        now: The time in the directory's name.

    Raises:
        MachineError: The folder cannot be written to.
    """
    first = f"{now:%Y%m%d-%H%M%S}-{clean_name(name)}"
    with disk_errors(runs_dir, verb="write in"):
        runs_dir.mkdir(parents=True, exist_ok=True)
        for number in count(1):
            path = runs_dir / (first if number == 1 else f"{first}-{number}")
            try:
                path.mkdir()  # fails if another process was faster
            except FileExistsError:
                continue
            return path
    raise AssertionError("counting never ends")


def clean_name(name: str) -> str:
    """Return what of a name can stand in a file name: letters, digits, `_`, `.`, `-`."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-.")[:48] or "run"


def claim(directory: Path) -> int:
    """Lock a directory for this process.

    The lock is on the directory itself: no file is left, and the system drops it when the process
    ends, however it ends. It holds among the processes of one machine.

    Returns:
        A descriptor; closing it gives the directory up.

    Raises:
        CheckpointError: Another process owns it.
        MachineError: It cannot be opened or locked.
    """
    with disk_errors(directory, verb="lock"):
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            if not isinstance(error, BlockingIOError):
                raise
            raise CheckpointError(
                f"the run `{directory}` is busy: another process is training it",
                suggestion="wait until that ends, or start a new run",
            ) from error
    return descriptor
