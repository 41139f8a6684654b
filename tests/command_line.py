"""Runs dlcli as users do: a process of its own, in a folder of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parent.parent
CONFIGS = REPOSITORY / "configs"

ENVIRONMENT = {**os.environ, "NO_COLOR": "1", "COLUMNS": "120", "OMP_NUM_THREADS": "1"}


def dlcli(
    *words: object, folder: Path, stdin: str | None = None, check: int | None = 0
) -> subprocess.CompletedProcess[str]:
    """Run a command; fail with its talk unless it ends with the exit code `check`."""
    done = subprocess.run(
        [sys.executable, "-m", "dlcli", *map(str, words)],
        cwd=folder,
        input=stdin,
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        timeout=120,
        check=False,
    )
    if check is not None:
        assert done.returncode == check, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def as_json(*words: object, folder: Path, check: int | None = 0) -> dict[str, Any]:
    """Run a command with --json; return the one object on stdout."""
    done = dlcli(*words, "--json", folder=folder, check=check)
    assert done.stdout.count("\n") == 1, done.stdout
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def imported(code: str) -> set[str]:
    """Return the top-level names of all modules that some Python code imports."""
    script = f"{code}\nimport sys; print(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stdout.split("\n")[-2].split())
