"""What a check says: one line, and what would mend it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """The outcome of one check.

    Attributes:
        name: Of the check.
        message: What was found, one line.
        remedy: What would mend it; empty where nothing is wrong.
        status: `warning` where something is wrong.
    """

    name: str
    message: str
    remedy: str = ""
    status: Literal["ok", "warning"] = "ok"


def sound(name: str, message: str) -> Finding:
    """Return the finding that nothing is wrong."""
    return Finding(name, message)


def warning(name: str, message: str, remedy: str = "") -> Finding:
    """Return the finding that something is wrong, and what would mend it."""
    return Finding(name, message, remedy, "warning")
