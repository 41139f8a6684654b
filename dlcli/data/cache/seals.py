"""Small files of plain data that tell whether they are whole, and the keys that name them."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from dlcli.files import JSON, canonical_json

FORMAT = 1
"""Part of every key: raised whenever what is kept, or what it is made by, changes."""


def key_of(**facts: JSON) -> str:
    """Return the key of what follows from these facts."""
    text = canonical_json({"format": FORMAT, **facts})
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def checked(path: Path) -> Any:
    """Return what a sealed file holds; None where it is missing or damaged."""
    try:
        found = json.loads(path.read_bytes())
        text = canonical_json(found["facts"])
        return found["facts"] if _digest(text) == found["sha256"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def sealed(facts: JSON) -> bytes:
    """Return plain data as the bytes of a file that `checked` reads."""
    return canonical_json({"facts": facts, "sha256": _digest(canonical_json(facts))}).encode()


def write_whole(path: Path, content: bytes) -> None:
    """Write a new file, flushed to the disk."""
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
