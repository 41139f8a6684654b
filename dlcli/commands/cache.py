"""`dlcli cache ls` and `dlcli cache clear`: what is kept of prepared data, shown and removed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dlcli.commands.columns import aligned
from dlcli.data.cache.entries import described
from dlcli.data.cache.place import cache_folder, limit_bytes
from dlcli.data.cache.room import Held, held, remove
from dlcli.errors import UsageError
from dlcli.files import disk_errors


@dataclass(frozen=True)
class Cleared:
    """What was removed, as plain data and as text."""

    data: dict[str, Any]
    text: str


def listing_data() -> dict[str, Any]:
    """Return what the cache holds as plain data, what was used last first."""
    there = _held()
    used = sum(one.bytes for one in there)
    entries = [one for one in reversed(there) if not one.is_note]
    return {
        "schema": 1,
        "command": "cache ls",
        "status": "ok",
        "folder": str(cache_folder()),
        "bytes": used,
        "limit": limit_bytes(used),
        "entries": [_row(one) for one in entries],
        "notes": sum(one.is_note for one in there),
    }


def listing() -> str:
    """Return the same as a table."""
    data = listing_data()
    rows = [
        [row["key"][:_SHOWN], row["what"], _count(row["rows"]), _size(row["bytes"]), row["used"]]
        for row in data["entries"]
    ]
    table = aligned(["key", "what", "rows", "size", "last used"], rows) if rows else ""
    total = f"{_size(data['bytes'])} of at most {_size(data['limit'])} in {data['folder']}"
    return f"{table.rstrip()}\n{total}".lstrip()


def clear(keys: Sequence[str]) -> Cleared:
    """Remove entries by the beginnings of their keys; everything where none is given.

    Raises:
        UsageError: A key is that of no entry.
        MachineError: The cache may not be written to.
    """
    there = _held()
    entries = [one for one in there if not one.is_note]
    for key in keys:
        if not any(one.key.startswith(key) for one in entries):
            raise UsageError(f"no entry `{key}` in the cache", suggestion="dlcli cache ls")
    wanted = [one for one in entries if any(map(one.key.startswith, keys))] if keys else there
    with disk_errors(cache_folder(), verb="clear"):
        gone = [one for one in wanted if remove(one)]
    freed = sum(one.bytes for one in gone)
    busy = len(wanted) - len(gone)
    count = sum(not one.is_note for one in gone)
    data = {
        "schema": 1,
        "command": "cache clear",
        "status": "ok",
        "removed": [one.key for one in gone if not one.is_note],
        "bytes": freed,
        "in_use": busy,
    }
    text = f"freed {_size(freed)}: {count:,} {'entry' if count == 1 else 'entries'}"
    return Cleared(data, text + (f"; in use, so kept: {busy}" if busy else ""))


_SHOWN = 12
"""Characters of a key: enough to name it."""


def _held() -> list[Held]:
    with disk_errors(cache_folder(), verb="read"):
        return held()


def _row(one: Held) -> dict[str, Any]:
    what, rows = described(one.path)
    used = datetime.fromtimestamp(one.used, UTC).astimezone()
    return {
        "key": one.key,
        "what": what,
        "rows": rows,
        "bytes": one.bytes,
        "used": used.isoformat(" ", "seconds")[:19],
    }


def _count(rows: int | None) -> str:
    return "?" if rows is None else f"{rows:,}"


def _size(size: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
