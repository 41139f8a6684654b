"""What is saved when: short epochs are not all saved, and nothing is lost by it."""

from __future__ import annotations

import json
import os
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from dlcli import checkpoint
from dlcli.commands.train import train_config
from dlcli.config.read import read_config
from dlcli.training.state import State
from dlcli.training.stopping import Monitor
from dlcli.training.trainer import Trainer
from tests.command_line import CONFIGS


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A training of 40 epochs, each of some milliseconds, whose best epoch is not its last."""
    read = read_config(CONFIGS / "digits-mlp.yaml", ["train.epochs=40", "optimizer.lr=1e-2"])
    runs = tmp_path_factory.mktemp("runs")
    result = train_config(read, runs_dir=runs, is_quiet=True).data
    return next(runs.iterdir()), result


def test_the_last_checkpoint_is_of_the_last_epoch(run):
    folder, _ = run
    last = checkpoint.load(folder / "checkpoints" / "last.safetensors")
    assert last.data["state"]["epoch"] == 40
    assert len(last.tensors["history/values"]) == 40


def test_the_best_checkpoint_is_of_the_best_epoch_though_it_was_not_saved_at_once(run):
    folder, result = run
    best = checkpoint.load(folder / "checkpoints" / "best.safetensors")
    losses = [
        json.loads(line)["val"]["loss"]
        for line in (folder / "metrics.jsonl").read_text().splitlines()
    ]
    assert best.data["state"]["epoch"] == result["best_epoch"] == losses.index(min(losses)) + 1
    assert result["best_epoch"] < 40
    assert result["metrics"]["val"]["loss"] == pytest.approx(min(losses), rel=1e-6)


def trained(folder, *overrides):
    """Train in a folder of its own; return the run directory."""
    read = read_config(CONFIGS / "digits-mlp.yaml", ["train.epochs=2", *overrides])
    train_config(read, runs_dir=folder, is_quiet=True)
    (run,) = folder.iterdir()
    return run


def position(run, name):
    state = checkpoint.load(run / "checkpoints" / f"{name}.safetensors").data["state"]
    return state["epoch"], state["batch"]


@pytest.mark.parametrize(("every", "is_within"), [("4", True), ("0.001s", True), ("10m", False)])
def test_checkpoints_within_an_epoch_come_after_steps_or_a_time(every, is_within, tmp_path):
    run = trained(tmp_path, f"train.checkpoint_every={every}")
    assert position(run, "last") == (2, 0)
    epoch, batch = position(run, "previous")
    assert (batch > 0) is is_within
    assert epoch == 1


@pytest.fixture
def beside(monkeypatch):
    """Checkpoints are written beside the training, as where it is on a GPU."""
    monkeypatch.setattr("dlcli.saving._Snapshot.is_on_device", lambda _: True)


def contents(run):
    return {path.name: path.read_bytes() for path in (run / "checkpoints").iterdir()}


def test_what_is_written_beside_the_training_is_the_same(tmp_path, request):
    overrides = ["train.checkpoint_every=3", "train.epochs=3", "optimizer.lr=1e-2"]
    straight = trained(tmp_path / "straight", *overrides)
    request.getfixturevalue("beside")
    run = trained(tmp_path / "beside", *overrides)
    assert contents(run) == contents(straight)
    assert len(contents(run)) == 3


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_what_is_written_beside_a_gpu_is_the_same(tmp_path, monkeypatch):
    overrides = ["train.checkpoint_every=3", "train.device=cuda"]
    run = trained(tmp_path / "beside", *overrides)
    monkeypatch.setattr("dlcli.saving._Snapshot.is_on_device", lambda _: False)
    assert contents(run) == contents(trained(tmp_path / "straight", *overrides))


@pytest.mark.usefixtures("beside")
def test_training_goes_on_while_a_checkpoint_is_written(tmp_path, monkeypatch):
    """The first write waits for later steps, which come; the copy holds what was then."""
    steps, save, update = [], checkpoint.save, Trainer._update
    went_on = threading.Event()

    def counted(*given):
        steps.append(None)
        if len(steps) > 3:
            went_on.set()
        return update(*given)

    def slow(path, **given):
        assert went_on.wait(20)
        save(path, **given)

    monkeypatch.setattr(Trainer, "_update", counted)
    monkeypatch.setattr(checkpoint, "save", slow)
    run = trained(tmp_path, "train.checkpoint_every=3", "train.epochs=1")
    assert position(run, "last") == (1, 0)
    expected = trained(tmp_path / "straight", "train.checkpoint_every=3", "train.epochs=1")
    assert contents(run) == contents(expected)


def test_a_file_is_flushed_before_it_takes_a_name_and_the_folder_after(tmp_path, monkeypatch):
    """Else a power cut leaves a name without its bytes, or the bytes without the name."""
    calls = recorded_calls(monkeypatch)
    run = trained(tmp_path, "train.checkpoint_every=3", "optimizer.lr=1e-2")
    monkeypatch.undo()
    folder = (run / "checkpoints").stat().st_ino
    renames = [call for call in calls if call.kind == "rename" and call.folder == folder]
    assert len(renames) > 6
    for number, call in enumerate(calls):
        if call in renames:
            assert any(
                (one.kind, one.file, one.size) == ("flush", call.file, call.size)
                for one in calls[:number]
            ), f"{call.name} was not on the disk"
    after = calls[calls.index(renames[-1]) :]
    assert any((one.kind, one.file) == ("flush", folder) for one in after)


def test_whatever_last_knows_to_be_the_best_is_safe_by_then(tmp_path, monkeypatch):
    """A training that goes on from there does not look for that epoch again."""
    checked, replace = [], os.replace

    def checking(source, target):
        if Path(target).name == "last.safetensors":
            position, best = position_and_best(Path(source))
            if best and position != (best, 0):
                kept = Path(target).with_name("best.safetensors")
                checked.append(position_and_best(kept) == ((best, 0), best))
        replace(source, target)

    monkeypatch.setattr(os, "replace", checking)
    trained(tmp_path, "train.checkpoint_every=4", "train.epochs=6", "optimizer.lr=1e-2")
    assert len(checked) > 4
    assert all(checked)


def position_and_best(path):
    """Return epoch and batch of a checkpoint, and the best epoch that it knows of."""
    loaded = checkpoint.load(path)
    state = State.from_data(loaded.data["state"], loaded.tensors["history/values"])
    return (state.epoch, state.batch), Monitor().best_epoch(state.history)


@dataclass(frozen=True)
class Call:
    """A call of the system that makes sure of a file or renames it.

    Attributes:
        kind: `flush` or `rename`.
        file: Number of the file on its disk.
        size: Its bytes by then.
        folder: Number of the folder, of a rename.
        name: The name that the file gets.
    """

    kind: str
    file: int
    size: int
    folder: int = 0
    name: str = ""


def recorded_calls(monkeypatch):
    """Return a list that is filled with every `fsync` and `replace` from now on."""
    calls, fsync, replace = [], os.fsync, os.replace

    def flushing(descriptor):
        found = os.fstat(descriptor)
        calls.append(Call("flush", found.st_ino, found.st_size))
        fsync(descriptor)

    def renaming(source, target):
        found, place = Path(source).stat(), Path(target)
        calls.append(
            Call("rename", found.st_ino, found.st_size, place.parent.stat().st_ino, place.name)
        )
        replace(source, target)

    monkeypatch.setattr(os, "fsync", flushing)
    monkeypatch.setattr(os, "replace", renaming)
    return calls
