"""The machine in words: what it has, never what it is called."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path


def described() -> list[str]:
    """Return lines on processor, memory, system, and how busy it is."""
    processor = _line("/proc/cpuinfo", r"model name\s*:\s*(.+)") or platform.machine()
    memory = int(_line("/proc/meminfo", r"MemTotal:\s*(\d+)") or 0) / 2**20
    widest = next((name for name in ("avx512f", "avx2") if name in _flags()), "no AVX2")
    load = os.getloadavg()[0]
    threads = os.environ.get("OMP_NUM_THREADS")
    return [
        f"Machine: {os.cpu_count()} cores of {processor} ({widest}), {memory:.0f} GiB of memory, "
        f"{platform.system()}, Python {platform.python_version()}.",
        f"Load when it began: {load:.1f}"
        + (" (others were at work: absolute figures are too high)." if load > 0.7 else "."),
        *([f"Threads: OMP_NUM_THREADS is {threads}."] if threads else []),
    ]


def _flags() -> list[str]:
    return (_line("/proc/cpuinfo", r"flags\s*:\s*(.+)") or "").split()


def _line(path: str, pattern: str) -> str | None:
    found = re.search(pattern, Path(path).read_text())
    return found[1] if found else None
