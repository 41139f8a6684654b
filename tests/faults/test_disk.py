"""A disk that fills up, wherever that happens, costs no more than the steps since the last save."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dlcli import checkpoint
from dlcli.run import find_run, read_facts
from tests.command_line import as_json, dlcli, one_object

CONFIG = """\
data: {name: wine, batch_size: 71}
model: {name: mlp, hidden_sizes: [64]}
train: {epochs: 60, threads: 1, checkpoint_every: 1}
"""
BESIDE = "from dlcli import saving; saving._Snapshot.is_on_device = lambda self: True"
LIMITING = """
import resource, sys
lacking = {lacking}
def limit(event, arguments):
    global lacking
    if event == "open" and "/checkpoints/." in str(arguments[0]) and arguments[1] == "x":
        lacking -= 1
        if lacking == 0:
            resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))
sys.addaudithook(limit)
"""
"""Lets no file grow past 8 kB from the `lacking`-th checkpoint on; other files stay below."""
WRITES = 20


def write_config(folder: Path) -> None:
    (folder / "wine.yaml").write_text(CONFIG)


@pytest.mark.slow
@pytest.mark.parametrize("before", ["", BESIDE], ids=["in turn", "beside"])
def test_a_disk_that_fills_at_each_of_20_checkpoints_leaves_the_one_before(
    before: str, tmp_path: Path
) -> None:
    write_config(tmp_path)
    steps: list[int] = []
    for number in range(1, WRITES + 1):
        words = ["train", "wine.yaml", "--json", "--name", f"full{number}"]
        limiting = LIMITING.format(lacking=number + 1) + before
        done = dlcli(*words, folder=tmp_path, check=7, before=limiting)
        (error,) = one_object(done)["errors"]
        run = find_run(f"full{number}", tmp_path / "runs")
        last = run / "checkpoints" / "last.safetensors"
        assert f"cannot write `{last.parent.relative_to(tmp_path)}/" in error["message"]
        assert ".part" not in error["message"]
        assert " bytes needed, " in error["message"]
        assert " free)" in error["message"]
        assert f"; the last good checkpoint is {last.relative_to(tmp_path)}" in error["message"]
        steps.append(checkpoint.load(last).data["state"]["step"])
        assert not list(run.rglob(".*"))
        assert read_facts(run)["status"] == "failed"
    assert steps == sorted(steps)
    assert steps[-1] >= WRITES // 2  # a best epoch is a write as well
    dlcli("train", "--resume", f"full{WRITES}", "train.epochs=12", folder=tmp_path)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, of 2 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "none", place]
    if (
        sys.platform != "linux"
        or os.geteuid() != 0
        or subprocess.run(mount, check=False).returncode
    ):
        pytest.skip("needs the right to mount a disk")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


FILLING = """
import os, sys
lacking = {lacking}
def fill(event, arguments):
    global lacking
    if event != "open" or not isinstance(arguments[0], str) or {place!r} not in arguments[0]:
        return
    if arguments[2] & (os.O_WRONLY | os.O_RDWR) and "ballast" not in arguments[0]:
        lacking -= 1
        if lacking == 0:
            with open({place!r} + "/ballast", "wb", buffering=0) as ballast:
                try:
                    while True:
                        ballast.write(bytes(4096))
                except OSError:
                    pass
sys.addaudithook(fill)
"""
"""Fills the disk before a file on it is opened for writing, the `lacking`-th time."""


@pytest.mark.slow
def test_a_disk_that_is_full_before_any_of_its_files_is_written(disk: Path, tmp_path: Path) -> None:
    """From the run directory's first file to the last that a training writes."""
    write_config(tmp_path)
    words = ["train", "wine.yaml", "train.epochs=6", "--runs-dir", disk / "runs", "--json"]
    codes = []
    for number in range(1, 200):
        filling = FILLING.format(lacking=number, place=str(disk))
        done = dlcli(*words, folder=tmp_path, check=None, before=filling)
        codes.append(done.returncode)
        assert not list(disk.rglob("*.part")), number
        (disk / "ballast").unlink(missing_ok=True)
        if done.returncode == 0:
            break
        assert done.returncode == 7, done.stderr
        (error,) = one_object(done)["errors"]
        assert "the disk is full" in error["message"]
        for run in (disk / "runs").glob("*"):
            assert (run / "run.json").exists(), f"{number}: half a run is left"
            if saved := sorted(run.glob("checkpoints/last.safetensors")):
                checkpoint.load(saved[0])
                dlcli("train", "--resume", run, "--quiet", folder=tmp_path)
        subprocess.run(["rm", "-r", disk / "runs"], check=True)
    assert len(codes) > WRITES
    assert codes[-1] == 0


@pytest.mark.slow
def test_a_read_only_disk_is_told_and_left_as_it_is(disk: Path, tmp_path: Path) -> None:
    write_config(tmp_path)
    runs = ["--runs-dir", disk / "runs"]
    first = as_json("train", "wine.yaml", "train.epochs=2", *runs, folder=tmp_path)
    before = sorted(disk.rglob("*"))
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    for words in (["wine.yaml"], ["--resume", first["run_dir"], "train.epochs=3"]):
        done = dlcli("train", *words, *runs, folder=tmp_path, check=7)
        assert "the file system is read-only" in done.stderr
        assert "Traceback" not in done.stderr
    assert sorted(disk.rglob("*")) == before
