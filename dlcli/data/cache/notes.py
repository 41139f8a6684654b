"""Plain data that saves time, and nothing else: where it is missing, it is found out anew."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any

from dlcli.data.cache.errors import CacheError, cache_errors
from dlcli.data.cache.partial import partial_folder
from dlcli.data.cache.place import cache_folder
from dlcli.data.cache.room import make_room
from dlcli.data.cache.seals import checked, sealed, write_whole
from dlcli.files import JSON


def read_note(key: str) -> Any:
    """Return a note; None where there is none that is whole."""
    path = cache_folder() / "notes" / f"{key}.json"
    found = checked(path)
    if found is not None:
        with suppress(OSError):
            os.utime(path)
    return found


def write_note(key: str, note: JSON) -> None:
    """Keep a note. Where the disk refuses there will be none."""
    cache = cache_folder()
    text = sealed(note)
    with suppress(CacheError), cache_errors(cache):
        make_room(len(text))
        with partial_folder(cache) as (folder, _):
            path = cache / "notes" / f"{key}.json"
            path.parent.mkdir(exist_ok=True)
            write_whole(folder / path.name, text)
            (folder / path.name).replace(path)
