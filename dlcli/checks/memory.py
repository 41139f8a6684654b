"""How much memory there is, and how much was taken: asks the machine, knows no training."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import torch

_MEMINFO = Path("/proc/meminfo")
_GROUP = Path("/sys/fs/cgroup")
_GROUPS = (
    (_GROUP / "memory.max", _GROUP / "memory.current"),
    (_GROUP / "memory/memory.limit_in_bytes", _GROUP / "memory/memory.usage_in_bytes"),
)
"""Limit and use of a control group, of version 2 and of version 1."""


def peak_memory(device: torch.device) -> int:
    """Return the most bytes so far: of this process on a CPU, else of the device."""
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device)
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def available_memory(device: torch.device) -> int | None:
    """Return the bytes that this process can have in all; None where the machine does not tell."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return free + torch.cuda.memory_reserved(device)
    rest = free_memory()
    return None if rest is None else rest + _resident()


def free_memory() -> int | None:
    """Return the bytes of main memory that are free, within the limit of a container."""
    found = [value for value in (_free_of_machine(), _free_of_group()) if value is not None]
    return min(found) if found else None


def _free_of_machine() -> int | None:
    if not _MEMINFO.exists():
        return None
    lines = dict(line.split(":", 1) for line in _MEMINFO.read_text().splitlines())
    return int(lines["MemAvailable"].split()[0]) * 1024


def _free_of_group() -> int | None:
    """Return what the limit of a control group, of either version, leaves; None without one."""
    for limit, used in _GROUPS:
        if limit.exists() and used.exists():
            most = limit.read_text().strip()
            return None if most == "max" else max(0, int(most) - int(used.read_text()))
    return None


def _resident() -> int:
    """Return the bytes of main memory that this process has now."""
    statm = Path("/proc/self/statm")
    if not statm.exists():
        return 0
    return int(statm.read_text().split()[1]) * resource.getpagesize()
