"""A training that was stopped, in whatever way, ends as if it had never been."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dlcli import checkpoint
from dlcli.run import read_facts
from tests.command_line import ENVIRONMENT, Running, as_json, dlcli, one_object, started, until

CONFIG = """\
data: {name: iris, batch_size: 16}
model: {name: mlp, hidden_sizes: [16], dropout: 0.2}
optimizer: {name: adamw, lr: 3e-3}
scheduler: {name: cosine, warmup: 0.1}
train: {epochs: 40, checkpoint_every: 5}
"""
SHORT = CONFIG.replace("epochs: 40", "epochs: 6")


def folder_with(tmp_path: Path, text: str) -> Path:
    tmp_path.mkdir(exist_ok=True)
    (tmp_path / "iris.yaml").write_text(text)
    return tmp_path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a config of two seconds."""
    return folder_with(tmp_path, CONFIG)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What an uninterrupted run leaves behind."""
    folder = folder_with(tmp_path_factory.mktemp("whole"), CONFIG)
    result = as_json("train", "iris.yaml", folder=folder)
    return left_behind(folder / result["run_dir"]) | {"metrics": result["metrics"]}


def left_behind(run: Path) -> dict[str, Any]:
    """Return the checkpoints' bytes and the rows of metrics.jsonl without what a clock says."""
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return {
        "best": (run / "checkpoints" / "best.safetensors").read_bytes(),
        "last": (run / "checkpoints" / "last.safetensors").read_bytes(),
        "rows": [{key: row[key] for key in row if key != "seconds"} for row in rows],
    }


def run_of(folder: Path) -> Path:
    """Return the only run of a folder."""
    (run,) = (folder / "runs").iterdir()
    return run


def wait_for_epochs(folder: Path, count: int) -> None:
    """Wait until the only run of a folder has so many rows of metrics."""

    def is_there() -> bool:
        found = list((folder / "runs").glob("*/metrics.jsonl"))
        return bool(found) and found[0].read_bytes().count(b"\n") >= count

    until(is_there)


def stop(running: Running, folder: Path, number: int, epochs: int = 3) -> None:
    """Send a signal in the middle of the training."""
    wait_for_epochs(folder, epochs)
    os.kill(running.pid, number)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["ctrl-c", "sigterm"]
)
def test_a_signal_saves_and_names_the_command_that_goes_on(
    number: int, code: int, folder: Path, whole: dict[str, Any]
) -> None:
    with started("train", "iris.yaml", folder=folder) as running:
        stop(running, folder, number)
        done = running.wait()
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    run = run_of(folder)
    assert read_facts(run)["status"] == "interrupted"
    rest, command = done.stderr.splitlines()[-1].split("go on with: dlcli ")
    assert rest.startswith("interrupted, everything is saved")
    epochs = len(left_behind(run)["rows"])
    assert epochs < 40

    result = as_json(*command.split(), folder=folder)
    assert left_behind(run) | {"metrics": result["metrics"]} == whole
    assert result["run_dir"] == str(run.relative_to(folder))
    assert read_facts(run)["status"] == "finished"


def test_a_signal_with_json_gives_one_object(folder: Path) -> None:
    with started("train", "iris.yaml", "--json", folder=folder) as running:
        stop(running, folder, signal.SIGTERM)
        done = running.wait()
    assert done.returncode == 143
    result = one_object(done)
    assert (result["status"], result["stop_reason"]) == ("interrupted", "interrupted")
    saved = checkpoint.load(folder / result["checkpoint"])
    assert saved.data["state"]["epoch"] == result["epochs"] >= 3
    assert result["metrics"] == {"train": None, "val": None, "test": None}


def test_a_second_signal_ends_it_at_once(folder: Path) -> None:
    code = """if True:
        from pathlib import Path
        from dlcli.__main__ import main
        from dlcli.training.trainer import Trainer

        def never_ends(*_):
            Path("started").touch()
            while True:
                pass

        Trainer._update = never_ends
        main(["train", "iris.yaml", "--quiet"])
    """
    process = subprocess.Popen([sys.executable, "-c", code], cwd=folder, env=ENVIRONMENT)
    until((folder / "started").exists)
    process.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=0.3)
    process.send_signal(signal.SIGINT)
    try:
        assert process.wait(timeout=20) == -signal.SIGINT
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("epochs", [1, 7])
def test_a_killed_run_goes_on_as_if_it_had_not_been(
    epochs: int, folder: Path, whole: dict[str, Any]
) -> None:
    with started("train", "iris.yaml", folder=folder) as running:
        stop(running, folder, signal.SIGKILL, epochs)
        assert running.wait().returncode == -signal.SIGKILL
    run = run_of(folder)
    assert read_facts(run)["status"] == "running"
    result = as_json("train", "--resume", "latest", folder=folder)
    assert left_behind(run) | {"metrics": result["metrics"]} == whole


def test_a_best_epoch_before_the_kill_is_not_lost(folder: Path) -> None:
    """The accuracy reaches its best early and stays, so no later epoch can take its place."""
    words = ["train", "iris.yaml", "train.monitor=val_accuracy", "optimizer.lr=0.05"]
    first = as_json(*words, "--name", "whole", folder=folder)
    (straight,) = (folder / "runs").glob("*-whole")
    best = first["best_epoch"]
    assert 2 <= best <= 30
    other = folder_with(folder / "killed", CONFIG)
    with started(*words, "--name", "whole", folder=other) as running:
        stop(running, other, signal.SIGKILL, best + 1)
    as_json("train", "--resume", "latest", folder=other)
    assert left_behind(run_of(other)) == left_behind(straight)


def test_a_run_stopped_by_the_clock_goes_on_with_more_time(
    folder: Path, whole: dict[str, Any]
) -> None:
    first = as_json("train", "iris.yaml", "--max-time", "0.2", folder=folder)
    assert (first["status"], first["stop_reason"]) == ("ok", "max_time")
    assert first["metrics"]["test"]["loss"] > 0
    run = run_of(folder)
    as_json("train", "--resume", "latest", "train.max_time=null", folder=folder)
    # The time limit is part of the config that a checkpoint holds, so bytes cannot be equal.
    assert left_behind(run)["rows"] == whole["rows"]
    last = checkpoint.load(run / "checkpoints" / "last.safetensors")
    (folder / "whole.safetensors").write_bytes(whole["last"])
    expected = checkpoint.load(folder / "whole.safetensors")
    assert all(last.tensors[name].equal(tensor) for name, tensor in expected.tensors.items())


def test_resuming_a_finished_run_changes_nothing(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, SHORT)
    first = as_json("train", "iris.yaml", folder=folder)
    before = left_behind(run_of(folder))
    again = as_json("train", "--resume", "latest", folder=folder)
    assert left_behind(run_of(folder)) == before
    assert {**again, "seconds": 0} == {**first, "seconds": 0}


def test_more_epochs_are_added_to_a_finished_run(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, SHORT.replace("scheduler", "# scheduler"))
    as_json("train", "iris.yaml", folder=folder)
    short = left_behind(run_of(folder))["rows"]
    longer = as_json("train", "--resume", "latest", "train.epochs=9", folder=folder)
    assert longer["epochs"] == 9
    resumed = left_behind(run_of(folder))["rows"]
    assert resumed[:6] == short
    as_json("train", "iris.yaml", "train.epochs=9", "--name", "straight", folder=folder)
    (straight,) = (folder / "runs").glob("*-straight")
    assert left_behind(straight)["rows"] == resumed


@pytest.mark.parametrize(
    ("word", "key"),
    [
        ("optimizer.lr=1", "optimizer.lr"),
        ("data.batch_size=4", "data.batch_size"),
        ("seed=3", "seed"),
    ],
)
def test_nothing_else_can_change_within_a_run(word: str, key: str, tmp_path: Path) -> None:
    folder = folder_with(tmp_path, SHORT)
    dlcli("train", "iris.yaml", folder=folder)
    before = left_behind(run_of(folder))
    answer = as_json("train", "--resume", "latest", word, folder=folder, check=3)
    (error,) = answer["errors"]
    assert error["message"] == f"`{key}` cannot change within a run"
    assert error["file"] == f"command line: {word}"
    assert left_behind(run_of(folder)) == before
    assert read_facts(run_of(folder))["status"] == "finished"


def test_a_damaged_last_checkpoint_falls_back_to_the_one_before(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, SHORT)
    dlcli("train", "iris.yaml", folder=folder)
    before = left_behind(run_of(folder))
    last = run_of(folder) / "checkpoints" / "last.safetensors"
    for damage in (before["last"][:-1], b""):
        last.unlink()  # `best` may share its bytes
        last.write_bytes(damage)
        done = dlcli("train", "--resume", "latest", folder=folder)
        assert "warning: " in done.stderr
        assert "going on from the checkpoint before it" in done.stderr
        assert left_behind(run_of(folder)) == before


def test_a_run_without_a_whole_checkpoint_is_refused(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, SHORT)
    dlcli("train", "iris.yaml", folder=folder)
    for path in (run_of(folder) / "checkpoints").iterdir():
        path.unlink()
        path.write_bytes(b"damaged")
    answer = as_json("train", "--resume", "latest", folder=folder, check=6)
    assert "previous.safetensors" in answer["errors"][0]["message"]


def test_a_training_that_stopped_early_is_not_trained_further(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, CONFIG.replace("lr: 3e-3", "lr: 0.1"))
    first = as_json("train", "iris.yaml", "train.early_stopping.patience=2", folder=folder)
    assert first["stop_reason"] == "early_stopping"
    before = left_behind(run_of(folder))
    second = as_json("train", "--resume", "latest", folder=folder)
    assert second["stop_reason"] == "early_stopping"
    assert second["metrics"] == first["metrics"]
    assert left_behind(run_of(folder)) == before


def test_rows_of_metrics_that_a_power_cut_took_are_written_again(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, SHORT)
    as_json("train", "iris.yaml", folder=folder)
    run = run_of(folder)
    before = left_behind(run)
    rows = (run / "metrics.jsonl").read_text().splitlines(keepends=True)
    (run / "metrics.jsonl").write_text("".join(rows[:2]))
    as_json("train", "--resume", "latest", folder=folder)
    assert left_behind(run) == before
