"""What can befall a run directory and its checkpoints: each an exit code and one clear line."""

from __future__ import annotations

import os
import shutil
import signal
import time
from contextlib import ExitStack
from pathlib import Path
from unittest import mock

import pytest

from dlcli import checkpoint
from dlcli.checkpoint import store
from dlcli.run import read_facts
from tests.command_line import as_json, dlcli, one_object, started, until
from tests.faults.kills import left_behind

CONFIG = """\
data: {name: iris, batch_size: 16}
model: {name: mlp, hidden_sizes: [16], dropout: 0.2}
train: {epochs: 6, threads: 1, checkpoint_every: 3}
"""
LONG = "train.epochs=100000"
FAILING_AT = """
from dlcli.training.trainer import Trainer
update = Trainer._update
def failing(self, *given):
    if self.state.step == {step}:
        {what}
    return update(self, *given)
Trainer._update = failing
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "iris.yaml").write_text(CONFIG)
    return tmp_path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run, to be copied."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "iris.yaml").write_text(CONFIG)
    dlcli("train", "iris.yaml", "--quiet", folder=folder)
    return folder


@pytest.fixture
def finished(trained: Path, tmp_path: Path) -> Path:
    """A finished run of its own."""
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    return run_of(tmp_path)


def run_of(folder: Path) -> Path:
    (run,) = (folder / "runs").iterdir()
    return run


def wait_for_checkpoint(folder: Path) -> None:
    until(lambda: [*folder.glob("runs/*/checkpoints/last.safetensors")])


def overwrite(path: Path, content: bytes) -> None:
    path.unlink()  # other names may share its bytes
    path.write_bytes(content)


def test_a_run_directory_that_is_deleted_while_training_is_told_and_not_made_anew(
    folder: Path,
) -> None:
    with started("train", "iris.yaml", LONG, "--json", folder=folder) as running:
        wait_for_checkpoint(folder)
        run = run_of(folder)
        run.rename(folder / "elsewhere")  # in one go, as deleting its folder would be
        shutil.rmtree(folder / "elsewhere")
        done = running.wait()
    assert done.returncode == 7
    (error,) = one_object(done)["errors"]
    assert error["message"] == (
        f"the run directory `{run.relative_to(folder)}` is gone: it was deleted or moved while "
        "training"
    )
    assert "Traceback" not in done.stderr
    assert list((folder / "runs").iterdir()) == []


def test_memory_that_runs_out_names_the_last_good_checkpoint(folder: Path) -> None:
    for what in ("raise MemoryError", "raise RuntimeError('you tried to allocate memory')"):
        failing = FAILING_AT.format(step=20, what=what)
        done = dlcli("train", "iris.yaml", "--json", folder=folder, check=7, before=failing)
        (error,) = one_object(done)["errors"]
        run = run_of(folder)
        last = run.relative_to(folder) / "checkpoints" / "last.safetensors"
        assert error["message"] == f"out of memory; the last good checkpoint is {last}"
        assert read_facts(run)["error"] == error["message"]
        shutil.rmtree(run)


def test_a_run_stopped_before_its_first_checkpoint_begins_again(
    trained: Path, folder: Path
) -> None:
    killing = FAILING_AT.format(step=1, what="import os, signal; os.kill(0, signal.SIGKILL)")
    done = dlcli("train", "iris.yaml", folder=folder, check=-signal.SIGKILL, before=killing)
    run = run_of(folder)
    assert not [*run.glob("checkpoints/*")]
    refused = dlcli("train", "--resume", "latest", "optimizer.lr=1", folder=folder, check=3)
    assert "`optimizer.lr` cannot change within a run" in refused.stderr
    done = dlcli("train", "--resume", "latest", folder=folder)
    assert "has no checkpoint yet: it begins again" in done.stderr
    assert left_behind(run) == left_behind(run_of(trained))
    assert read_facts(run)["command"] == "dlcli train iris.yaml"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_before_training_ends_it_in_order(number: int, folder: Path) -> None:
    code = f"""
import os
from dlcli.commands import train
def stopping(*given):
    os.kill(os.getpid(), {number})
train.fresh_training = stopping
"""
    done = dlcli("train", "iris.yaml", folder=folder, check=128 + number, before=code)
    assert done.stderr.endswith("error[interrupted]: interrupted\n")
    assert not (folder / "runs").exists()


def test_a_newer_checkpoint_is_left_alone(finished: Path, tmp_path: Path) -> None:
    """It is whole: going on from the one before it would lose what a newer program did."""
    last = finished / "checkpoints" / "last.safetensors"
    saved = checkpoint.load(last)
    with mock.patch.object(store, "FORMAT", checkpoint.FORMAT + 1):
        checkpoint.save(last, tensors=saved.tensors, data=saved.data)
    newer = last.read_bytes()
    done = dlcli("train", "--resume", "latest", folder=tmp_path, check=6)
    assert "was written by a newer dlcli: format 2, this one reads up to 1" in done.stderr
    assert last.read_bytes() == newer
    assert sorted(path.name for path in last.parent.iterdir()) == [
        "best.safetensors", "last.safetensors", "previous.safetensors",
    ]  # fmt: skip


def test_a_config_that_a_newer_program_wrote_is_told(finished: Path, tmp_path: Path) -> None:
    last = finished / "checkpoints" / "last.safetensors"
    saved = checkpoint.load(last)
    config = {**saved.data["config"], "train": {**saved.data["config"]["train"], "haste": 1}}
    for version, code in (("99.0", 6), ("0.0.1", 3)):
        data = {**saved.data, "config": config, "versions": {"dlcli": version, "torch": "9"}}
        checkpoint.save(last, tensors=saved.tensors, data=data)
        for words in (["train", "--resume", "latest"], ["evaluate", str(last)]):
            done = dlcli(*words, folder=tmp_path, check=code)
            assert "unknown key `haste` in `train`" in done.stderr
            assert ("was written by dlcli 99.0, and this is" in done.stderr) is (code == 6)


@pytest.mark.parametrize("damage", ["cut", "empty", "flipped", "missing"])
def test_the_checkpoint_before_a_damaged_one_is_gone_on_from(
    damage: str, finished: Path, trained: Path, tmp_path: Path
) -> None:
    last = finished / "checkpoints" / "last.safetensors"
    whole = last.read_bytes()
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
    overwrite(last, {"cut": whole[:-1], "empty": b"", "flipped": flipped, "missing": b""}[damage])
    if damage == "missing":
        last.unlink()
    done = dlcli("train", "--resume", "latest", folder=tmp_path)
    assert "going on from the checkpoint before it" in done.stderr
    assert left_behind(finished) == left_behind(run_of(trained))


@pytest.mark.parametrize("has_previous", [True, False])
def test_where_both_are_damaged_both_are_named(
    has_previous: bool, finished: Path, tmp_path: Path
) -> None:
    for path in (finished / "checkpoints").iterdir():
        overwrite(path, b"")
    if not has_previous:
        (finished / "checkpoints" / "previous.safetensors").unlink()
    answer = as_json("train", "--resume", "latest", folder=tmp_path, check=6)
    message = answer["errors"][0]["message"]
    assert "last.safetensors` is empty" in message
    state = "is empty" if has_previous else "does not exist"
    assert f"previous.safetensors` {state}" in message


@pytest.mark.slow
def test_of_20_simultaneous_resumes_one_works_and_19_end_at_once(folder: Path) -> None:
    dlcli("train", "iris.yaml", "--max-time", "0.001", folder=folder)
    words = ["train", "--resume", "latest", "train.max_time=4", LONG]
    with ExitStack() as stack:
        running = [stack.enter_context(started(*words, folder=folder)) for _ in range(20)]
        until(lambda: sum(has_ended(one.pid) for one in running) == 19)
        (working,) = [one for one in running if not has_ended(one.pid)]
        time.sleep(0.1)
        assert not has_ended(working.pid)
        os.kill(working.pid, signal.SIGTERM)
        codes = [one.wait() for one in running]
    assert sorted(done.returncode for done in codes) == [6] * 19 + [143]
    busy = [done for done in codes if done.returncode == 6]
    assert all("is busy: another process is training it" in done.stderr for done in busy)


def has_ended(pid: int) -> bool:
    """Say whether a process is over, though no one has waited for it."""
    state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return state == "Z"
