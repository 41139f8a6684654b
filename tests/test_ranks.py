"""Several processes train as one would, and stop, fail and go on together."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import torch

from dlcli import checkpoint
from dlcli.errors import UsageError
from dlcli.launch import Place
from dlcli.run import read_facts
from tests.command_line import ENVIRONMENT, Running, as_json, dlcli, one_object, started
from tests.kinds import KINDS
from tests.ranks import places
from tests.test_resume import left_behind, run_of, wait_for_epochs

CONFIG = """\
data: {name: iris, batch_size: 119}
model: {name: mlp, hidden_sizes: [16]}
optimizer: {name: adamw, lr: 1e-2}
train: {epochs: 50, ema: 0.9}
"""
"""119 and 1 of 120 rows: uneven shares, and a step that leaves a rank without rows."""
LONG = """\
data: {name: iris, batch_size: 16}
model: {name: mlp, hidden_sizes: [16], dropout: 0.2}
optimizer: {name: adamw, lr: 3e-3}
scheduler: {name: cosine, warmup: 0.1}
train: {epochs: 60, checkpoint_every: 5}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "iris.yaml").write_text(CONFIG)
    (tmp_path / "long.yaml").write_text(LONG)
    return tmp_path


@contextmanager
def launched(*words: object, folders: list[Path]) -> Iterator[list[Running]]:
    """Start a command in one process for each folder, as a launcher would, by rank."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(started(*words, folder=folder, environment=place))
            for folder, place in zip(folders, places(len(folders)), strict=True)
        ]


def together(*words: object, folders: list[Path]) -> list[CompletedProcess[str]]:
    """Run a command in one process for each folder to its end."""
    with launched(*words, folders=folders) as ranks:
        return [rank.wait() for rank in ranks]


def is_silent(done: CompletedProcess[str]) -> bool:
    return (done.stdout, done.stderr) == ("", "")


@pytest.mark.slow
def test_two_ranks_give_the_losses_of_one_process_and_one_of_them_talks(folder: Path) -> None:
    first, second = together("train", "iris.yaml", "--json", folders=[folder] * 2)
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert is_silent(second)
    shared = run_of(folder)
    assert "processes: 2" in first.stderr
    assert read_facts(shared)["ranks"] == 2

    single = as_json("train", "iris.yaml", "--name", "single", folder=folder)
    rows, expected = (left_behind(folder / run)["rows"] for run in (shared, single["run_dir"]))
    assert len(rows) == 50
    for row, other in zip(rows, expected, strict=True):
        for part in ("train", "val"):
            assert row[part]["loss"] == pytest.approx(other[part]["loss"], abs=1e-6)
    measured = one_object(first)["metrics"]
    assert measured["test"]["accuracy"] == single["metrics"]["test"]["accuracy"]
    answer = '{"sepal_length": 6, "sepal_width": 3, "petal_length": 5, "petal_width": 2}'
    assert "virginica" in dlcli("predict", answer, "--checkpoint", shared, folder=folder).stdout


def test_what_fails_on_another_rank_is_told_by_the_first(tmp_path: Path) -> None:
    for name, header in (("one", "x,y"), ("two", "x,z")):
        (tmp_path / name).mkdir()
        rows = "".join(f"{n},{2 * n}\n" for n in range(40))
        (tmp_path / name / "line.csv").write_text(f"{header}\n{rows}")
        (tmp_path / name / "line.yaml").write_text(
            "data: {name: table, path: line.csv, target: y}\nmodel: linear\n"
        )
    folders = [tmp_path / "one", tmp_path / "two"]
    first, second = together("train", "line.yaml", folders=folders)
    assert (first.returncode, second.returncode) == (3, 3), first.stderr + second.stderr
    assert is_silent(second)
    assert first.stderr.count("error[") == 1
    assert "error[config]: on rank 1: " in first.stderr


def test_fewer_rows_than_ranks_are_refused(folder: Path) -> None:
    words = ["train", "iris.yaml", "data.batch_size=1"]
    first, second = together(*words, folders=[folder] * 2)
    assert (first.returncode, second.returncode) == (3, 3)
    assert is_silent(second)
    assert "`data.batch_size` 1 is shared by 2 processes" in first.stderr
    assert not (folder / "runs").exists()


@pytest.mark.parametrize("words", [["evaluate", "latest"], ["--version"], []])
def test_only_training_is_shared(words: list[str], folder: Path) -> None:
    with started(*words, folder=folder, environment=places(2)[0]) as running:
        done = running.wait()
    assert done.returncode == 2
    assert "only `dlcli train` shares its work" in done.stderr


@pytest.mark.parametrize(
    ("device", "code", "said"),
    [("cuda:0", 3, "`cuda:0` is one device"), ("cuda", 7, "torchrun started 2 processes here")],
)
@pytest.mark.skipif(torch.cuda.device_count() > 1, reason="there are devices enough")
def test_each_rank_needs_a_device_of_its_own(
    device: str, code: int, said: str, folder: Path
) -> None:
    words = ["train", "iris.yaml", "--device", device]
    first, second = together(*words, folders=[folder] * 2)
    assert (first.returncode, second.returncode) == (code, code), first.stderr
    assert is_silent(second)
    assert said in first.stderr


def test_what_only_rank_0_cannot_do_ends_all_of_them(folder: Path) -> None:
    (folder / "runs").write_text("a file")
    first, second = together("train", "iris.yaml", folders=[folder] * 2)
    assert (first.returncode, second.returncode) == (7, 7), first.stderr
    assert is_silent(second)
    assert first.stderr.count("error[machine]") == 1


@pytest.mark.parametrize(
    ("said", "place"),
    [
        ({}, Place()),
        ({"RANK": "1", "WORLD_SIZE": "4"}, Place()),  # of some other program
        (places(3)[2], Place(2, 3, 2, 3)),
        (
            places(8)[5] | {"LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "4"},
            Place(rank=5, world_size=8, local_rank=1, local_size=4),
        ),
    ],
)
def test_a_launcher_says_which_process_this_is(said: dict[str, str], place: Place) -> None:
    assert Place.of(said) == place


def test_a_launcher_that_says_no_number_is_told() -> None:
    with pytest.raises(UsageError, match="is no number"):
        Place.of(places(2)[0] | {"RANK": "first"})


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_a_signal_to_one_rank_stops_all_and_resuming_is_bitwise(rank: int, folder: Path) -> None:
    first, _ = together("train", "long.yaml", "--name", "whole", folders=[folder] * 2)
    assert first.returncode == 0, first.stderr
    (straight,) = (folder / "runs").glob("*-whole")
    other = folder / "stopped"
    other.mkdir()
    (other / "long.yaml").write_text(LONG)
    with launched("train", "long.yaml", "--name", "whole", folders=[other] * 2) as ranks:
        wait_for_epochs(other, 3)
        os.kill(ranks[rank].pid, signal.SIGTERM)
        first, second = (each.wait() for each in ranks)
    assert (first.returncode, second.returncode) == (143, 0), first.stderr + second.stderr
    assert is_silent(second)
    command = first.stderr.splitlines()[-1].partition("go on with: torchrun --nproc-per-node 2 ")[2]
    assert command.startswith("-m dlcli train --resume runs/")
    assert read_facts(run_of(other))["status"] == "interrupted"
    within = checkpoint.load(run_of(other) / "checkpoints" / "last.safetensors")
    assert {"generator/cpu", "generator/cpu.1"} <= within.tensors.keys()

    first, second = together(*command.split()[2:], folders=[other] * 2)
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert left_behind(run_of(other)) == left_behind(straight)


@pytest.mark.slow
def test_a_killed_rank_ends_the_training_and_it_can_go_on_alone(folder: Path) -> None:
    with launched("train", "long.yaml", folders=[folder] * 2) as ranks:
        wait_for_epochs(folder, 3)
        os.kill(ranks[1].pid, signal.SIGKILL)
        killed = time.monotonic()
        first, _ = (each.wait() for each in ranks)
    assert time.monotonic() - killed < 30
    assert first.returncode == 7
    (error,) = [line for line in first.stderr.splitlines() if "error" in line]
    assert "another process of this training died" in error
    assert "the last good checkpoint is runs/" in error
    assert "Traceback" not in first.stderr
    assert read_facts(run_of(folder))["status"] == "failed"
    done = dlcli("train", "--resume", "latest", folder=folder)
    assert "warning: resumed by 1 process instead of 2" in done.stderr


@pytest.mark.slow
def test_a_diverged_training_is_told_once(folder: Path) -> None:
    words = ["train", "iris.yaml", "optimizer={name: sgd, lr: 1e30}"]
    first, second = together(*words, folders=[folder] * 2)
    assert (first.returncode, second.returncode) == (5, 5), first.stderr + second.stderr
    assert is_silent(second)
    assert first.stderr.count("error[diverged]") == 1


@pytest.mark.slow
def test_seeds_are_shared_one_after_another(folder: Path) -> None:
    words = ["train", "iris.yaml", "train.epochs=2", "--seeds", "2", "--json"]
    first, second = together(*words, folders=[folder] * 2)
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert is_silent(second)
    assert len(one_object(first)["runs"]) == len([*(folder / "runs").iterdir()]) == 2


@pytest.mark.slow
def test_a_shared_model_is_trained_saved_and_resumed_as_a_whole_one(folder: Path) -> None:
    words = ["train", "iris.yaml", "train.clip_norm=0.5"]
    expected = as_json(*words, "--name", "alone", folder=folder)
    words += ["train.sharded=true"]
    first, second = together(*words, "--name", "shared", "--json", folders=[folder] * 2)
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert is_silent(second)
    found = one_object(first)
    for part in ("train", "val", "test"):
        assert found["metrics"][part] == pytest.approx(expected["metrics"][part], abs=1e-5)
    one, other = (checkpoint.load(folder / run["checkpoint"]) for run in (expected, found))
    assert {name: tensor.shape for name, tensor in one.tensors.items()} == {
        name: tensor.shape for name, tensor in other.tensors.items() if name != "generator/cpu.1"
    }
    dlcli("evaluate", found["run_dir"], folder=folder)

    (straight,) = (folder / "runs").glob("*-shared")
    other_folder = folder / "stopped"
    other_folder.mkdir()
    (other_folder / "iris.yaml").write_text(CONFIG)
    together(*words, "--max-time", "0.05", "--name", "shared", folders=[other_folder] * 2)
    resumed = together(
        "train", "--resume", "latest", "train.max_time=null", folders=[other_folder] * 2
    )
    assert [each.returncode for each in resumed] == [0, 0], resumed[0].stderr
    assert left_behind(run_of(other_folder))["rows"] == left_behind(straight)["rows"]


@pytest.mark.slow
def test_convolutions_are_shared_out_too(folder: Path) -> None:
    """Elsewhere their weights lie in memory in another order than rows can be cut from."""
    model = "{name: cnn, channels: [4, 8]}"
    (folder / "cnn.yaml").write_text(f"data: digits\nmodel: {model}\ntrain: {{epochs: 1}}\n")
    expected = as_json("train", "cnn.yaml", folder=folder)
    words = ["train", "cnn.yaml", "train.sharded=true", "--json"]
    first, second = together(*words, folders=[folder] * 2)
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    loss = one_object(first)["metrics"]["test"]["loss"]
    assert loss == pytest.approx(expected["metrics"]["test"]["loss"], rel=0.05)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "optimizer", "said"),
    [
        ("picture table", "muon", "`muon` needs whole weights"),
        ("texts", "adam", "recurrent layers of torch cannot be shared out"),
        ("ratings", "adam", "parameters that are one number, as `body.mean`"),
    ],
)
def test_what_cannot_be_shared_out_is_refused(
    kind: str, optimizer: str, said: str, tmp_path: Path
) -> None:
    config = KINDS[kind].write_config(tmp_path)
    words = ["train", config, "train.sharded=true", f"optimizer={optimizer}"]
    first, second = together(*words, folders=[tmp_path] * 2)
    assert (first.returncode, second.returncode) == (3, 3), first.stderr
    assert is_silent(second)
    assert said in first.stderr


@contextmanager
def torchrun(*words: object, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Start torch's own launcher with two processes; none of them outlives the block."""
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m"]
    process = subprocess.Popen(
        [*command, "dlcli", *map(str, words)],
        cwd=folder,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def children(pid: int) -> list[int]:
    """Return the processes that a process started."""
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_torchrun_passes_a_signal_on_and_goes_on(folder: Path) -> None:
    with torchrun("train", "long.yaml", "train.epochs=400", folder=folder) as running:
        wait_for_epochs(folder, 3)
        ranks = children(running.pid)
        running.send_signal(signal.SIGINT)
        _, talk = running.communicate(timeout=60)
    assert len(ranks) == 2
    assert not any(map(is_alive, ranks))
    assert talk.count("go on with: torchrun --nproc-per-node 2 -m dlcli train --resume") == 1
    assert read_facts(run_of(folder))["status"] == "interrupted"
    with torchrun("train", "--resume", "latest", "train.epochs=8", folder=folder) as running:
        _, talk = running.communicate(timeout=60)
    assert running.returncode == 0, talk


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_torchrun_ends_a_job_whose_rank_died(folder: Path) -> None:
    with torchrun("train", "long.yaml", "train.epochs=4000", folder=folder) as running:
        wait_for_epochs(folder, 3)
        ranks = children(running.pid)
        last = next(r for r in ranks if b"RANK=1\0" in Path(f"/proc/{r}/environ").read_bytes())
        os.kill(last, signal.SIGKILL)
        _, talk = running.communicate(timeout=60)
    assert running.returncode == 1  # torchrun's own
    assert not any(map(is_alive, ranks))
    told = [line for line in talk.splitlines() if line.startswith("error[")]
    assert len(told) == 1
    assert "another process of this training died" in told[0]
    assert read_facts(run_of(folder))["status"] == "failed"


@pytest.mark.slow
def test_torchrun_with_a_faulty_config_tells_it_once(folder: Path) -> None:
    with torchrun("train", "iris.yaml", "optimizer.lr=-1", folder=folder) as running:
        _, talk = running.communicate(timeout=60)
    assert talk.count("error[config]") == 1, talk
    assert not (folder / "runs").exists()
