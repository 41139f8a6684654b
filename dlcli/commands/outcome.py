"""What a command gives back: data for programs, text for people, and an exit code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Outcome:
    """The result of a command.

    Attributes:
        data: Plain data, what `--json` prints.
        show: Prints the same for a person.
        exit_code: 0, or the code of an interrupted run.
    """

    data: dict[str, Any]
    show: Callable[[], None]
    exit_code: int = 0
