"""Find a run or a checkpoint by what a person types; opens no checkpoint."""

from __future__ import annotations

import re
from pathlib import Path

from dlcli.errors import CheckpointError, DlcliError, Fault
from dlcli.files import disk_errors
from dlcli.run.facts import is_run, read_facts

RUNS_DIR = Path("runs")
LATEST = "latest"

_STAMP = re.compile(r"\d{8}-\d{6}-")
_SHOWN = 8


def find_checkpoint(text: str, runs_dir: Path = RUNS_DIR) -> Path:
    """Return the checkpoint that a text names: a file, or a run's best.

    A run without a best one gives its last, or the one before.

    Args:
        text: A file, or what `find_run` takes.
        runs_dir: Where named runs are.

    Raises:
        CheckpointError: There is no such file or run, or it has no checkpoint.
    """
    with disk_errors(Path(text), verb="read"):
        if Path(text).is_file():
            return Path(text)
    if text.endswith(".safetensors"):
        raise CheckpointError(f"there is no file `{text}`", suggestion="check the path")
    run = find_run(text, runs_dir)
    for name in ("best", "last", "previous"):
        path = run / "checkpoints" / f"{name}.safetensors"
        if path.is_file():
            return path
    status = read_facts(run).get("status")
    raise CheckpointError(
        f"the run `{run}` has no checkpoint; its status is {status}",
        suggestion="name another run",
    )


def find_run(text: str, runs_dir: Path = RUNS_DIR) -> Path:
    """Return the run directory that a text names.

    Args:
        text: A run directory; the beginning of a run's name, with or without the time before it,
            that fits no other; or `latest`.
        runs_dir: Where named runs are.

    Raises:
        CheckpointError: No run fits, or several do: they are listed.
    """
    if text and is_run(Path(text)):
        return Path(text)
    runs = list_runs(runs_dir)
    if text == LATEST and runs:
        return runs[-1]
    found = _matches(text, runs) if text else []
    if len(found) == 1:
        return found[0]
    if found:
        remedy = f"give more of the name with its time, or `{LATEST}`"
        raise _error(f"`{text}` could be any of {len(found)} runs", found, remedy)
    if not runs:
        remedy = "`dlcli train CONFIG` makes one; --runs-dir says where runs are"
        raise _error(f"`{text}` is not a run, and there is none in `{runs_dir}`", runs, remedy)
    raise _error(f"`{text}` is not a run, and none in `{runs_dir}` is called so", runs, "")


def list_runs(runs_dir: Path = RUNS_DIR) -> list[Path]:
    """Return the run directories of a folder, the newest last; none if there is no folder.

    Raises:
        MachineError: The folder cannot be read.
    """
    with disk_errors(runs_dir, verb="read"):
        runs = [path for path in runs_dir.iterdir() if is_run(path)] if runs_dir.is_dir() else []
    return sorted(runs, key=lambda run: (_started(run), run.name))


def _started(run: Path) -> str:
    """Return when a run started, in UTC; nothing where its run.json cannot be read."""
    try:
        return str(read_facts(run).get("started"))
    except DlcliError:  # a damaged run must not hide the others
        return ""


def _matches(text: str, runs: list[Path]) -> list[Path]:
    """Return the runs that fit best: by whole directory name, by whole name, by a beginning."""
    names = {run: _STAMP.sub("", run.name, count=1) for run in runs}
    return (
        [run for run in runs if run.name == text]
        or [run for run in runs if names[run] == text]
        or [run for run in runs if run.name.startswith(text) or names[run].startswith(text)]
    )


def _error(message: str, runs: list[Path], remedy: str) -> CheckpointError:
    newest = [run.name for run in reversed(runs[-_SHOWN:])]
    more = [f"and {len(runs) - _SHOWN} older"] if len(runs) > _SHOWN else []
    note = f"runs: {', '.join(newest + more)}" if runs else ""
    return CheckpointError([Fault(message, suggestion=remedy, note=note)])
