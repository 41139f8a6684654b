"""Run directories: made, owned, written and found; never imports torch."""

from dlcli.run.directory import Run
from dlcli.run.facts import is_run, read_facts
from dlcli.run.find import find_checkpoint, find_run, list_runs

__all__ = ["Run", "find_checkpoint", "find_run", "is_run", "list_runs", "read_facts"]
