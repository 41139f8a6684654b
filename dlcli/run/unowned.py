"""A run directory as a process sees it that does not own it; imports no torch."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dlcli.files import JSON
from dlcli.run.directory import Rows, Run


class UnownedRun(Run):
    """The run of a training that another process leads: nothing here is written.

    Args:
        path: The directory, which need not be on this machine.
        facts: What its run.json says.
    """

    def __init__(self, path: Path, facts: Mapping[str, Any]) -> None:
        self.path = path
        self.facts = dict(facts)
        self._lock = None
        self.log = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115

    @property
    def is_gone(self) -> bool:
        """False: that is for its owner to say."""
        return False

    def update(self, **fields: JSON) -> None:
        """Set the facts, for this process alone."""
        self.facts |= fields

    def write_resolved(self, text: str) -> None:
        """Do nothing."""

    def resume(self, *, rows: int) -> int:
        """Say that nothing is missing."""
        return rows

    def add_metrics(self, row: Mapping[str, JSON]) -> None:
        """Do nothing."""

    def rotate_last(self, write: Callable[[Path], None]) -> None:
        """Do nothing."""

    def keep_as_best(self) -> None:
        """Do nothing."""

    def write_splits(
        self, rows: Mapping[str, Rows], text: Callable[[Any], str] | None = None
    ) -> None:
        """Do nothing."""
