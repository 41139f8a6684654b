"""A run directory belongs to one process, loses nothing, and is found by what people type."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from dlcli.errors import CheckpointError, MachineError
from dlcli.run import Run, find_checkpoint, find_run, list_runs
from dlcli.run.claim import clean_name
from dlcli.run.facts import git_state, read_facts
from tests.permissions import locked_out

NOON = datetime(2026, 11, 20, 12, 0, 0)


def create(runs_dir: Path, name: str = "adult", now: datetime = NOON) -> Run:
    return Run.create(
        runs_dir,
        name,
        config_text="name: adult\n",
        resolved_text="name: adult\nseed: 0\n",
        facts={"command": "dlcli train adult.yaml"},
        now=now,
    )


def created(runs_dir: Path, *names: str) -> list[Path]:
    """Make runs one after another and give them up again; return their directories."""
    paths = []
    for name in names:
        with create(runs_dir, name) as run:
            paths.append(run.path)
    return paths


def test_a_new_run_holds_what_it_was_given(tmp_path: Path) -> None:
    with create(tmp_path / "runs") as run:
        names = sorted(path.name for path in run.path.iterdir())
    assert run.path == tmp_path / "runs" / "20261120-120000-adult"
    assert names == [
        "checkpoints", "config.yaml", "evaluation", "resolved.yaml", "run.json", "train.log",
    ]  # fmt: skip
    assert (run.path / "config.yaml").read_text() == "name: adult\n"
    assert (run.path / "resolved.yaml").read_text() == "name: adult\nseed: 0\n"
    facts = json.loads((run.path / "run.json").read_text())
    assert facts["status"] == "running"
    assert facts["command"] == "dlcli train adult.yaml"
    assert facts["ended"] is None
    assert {"python", "torch"} <= facts["versions"].keys()


def test_a_name_that_exists_gets_a_number(tmp_path: Path) -> None:
    names = [path.name for path in created(tmp_path, "adult", "adult", "adult")]
    assert names == ["20261120-120000-adult" + end for end in ("", "-2", "-3")]


@pytest.mark.parametrize(
    ("name", "cleaned"),
    [
        ("adult-mlp_1.5", "adult-mlp_1.5"),
        ("../../etc/passwd", "etc-passwd"),
        ("größe 猫", "größe-猫"),
        ("a\n\0b", "a-b"),
        ("..", "run"),
        ("", "run"),
        ("x" * 300, "x" * 48),
    ],
)
def test_a_name_is_made_fit_for_a_file_name(name: str, cleaned: str) -> None:
    assert clean_name(name) == cleaned


def test_fifty_processes_that_start_at_once_get_fifty_directories(tmp_path: Path) -> None:
    script = f"""
import sys
from datetime import datetime
from pathlib import Path
from dlcli.run import Run
sys.stdin.read()
run = Run.create(Path(sys.argv[1]), "adult", config_text="", resolved_text="", facts={{}},
                 now=datetime.fromisoformat("{NOON.isoformat()}"))
print(run.path.name)
"""
    gate, start = os.pipe()
    started = [
        subprocess.Popen(
            [sys.executable, "-c", script, tmp_path], stdin=gate, stdout=subprocess.PIPE
        )
        for _ in range(50)
    ]
    os.close(gate)
    os.close(start)  # all read the end of the file and go on
    names = [process.communicate()[0].decode().strip() for process in started]
    assert len({name for name in names if name}) == 50
    assert {path.name for path in list_runs(tmp_path)} == set(names)


def test_a_run_has_one_owner(tmp_path: Path) -> None:
    with create(tmp_path) as run, pytest.raises(CheckpointError) as caught:
        Run.open(run.path)
    assert "is busy: another process is training it" in str(caught.value)
    assert caught.value.code == 6
    with Run.open(run.path) as again:
        assert again.facts["command"] == "dlcli train adult.yaml"


def test_another_process_cannot_take_a_run_until_its_owner_was_killed(tmp_path: Path) -> None:
    (path,) = created(tmp_path, "adult")
    script = "import sys, pathlib, dlcli.run\nrun = dlcli.run.Run.open(pathlib.Path(sys.argv[1]))\n"
    owner = subprocess.Popen(
        [sys.executable, "-c", script + "print('mine', flush=True)\nsys.stdin.read()", path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert owner.stdout is not None
    assert owner.stdout.readline() == b"mine\n"
    with pytest.raises(CheckpointError, match="is busy"):
        Run.open(path)
    owner.send_signal(signal.SIGKILL)
    owner.communicate()
    Run.open(path).close()


def test_opening_a_run_removes_what_a_killed_process_left(tmp_path: Path) -> None:
    (path,) = created(tmp_path, "adult")
    left_over = path / "checkpoints" / ".0123456789abcdef.part"
    left_over.write_bytes(b"half a checkpoint")
    with Run.open(path):
        assert not left_over.exists()


def test_a_directory_that_is_not_a_run_is_not_opened(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"is not a run: it has no run\.json"):
        Run.open(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", ["", "{", "[]", "\udcff"])
def test_a_damaged_run_file_is_told(tmp_path: Path, content: str) -> None:
    (path,) = created(tmp_path, "adult")
    (path / "run.json").write_bytes(os.fsencode(content))
    with pytest.raises(CheckpointError, match=r"run\.json` is damaged"):
        Run.open(path)


def test_a_run_says_how_it_ended(tmp_path: Path) -> None:
    with create(tmp_path) as run:
        run.finish("finished", parameters=16)
        facts = json.loads((run.path / "run.json").read_text())
    assert (facts["status"], facts["parameters"]) == ("finished", 16)
    assert facts["started"] <= facts["ended"]


def test_the_log_is_written_line_by_line(tmp_path: Path) -> None:
    with create(tmp_path) as run:
        print("epoch 1", file=run.log)
        assert (run.path / "train.log").read_text() == "epoch 1\n"
    with Run.open(run.path) as run:
        print("epoch 2", file=run.log)
    assert (run.path / "train.log").read_text() == "epoch 1\nepoch 2\n"


def test_a_run_that_goes_on_no_longer_says_how_it_ended(tmp_path: Path) -> None:
    with create(tmp_path) as run:
        run.finish("failed", error="the disk is full", result={"epochs": 1})
        run.resume(rows=0)
        assert not {"error", "result"} & set(read_facts(run.path))
        assert read_facts(run.path)["status"] == "running"


def test_resuming_keeps_the_rows_that_the_checkpoint_knows(tmp_path: Path) -> None:
    with create(tmp_path) as run:
        for epoch in range(5):
            run.add_metrics({"epoch": epoch, "loss": float("nan")})
        run.finish("interrupted")
    with Run.open(run.path) as run:
        assert run.resume(rows=3) == 3
        run.add_metrics({"epoch": 3})
        rows = [json.loads(line) for line in run.metrics.read_text().splitlines()]
        assert [row["epoch"] for row in rows] == [0, 1, 2, 3]
        assert rows[0]["loss"] is None
        assert (run.facts["status"], run.facts["ended"]) == ("running", None)


@pytest.mark.parametrize("content", ["", '{"epoch": 0}\n', '{"epoch": 0}\n{"epo'])
def test_resuming_drops_a_half_row(tmp_path: Path, content: str) -> None:
    with create(tmp_path) as run:
        run.metrics.write_text(content)
        assert run.resume(rows=9) == content.count("\n")
        assert run.metrics.read_text() == content[: content.rfind("\n") + 1]


def test_the_last_checkpoint_becomes_the_previous_one(tmp_path: Path) -> None:
    with create(tmp_path) as run:
        for content in ("first", "second", "third"):
            run.rotate_last(lambda path, content=content: path.write_text(content))
        assert (run.last.read_text(), run.previous.read_text()) == ("third", "second")
        assert len(list(run.last.parent.iterdir())) == 2


def test_a_failed_write_leaves_the_checkpoints_as_they_were(tmp_path: Path) -> None:
    def fail(path: Path) -> None:
        raise MachineError(f"cannot write `{path}`: the disk is full")

    with create(tmp_path) as run:
        run.rotate_last(lambda path: path.write_text("first"))
        with pytest.raises(MachineError):
            run.rotate_last(fail)
        assert run.last.read_text() == "first"
        assert not run.previous.exists()


def test_a_process_killed_at_any_moment_leaves_a_whole_checkpoint(tmp_path: Path) -> None:
    """The process dies before each of the system's calls in turn that change a name."""
    script = """
import os, sys
from pathlib import Path
from dlcli.files import write_text
from dlcli.run import Run
steps = int(sys.argv[2])
def count(event, arguments):
    global steps
    if event in {"os.rename", "os.link", "os.remove"}:
        steps -= 1
        if steps < 0:
            os._exit(9)
run = Run.open(Path(sys.argv[1]))
sys.addaudithook(count)
run.rotate_last(lambda path: write_text(path, "new"))
run.keep_as_best()
"""
    for steps in range(12):
        with create(tmp_path) as run:
            run.rotate_last(lambda path: path.write_text("older"))
            run.rotate_last(lambda path: path.write_text("old"))
            run.keep_as_best()
        done = subprocess.run([sys.executable, "-c", script, run.path, str(steps)], check=False)
        newest = run.last if run.last.exists() else run.previous
        assert newest.read_text() in {"old", "new"}
        assert run.best.read_text() in {"old", "new"}
        if done.returncode == 0:
            break
        assert done.returncode == 9
    assert steps > 3
    assert (run.last.read_text(), run.best.read_text()) == ("new", "new")


def test_best_stays_when_last_moves_on(tmp_path: Path) -> None:
    with create(tmp_path) as run:
        for content in ("first", "second"):
            run.rotate_last(lambda path, content=content: path.write_text(content))
            if content == "first":
                run.keep_as_best()
                run.keep_as_best()
        names = sorted(path.name for path in run.last.parent.iterdir())
        assert names == [f"{name}.safetensors" for name in ("best", "last", "previous")]
        assert (run.best.read_text(), run.last.read_text()) == ("first", "second")


def test_splits_are_the_rows_of_each_part(tmp_path: Path) -> None:
    rows = {"train": np.arange(200_000), "val": [3, 1], "test": np.array([], dtype=np.int64)}
    with create(tmp_path) as run:
        run.write_splits(rows)
        found = json.loads((run.path / "splits.json").read_text())
        run.write_splits({})
        assert json.loads((run.path / "splits.json").read_text()) == {}
    assert found == {"train": list(range(200_000)), "val": [3, 1], "test": []}


def test_a_runs_folder_that_cannot_be_written_is_the_machines_fault(tmp_path: Path) -> None:
    with locked_out(tmp_path), pytest.raises(MachineError, match="permission denied") as caught:
        create(tmp_path)
    assert caught.value.code == 7
    (tmp_path / "file").touch()
    with pytest.raises(MachineError, match="a file of that name stands there"):
        create(tmp_path / "file")


def test_a_run_is_found_by_path_name_beginning_and_age(tmp_path: Path) -> None:
    adult, iris, titanic = created(tmp_path, "adult-mlp", "iris", "titanic")
    assert find_run(str(adult), tmp_path / "elsewhere") == adult
    assert find_run("20261120-120000-iris", tmp_path) == iris
    assert find_run("iris", tmp_path) == iris
    assert find_run("ti", tmp_path) == titanic
    assert find_run("20261120-120000-a", tmp_path) == adult
    assert find_run("latest", tmp_path) == titanic


def test_a_whole_name_comes_before_a_beginning(tmp_path: Path) -> None:
    adult, _ = created(tmp_path, "adult", "adult-mlp")
    assert find_run("adult", tmp_path) == adult


def test_the_latest_run_started_last(tmp_path: Path) -> None:
    """Whatever its name, and though the clock's hour was set back."""
    zebra, ant = created(tmp_path, "zebra", "ant")
    with create(tmp_path, "later", now=NOON.replace(hour=11)) as run:
        assert find_run("latest", tmp_path) == run.path
    assert list_runs(tmp_path) == [zebra, ant, run.path]


def test_a_damaged_run_does_not_hide_the_others(tmp_path: Path) -> None:
    adult, iris = created(tmp_path, "adult", "iris")
    (iris / "run.json").write_text("{")
    assert find_run("latest", tmp_path) == adult


def test_several_runs_that_fit_are_listed(tmp_path: Path) -> None:
    created(tmp_path, "adult", "adult-mlp", "iris")
    with pytest.raises(CheckpointError, match="`ad` could be any of 2 runs") as caught:
        find_run("ad", tmp_path)
    (fault,) = caught.value.faults
    assert fault.note == "runs: 20261120-120000-adult-mlp, 20261120-120000-adult"
    assert "`latest`" in fault.suggestion


@pytest.mark.parametrize("text", ["titanic", "", "*", "x" * 100])
def test_a_text_that_no_run_fits_lists_the_newest(tmp_path: Path, text: str) -> None:
    created(tmp_path, *(f"run{number}" for number in range(10)))
    with pytest.raises(CheckpointError, match=re.escape(f"`{text}` is not a run")) as caught:
        find_checkpoint(text, tmp_path)
    note = caught.value.faults[0].note
    assert note.startswith("runs: 20261120-120000-run9, ")
    assert note.endswith("20261120-120000-run2, and 2 older")


@pytest.mark.parametrize("text", ["latest", "adult"])
def test_without_any_run_the_remedy_is_to_train(tmp_path: Path, text: str) -> None:
    with pytest.raises(CheckpointError, match="there is none in") as caught:
        find_checkpoint(text, tmp_path / "runs")
    assert "`dlcli train CONFIG` makes one" in caught.value.faults[0].suggestion


def test_a_checkpoint_is_a_file_or_the_best_of_a_run(tmp_path: Path) -> None:
    with create(tmp_path) as run:
        with pytest.raises(CheckpointError, match="has no checkpoint; its status is running"):
            find_checkpoint("adult", tmp_path)
        for path in (run.previous, run.last, run.best):
            path.touch()
            assert find_checkpoint("latest", tmp_path) == path
            assert find_checkpoint(str(run.path), tmp_path) == path
    assert find_checkpoint(str(run.last), tmp_path) == run.last


def test_a_checkpoint_file_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"there is no file `best\.safetensors`"):
        find_checkpoint("best.safetensors", tmp_path)


def test_the_commit_is_noted_inside_git_only(tmp_path: Path) -> None:
    assert git_state(tmp_path) is None
    for command in (
        "init -q -b main",
        "-c user.name=a -c user.email=a@example.org commit -q --allow-empty -m first",
    ):
        subprocess.run(["git", "-C", tmp_path, *command.split()], check=True)
    state = git_state(tmp_path)
    assert state is not None
    assert re.fullmatch("[0-9a-f]{40}", state["commit"])
    assert state["branch"] == "main"


def test_a_run_needs_no_torch() -> None:
    script = "import sys, dlcli.run; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
