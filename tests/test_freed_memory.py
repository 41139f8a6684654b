"""What a training frees stays with it: large tensors cost no page faults from step to step."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import resource
import numpy as np
from dlcli.memory import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        first, second = np.empty(20 << 20, np.uint8), np.empty(18 << 20, np.uint8)
        first.fill(1)
        second.fill(1)
        del first, second
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

given_back = faults()
keep_freed_memory()
faults()
print(given_back, faults())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the C library of Linux is asked")
def test_what_is_freed_is_taken_again_without_a_page_fault() -> None:
    """20 MB are some 5,000 pages."""
    told = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=True)
    given_back, kept = map(int, told.stdout.split())
    assert kept < 200
    assert given_back > 10 * max(1, kept)
