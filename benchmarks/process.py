"""Runs one process and measures it from outside; knows nothing of what it does. Linux only."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_SAMPLE_SECONDS = 0.02


@dataclass(frozen=True)
class Process:
    """One process from start to end.

    Attributes:
        output: What it wrote to stdout.
        seconds: From start to end.
        processor_seconds: Of all threads, and of the processes that it waited for.
        resident: Largest resident set of the process itself in bytes (VmHWM), pages of mapped files
            such as libraries included.
        anonymous: Most pages of its own (RssAnon), likewise; between two looks it may have had
            more.
    """

    output: str
    seconds: float
    processor_seconds: float
    resident: int
    anonymous: int


class FailedError(Exception):
    """A process ended in another way than by exit code 0, or said something unexpected."""


def run(
    words: Sequence[str], *, folder: Path, environment: Mapping[str, str] | None = None
) -> Process:
    """Run a command to its end.

    Args:
        words: Program and arguments.
        folder: Where to run it.
        environment: Variables to set, beside those of this process.

    Raises:
        FailedError: Its exit code is not 0; tells the end of what it wrote to stderr.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as talk:
        started = time.perf_counter()
        child = subprocess.Popen(
            words,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=talk,
        )
        with _Memory(child.pid) as memory:
            _, status, usage = os.wait4(child.pid, 0)
            seconds = time.perf_counter() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            talk.seek(0)
            raise FailedError(_last_line(talk.read().decode(errors="replace"), child.returncode))
        output.seek(0)
        return Process(
            output.read().decode(),
            seconds,
            usage.ru_utime + usage.ru_stime,
            memory.most["VmHWM"],
            memory.most["RssAnon"],
        )


class _Memory:
    """Looks at a process's memory again and again until told to stop.

    `ru_maxrss` would be no use: it begins with what the parent had when it started the child.
    """

    def __init__(self, process: int) -> None:
        self.most = {"VmHWM": 0, "RssAnon": 0}
        self._path = Path(f"/proc/{process}/status")
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> _Memory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._is_over.wait(_SAMPLE_SECONDS):
            try:
                status = self._path.read_text()
            except (FileNotFoundError, ProcessLookupError):
                return
            for name, size in re.findall(r"(VmHWM|RssAnon):\s+(\d+) kB", status):
                self.most[name] = max(self.most[name], int(size) << 10)


def _last_line(talk: str, code: int) -> str:
    lines = [line.strip() for line in talk.splitlines() if line.strip()]
    return f"exit code {code}: {lines[-1][:200] if lines else 'it said nothing'}"
