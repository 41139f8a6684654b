"""Runs dlcli as users do: a process of its own, in a folder of its own.

Where starting up is not what is tested, the process is forked from one that has imported dlcli and
torch, which saves two seconds each time.
"""

from __future__ import annotations

import atexit
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from subprocess import CompletedProcess
from tempfile import TemporaryDirectory
from typing import Any

REPOSITORY = Path(__file__).parent.parent
CONFIGS = REPOSITORY / "configs"

ENVIRONMENT = {**os.environ, "NO_COLOR": "1", "COLUMNS": "120", "OMP_NUM_THREADS": "1"}

_SERVER = Path(__file__).with_name("fork_server.py")
_SECONDS = 120


@dataclass
class Running:
    """A process under way.

    Attributes:
        pid: Its number, and that of the group of it and its children.
        words: Its command line.
        place: Folder of the files `stdout` and `stderr`.
        exit_code: Waits for its end.
    """

    pid: int
    words: list[str]
    place: Path
    exit_code: Callable[[], int]
    is_over: bool = False

    def wait(self) -> CompletedProcess[str]:
        """Wait for the end; a process that a signal ended has its negative number as exit code."""
        code = self.exit_code()
        self.is_over = True
        texts = ((self.place / name).read_text() for name in ("stdout", "stderr"))
        return CompletedProcess(self.words, code, *texts)

    def kill(self) -> None:
        """End the process and its children as a power cut would."""
        os.killpg(self.pid, signal.SIGKILL)
        self.wait()


def dlcli(
    *words: object,
    folder: Path,
    stdin: str | None = None,
    check: int | None = 0,
    largest_file: int | None = None,
    before: str = "",
) -> CompletedProcess[str]:
    """Run a command; fail with its talk unless it ends with the exit code `check`."""
    with started(
        *words, folder=folder, stdin=stdin, largest_file=largest_file, before=before
    ) as running:
        return _checked(running.wait(), check)


def fresh(
    *words: object, folder: Path, check: int | None = 0, environment: dict[str, str] | None = None
) -> CompletedProcess[str]:
    """Run a command in a process that imports everything itself."""
    done = subprocess.run(
        [sys.executable, "-m", "dlcli", *map(str, words)],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**ENVIRONMENT, **(environment or {})},
        timeout=_SECONDS,
        check=False,
    )
    return _checked(done, check)


@contextmanager
def started(
    *words: object,
    folder: Path,
    stdin: str | None = None,
    largest_file: int | None = None,
    environment: dict[str, str] | None = None,
    before: str = "",
) -> Iterator[Running]:
    """Start a command and leave it running; at the end of the block it is killed if it still is.

    Args:
        words: The command line.
        folder: The working directory.
        stdin: What it reads.
        largest_file: Bytes that a file may have; writing more fails as on a full disk.
        environment: Variables beside the usual ones.
        before: Python code that the process runs first, to provoke a fault or to watch.
    """
    with TemporaryDirectory() as place:
        Path(place, "stdin").write_text(stdin or "")
        order = {
            "words": [*map(str, words)],
            "folder": str(folder),
            "place": place,
            "size": largest_file,
            "environment": environment or {},
            "before": before,
        }
        running = _fork(order) if sys.platform == "linux" else _spawn(order)
        try:
            yield running
        finally:
            if not running.is_over:
                running.kill()


def until(condition: Callable[[], object]) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + _SECONDS
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


def as_json(*words: object, folder: Path, check: int | None = 0) -> dict[str, Any]:
    """Run a command with --json; return the one object on stdout."""
    return one_object(dlcli(*words, "--json", folder=folder, check=check))


def one_object(done: CompletedProcess[str]) -> dict[str, Any]:
    """Return the one object that is all of stdout."""
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


def _checked(done: CompletedProcess[str], code: int | None) -> CompletedProcess[str]:
    if code is not None:
        assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def _fork(order: dict[str, Any]) -> Running:
    pid = _ask(order)
    return Running(pid, order["words"], Path(order["place"]), lambda: _ask({"wait": pid}))


def _ask(order: dict[str, Any]) -> int:
    """Send the server a line, return the number that it answers."""
    server = _server()
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write(json.dumps(order) + "\n")
    server.stdin.flush()
    return int(server.stdout.readline())


@cache
def _server() -> subprocess.Popen[str]:
    server = subprocess.Popen(
        [sys.executable, str(_SERVER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**ENVIRONMENT, "TORCH_CPP_LOG_LEVEL": "ERROR"},  # as __main__ sets it for ranks
    )
    atexit.register(lambda: server.communicate(""))
    return server


def _spawn(order: dict[str, Any]) -> Running:
    place, words = Path(order["place"]), order["words"]
    code = f"{order['before']}\nfrom dlcli.__main__ import main\nmain()"
    with (
        (place / "stdin").open() as stdin,
        (place / "stdout").open("w") as stdout,
        (place / "stderr").open("w") as stderr,
    ):
        process = subprocess.Popen(
            [sys.executable, "-c", code, *words],
            cwd=order["folder"],
            process_group=0,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env={**ENVIRONMENT, **order["environment"]},
            preexec_fn=lambda: _limit_files(order["size"]),
        )
    return Running(process.pid, words, place, process.wait)


def _limit_files(size: int | None) -> None:
    """Let this process write no file of more bytes; more fails as on a full disk."""
    if size is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
