"""How much memory there is, and how much was taken: asks the machine, knows no training."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import torch

from dlcli.memory import free_memory


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


def _resident() -> int:
    """Return the bytes of main memory that this process has now."""
    statm = Path("/proc/self/statm")
    if not statm.exists():
        return 0
    return int(statm.read_text().split()[1]) * resource.getpagesize()
