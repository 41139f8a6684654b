"""Where the cache is and how large it may get: reads the environment alone."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from dlcli.errors import UsageError

FOLDER = "DLCLI_CACHE"
LIMIT = "DLCLI_CACHE_LIMIT"
_SHARE = 0.5
"""Of the disk space that is free or taken by the cache."""
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


def cache_folder() -> Path:
    """Return the folder of the cache, which need not be there."""
    if given := os.environ.get(FOLDER):
        return Path(given).expanduser().absolute()
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(home).expanduser().absolute() / "dlcli"


def limit_bytes(used: int) -> int:
    """Return how many bytes the cache may take.

    Args:
        used: Those that it takes now.

    Raises:
        UsageError: `DLCLI_CACHE_LIMIT` is no size.
    """
    given = os.environ.get(LIMIT)
    if given is None:
        return int(_SHARE * (free_bytes() + used))
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)b?\s*", given, re.IGNORECASE)
    if found is None:
        raise UsageError(f"{LIMIT}={given} is no size", suggestion=f"for example {LIMIT}=20GB")
    return int(float(found[1]) * _UNITS[found[2].lower()])


def free_bytes() -> int:
    """Return what is free on the disk of the cache."""
    folder = cache_folder()
    there = next(place for place in (folder, *folder.parents) if place.exists())
    return shutil.disk_usage(there).free
