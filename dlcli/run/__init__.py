"""Run directories: made, owned, written and found; never imports torch."""

from dlcli.run.directory import Run
from dlcli.run.find import find_checkpoint, find_run, list_runs

__all__ = ["Run", "find_checkpoint", "find_run", "list_runs"]
