"""Run directories: made, owned, written and found; never imports torch."""

from dlcli.run.directory import Ending, Run
from dlcli.run.facts import is_run, read_facts
from dlcli.run.find import find_checkpoint, find_run, list_runs
from dlcli.run.unowned import UnownedRun

__all__ = [
    "Ending",
    "Run",
    "UnownedRun",
    "find_checkpoint",
    "find_run",
    "is_run",
    "list_runs",
    "read_facts",
]
