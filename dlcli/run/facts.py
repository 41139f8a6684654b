"""What run.json says of the program's surroundings, and how it is read; changes nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from dlcli.errors import CheckpointError
from dlcli.files import disk_errors

RUN_FILE = "run.json"

_PACKAGES = ("dlcli", "torch", "numpy", "pyarrow", "safetensors")
_GIT_SECONDS = 2.0


def read_facts(path: Path) -> dict[str, Any]:
    """Return what a run's run.json says.

    Raises:
        CheckpointError: The directory is not a run, or run.json is damaged.
        MachineError: It cannot be read.
    """
    if not is_run(path):
        raise CheckpointError(f"`{path}` is not a run: it has no {RUN_FILE}")
    with disk_errors(path / RUN_FILE, verb="read"):
        content = (path / RUN_FILE).read_bytes()
    try:
        facts = json.loads(content)
    except ValueError as error:
        raise CheckpointError(f"`{path / RUN_FILE}` is damaged: {error}") from error
    if not isinstance(facts, dict):
        raise CheckpointError(f"`{path / RUN_FILE}` is damaged: it is not an object")
    return facts


def is_run(path: Path) -> bool:
    """Tell whether a path is a run directory."""
    with disk_errors(path, verb="read"):
        return (path / RUN_FILE).is_file()


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that a result depends on."""
    found = {"python": sys.version.split()[0]}
    for package in _PACKAGES:
        try:
            found[package] = version(package)  # reads a file; imports nothing
        except PackageNotFoundError:
            continue
    return found


def git_state(folder: Path) -> dict[str, str] | None:
    """Return the commit and branch that a folder is at; None outside git or where git fails.

    Whether files were changed is not asked: that can run programs that the repository names.
    """
    command = ["git", "-C", str(folder), "rev-parse", "HEAD", "--abbrev-ref", "HEAD"]
    try:
        answer = subprocess.run(
            command, capture_output=True, text=True, timeout=_GIT_SECONDS, check=True
        )
        commit, branch = answer.stdout.splitlines()
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return {"commit": commit, "branch": branch}
