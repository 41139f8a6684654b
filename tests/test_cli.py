"""What the command line says, where it says it, and how it behaves in pipes and terminals."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import termios
from pathlib import Path

import pytest

import dlcli as package
from tests.command_line import ENVIRONMENT, as_json, dlcli, fresh, imported

COMMANDS = {
    "train": ["--resume", "--seeds", "--max-time", "--dry-run", "--overfit-batches", "--json"],
    "check": ["--device", "--json"],
    "lr-find": ["--output", "--json"],
    "evaluate": ["--split", "--data", "--output"],
    "predict": ["--checkpoint", "--format", "--probs", "--top-k", "--min-confidence"],
    "init": ["--target", "--force"],
    "list": ["FAMILY"],
    "config": ["show", "schema", "diff"],
}
IRIS = "data: iris\nmodel: linear\ntrain: {epochs: 3}\n"
LINE = "data: {name: line, batch_size: 1}\nmodel: linear\ntrain: {epochs: 100}\n"
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two configs, one of them trained."""
    folder = tmp_path_factory.mktemp("cli")
    (folder / "iris.yaml").write_text(IRIS)
    (folder / "line.yaml").write_text(LINE)
    dlcli("train", "iris.yaml", "--name", "first", folder=folder)
    return folder


def on_a_terminal(folder: Path, *words: str) -> str:
    """Run a command on a terminal of 24 lines of 100 letters; return what it shows."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 100))
    environment = {**ENVIRONMENT, "TERM": "xterm-256color"}
    process = subprocess.Popen(
        [sys.executable, "-m", "dlcli", *words],
        cwd=folder,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment,
    )
    os.close(theirs)
    shown = b""
    try:
        while block := os.read(ours, 1 << 16):
            shown += block
    except OSError:  # how Linux tells that the other side has closed
        pass
    assert process.wait(timeout=60) == 0, shown.decode()
    os.close(ours)
    return shown.decode()


def test_help_names_every_command_and_loads_no_library(tmp_path: Path) -> None:
    help_text = dlcli("--help", folder=tmp_path).stdout
    assert all(re.search(rf"^  {name} ", help_text, re.MULTILINE) for name in COMMANDS)
    names = imported("import dlcli.__main__ as m\ntry: m.main(['--help'])\nexcept SystemExit: pass")
    assert not names & {"torch", "numpy", "pydantic", "yaml", "pyarrow", "rich", "tqdm"}


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_its_help(command: str, tmp_path: Path) -> None:
    done = dlcli(command, "--help", folder=tmp_path)
    assert done.stdout.startswith(f"Usage: dlcli {command}")
    assert all(word in done.stdout for word in COMMANDS[command])
    assert done.stderr == ""


def test_the_version_is_told(tmp_path: Path) -> None:
    assert fresh("--version", folder=tmp_path).stdout == f"dlcli {package.__version__}\n"


def test_results_go_to_stdout_and_talk_to_stderr(folder: Path) -> None:
    done = dlcli("train", "iris.yaml", folder=folder)
    epochs = [line for line in done.stderr.splitlines() if line.startswith("epoch")]
    assert [line.split("  ")[0] for line in epochs] == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]
    assert all(
        re.fullmatch(r"epoch \d/3  train loss \S+  val loss \S+  val accuracy .*", line)
        for line in epochs
    )
    assert not CONTROL.search(done.stderr)
    assert not CONTROL.search(done.stdout)
    assert re.search(r"accuracy +0\.\d+ +0\.\d+ +0\.\d+ +0\.3333", done.stdout)
    assert "majority class (test)" in done.stdout
    assert "epoch" not in done.stdout


def test_what_to_type_next_works(folder: Path) -> None:
    done = dlcli("train", "iris.yaml", folder=folder)
    evaluate, predict = re.findall(r"dlcli (evaluate|predict) (.*)", done.stderr)
    assert "accuracy" in dlcli(*" ".join(evaluate).split(), folder=folder).stdout
    words = " ".join(predict).replace("INPUT", "5.1 3.5 1.4 0.2").split()
    assert dlcli(*words, folder=folder).stdout in {"setosa\n", "versicolor\n", "virginica\n"}


def test_quiet_leaves_the_results_alone(folder: Path) -> None:
    done = dlcli("train", "iris.yaml", "--quiet", folder=folder)
    assert done.stderr == ""
    assert "accuracy" in done.stdout
    newest = max((folder / "runs").iterdir(), key=lambda run: run.stat().st_mtime_ns)
    assert "epoch 3/3" in (newest / "train.log").read_text()
    assert dlcli("evaluate", "first", "--quiet", folder=folder).stderr == ""
    assert dlcli("predict", "5", "3", "1", "1", "--quiet", folder=folder).stderr == ""


def test_json_is_one_object_and_the_talk_stays_on_stderr(folder: Path) -> None:
    assert as_json("train", "iris.yaml", folder=folder)["command"] == "train"
    assert as_json("evaluate", "first", folder=folder)["command"] == "evaluate"
    assert isinstance(as_json("list", "losses", folder=folder), list | dict)
    assert isinstance(as_json("config", "show", "iris.yaml", folder=folder), dict | list)
    one = dlcli("predict", "5", "3", "1", "1", "--json", folder=folder)
    (prediction,) = json.loads(one.stdout)
    assert set(prediction) == {"prediction", "confidence"}


def test_an_interrupt_before_training_is_told_in_json_too(folder: Path) -> None:
    code = """if True:
        import dlcli.config.read
        from dlcli.__main__ import main

        def interrupted(*_, **__):
            raise KeyboardInterrupt

        dlcli.config.read.read_config = interrupted
        main(["train", "iris.yaml", "--json"])
    """
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 130
    assert json.loads(done.stdout)["code"] == 130
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "command",
    [
        "{dlcli} config schema | head -1",
        "{dlcli} predict inputs.csv --checkpoint first | head -1",
        "{dlcli} train iris.yaml 2>&1 | head -1",
    ],
)
def test_a_reader_that_leaves_gets_no_traceback(command: str, folder: Path) -> None:
    header = "sepal_length,sepal_width,petal_length,petal_width\n"
    (folder / "inputs.csv").write_text(header + "5,3,1,1\n" * 50_000)
    done = subprocess.run(
        ["bash", "-c", command.format(dlcli=f"{sys.executable} -m dlcli") + "; echo $PIPESTATUS"],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    line, code = done.stdout.splitlines()
    assert line
    assert int(code) in {0, 141}
    assert "Traceback" not in done.stdout + done.stderr
    assert "Exception" not in done.stderr
    assert "bug" not in done.stderr


def test_a_terminal_shows_a_bar_with_time_left_and_throughput(folder: Path) -> None:
    shown = on_a_terminal(folder, "train", "line.yaml")
    assert re.search(r"\d+%\|.*\| .*rows/s", shown)
    assert re.search(r"\[\d\d:\d\d<\d\d:\d\d, ", shown)  # spent < left
    epochs = re.findall(r"epoch +(\d+)/100", shown)
    assert 10 <= len(epochs) <= 30  # a long training does not scroll the screen away
    assert epochs[-1] == "100"
    assert "\x1b[3" not in shown  # NO_COLOR
    assert "best epoch" in shown


def test_predictions_on_a_terminal_are_a_table(folder: Path) -> None:
    (folder / "two.csv").write_text(
        "sepal_length,sepal_width,petal_length,petal_width\n5,3,1,1\n6,3,5,2\n"
    )
    shown = on_a_terminal(folder, "predict", "two.csv", "--checkpoint", "first")
    assert re.search(r"row +prediction +confidence", shown)
    assert not shown.startswith("prediction,")
