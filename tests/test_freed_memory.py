"""What a training frees stays with it, from step to step; and nothing stays beyond its end."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref
from pathlib import Path

import pytest

from dlcli.commands.train import train_config
from dlcli.config.read import read_config
from dlcli.training import trainer

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
