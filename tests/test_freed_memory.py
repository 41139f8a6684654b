"""What a training frees stays with it, from step to step; and nothing stays beyond its end."""

from __future__ import annotations

import ctypes
import gc
import subprocess
import sys
import weakref
from pathlib import Path

import pytest

from dlcli.commands.train import train_config
from dlcli.config.read import read_config
from dlcli.memory import keep_freed_memory
from dlcli.training import trainer

TRIM = -1
"""M_TRIM_THRESHOLD of malloc.h."""
PROGRAM = """
import resource
import numpy as np
from dlcli.memory import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        blocks = [np.empty(size << 20, np.uint8) for size in (20, 18, 16)]
        for block in blocks:
            block.fill(1)
        del block, blocks
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

given_back = faults()
keep_freed_memory()
faults()
print(given_back, faults())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the C library of Linux is asked")
def test_what_is_freed_is_taken_again_without_a_page_fault() -> None:
    """20 MB are some 5,000 pages; of 54 the library of its own accord keeps less."""
    told = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=True)
    given_back, kept = map(int, told.stdout.split())
    assert kept < 200
    assert given_back > 10 * max(1, kept)


@pytest.mark.skipif(sys.platform != "linux", reason="the C library of Linux is asked")
@pytest.mark.parametrize(("most", "told"), [(1 << 31, 2), (1 << 25, 3), (0, 2)])
def test_a_c_library_that_refuses_is_not_told_the_rest(
    most: int, told: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """glibc up to 2.34 takes 32 MB; when to give back, told alone, would make all slower."""
    calls: list[tuple[int, int]] = []

    class Library:
        def mallopt(self, parameter: int, value: int) -> int:
            calls.append((parameter, value))
            return int(parameter == TRIM or value <= most)

    monkeypatch.setattr(ctypes, "CDLL", lambda _: Library())
    keep_freed_memory()
    assert len(calls) == told
    assert (calls[-1][0] == TRIM) == bool(most)


def test_no_training_outlives_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With several seeds the data of the first would stay beside those of the others."""
    made: list[weakref.ref[trainer.Trainer]] = []

    class Watched(trainer.Trainer):
        def __init__(self, **options: object) -> None:
            super().__init__(**options)  # type: ignore[arg-type]
            made.append(weakref.ref(self))

    monkeypatch.setattr("dlcli.build.Trainer", Watched)
    (tmp_path / "iris.yaml").write_text("data: iris\nmodel: linear\ntrain: {epochs: 2}\n")
    gc.collect()
    gc.disable()
    try:
        read = read_config(tmp_path / "iris.yaml", [])
        train_config(read, runs_dir=tmp_path / "runs", seeds=2, is_quiet=True)
        assert len(made) == 2
        assert [each() for each in made] == [None, None]
    finally:
        gc.enable()
