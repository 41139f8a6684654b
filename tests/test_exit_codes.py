"""Every exit code, each provoked through a real process, in words and in JSON."""

from __future__ import annotations

import fcntl
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from dlcli import checkpoint
from dlcli.run import read_facts
from tests.command_line import ENVIRONMENT, as_json, dlcli, fresh, one_object

TABLE = (
    "data: {{name: table, path: {path}, target: {target}}}\nmodel: linear\ntrain: {{epochs: 2}}\n"
)
NUMBERS = "a,b,y\n" + "".join(f"{i % 7},{i % 3},{i * 1.5}\n" for i in range(60))
CLASSES = "a,b,y\n" + "".join(f"{i % 7},{i},{['no', 'yes'][i % 2]}\n" for i in range(60))
IRIS = "data: iris\nmodel: linear\ntrain: {epochs: 2}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two tables and a config that trains."""
    (tmp_path / "numbers.csv").write_text(NUMBERS)
    (tmp_path / "classes.csv").write_text(CLASSES)
    (tmp_path / "iris.yaml").write_text(IRIS)
    return tmp_path


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one finished run, `runs/*-numbers`, to be read only."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "numbers.csv").write_text(NUMBERS)
    dlcli("train", write_config(folder, "numbers.csv", "y"), "data.split.val=0", folder=folder)
    return folder


def write_config(folder: Path, path: str, target: str, more: str = "") -> str:
    """Write a config of a table; return its name."""
    (folder / "numbers.yaml").write_text(TABLE.format(path=path, target=target) + more)
    return "numbers.yaml"


def run_of(folder: Path) -> Path:
    """Return the only run of a folder."""
    (run,) = (folder / "runs").iterdir()
    return run


def python(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run some Python code."""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


# 0: done


def test_0_a_command_that_succeeds(folder: Path) -> None:
    result = as_json("train", "iris.yaml", folder=folder)
    assert (result["schema"], result["command"], result["status"]) == (1, "train", "ok")
    assert set(result) == {
        "schema", "command", "status", "run_dir", "checkpoint", "stop_reason", "epochs",
        "best_epoch", "metrics", "baseline", "baselines", "seconds", "warnings",
    }  # fmt: skip
    assert (folder / result["checkpoint"]).is_file()
    assert read_facts(folder / result["run_dir"])["status"] == "finished"


# 1: a bug


def test_1_a_bug_shows_its_traceback_and_leaves_it_in_the_log(folder: Path) -> None:
    code = """if True:
        from dlcli.__main__ import main
        from dlcli.training.trainer import Trainer

        def broken(*_):
            raise RuntimeError("the bug")

        Trainer._update = broken
        main(["train", "iris.yaml", "--json"])
    """
    done = python(code, folder)
    assert done.returncode == 1
    assert "Traceback (most recent call last)" in done.stderr
    assert "RuntimeError: the bug" in done.stderr
    assert one_object(done)["code"] == 1
    assert one_object(done)["errors"][0]["kind"] == "bug"
    run = run_of(folder)
    assert "Traceback" in (run / "train.log").read_text()
    assert "RuntimeError: the bug" in (run / "train.log").read_text()
    facts = read_facts(run)
    assert (facts["status"], facts["error"]) == ("failed", "RuntimeError('the bug')")


# 2: the command line is wrong

USAGE = {
    "no such command": (["trian"], "No such command 'trian'"),
    "unknown option": (["train", "iris.yaml", "--sed", "3"], "No such option: --sed"),
    "unknown option of predict": (["predict", "--chekpoint", "x"], "no such option: --chekpoint"),
    "no config": (["train"], "train takes a config file"),
    "missing config": (["train", "none.yaml"], "no such config file: none.yaml"),
    "no KEY=VALUE": (["train", "iris.yaml", "lr"], "`lr` is no KEY=VALUE"),
    "not a number": (["train", "iris.yaml", "--seed", "x"], "Invalid value for '--seed'"),
    "config beside --resume": (["train", "iris.yaml", "--resume", "latest"], "its own config"),
    "override without --resume": (["train", "iris.yaml", "--override"], "goes with --resume"),
    "seeds beside --resume": (["train", "--resume", "latest", "--seeds", "2"], "one run"),
    "seeds beside --dry-run": (
        ["train", "iris.yaml", "--dry-run", "--seeds", "2"],
        "without --seeds",
    ),
    "batches beside --dry-run": (
        ["train", "iris.yaml", "--dry-run", "--overfit-batches", "1"],
        "--dry-run checks one whole training, without --overfit-batches",
    ),
    "split": (["evaluate", "latest", "--split", "tset"], "--split tset is unknown"),
    "part that is not there": (["evaluate", "latest", "--split", "val", "--quiet"], "no val part"),
    "format beside --json": (["predict", "1", "2", "--format", "csv"], "cannot both hold"),
    "existing output": (["predict", "1", "2", "--output", "taken.csv"], "taken.csv exists"),
    "no input": (["predict"], "Missing argument 'INPUT...'"),
    "neither file nor record": (["predict", "something"], "neither a file nor a record"),
    "probabilities of numbers": (["predict", "1", "2", "--probs"], "need a classifier"),
}


@pytest.mark.parametrize("case", USAGE)
def test_2_a_wrong_command_line(case: str, finished: Path) -> None:
    words, message = USAGE[case]
    (finished / "taken.csv").write_text("mine")
    (finished / "iris.yaml").write_text(IRIS)
    done = dlcli(*words, "--json", folder=finished, check=2)
    answer = one_object(done)
    assert (answer["schema"], answer["status"], answer["code"]) == (1, "error", 2)
    (error,) = answer["errors"]
    assert error["kind"] == "usage"
    assert message in error["message"]
    assert f"error[usage]: {error['message']}" in done.stderr
    assert (finished / "taken.csv").read_text() == "mine"


def test_2_an_unknown_format(finished: Path) -> None:
    done = dlcli("predict", "1", "2", "--format", "xml", folder=finished, check=2)
    assert "--format xml is unknown\n  csv, jsonl, json, table" in done.stderr


@pytest.mark.parametrize("words", [[], ["config"]])
def test_2_no_command_shows_the_help(words: list[str], tmp_path: Path) -> None:
    done = dlcli(*words, folder=tmp_path, check=2)
    assert done.stderr.startswith("Usage: dlcli")
    assert "Commands:" in done.stderr
    assert done.stdout == ""


# 3: editing the config mends it

FIVE_FAULTS = """\
data: {name: iris, batch_size: 0}
model: {name: mpl, hidden_sizes: [8]}
optimizer:
  name: adamw
  learning_rate: 1e-3
train: {epochs: ten}
sheduler: cosine
"""
PLACES = {
    "data.batch_size": (1, 32),
    "model.name": (2, 15),
    "optimizer.learning_rate": (5, 3),
    "train.epochs": (6, 17),
    "sheduler": (7, 1),
}


def test_3_five_faults_are_told_at_once_before_torch_is_imported(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(FIVE_FAULTS)
    done = fresh(
        "train",
        "config.yaml",
        folder=tmp_path,
        check=3,
        environment={"PYTHONPROFILEIMPORTTIME": "1"},
    )
    modules = {line.split("|")[-1].strip() for line in done.stderr.splitlines() if "|" in line}
    assert "dlcli.config.read" in modules
    assert "torch" not in modules
    for line, column in PLACES.values():
        assert f"\n  config.yaml:{line}:{column}\n" in done.stderr
    assert "\n   5 |   learning_rate: 1e-3\n" in done.stderr
    assert "     |   ^^^^^^^^^^^^^ did you mean `lr`?\n" in done.stderr
    assert "5 errors" in done.stderr
    answer = as_json("train", "config.yaml", folder=tmp_path, check=3)
    found = {error["path"]: (error["line"], error["column"]) for error in answer["errors"]}
    assert found == PLACES
    assert {error["file"] for error in answer["errors"]} == {"config.yaml"}
    assert not (tmp_path / "runs").exists()


CONFIG = {
    "target": (("classes.csv", "z", ""), "classes.csv has no column `z`", "data.target", (1, 48)),
    "loss": (
        ("classes.csv", "y", "loss: mse\n"),
        "for forecasting or regression",
        "loss.name",
        (4, 7),
    ),
    "other loss": (
        ("numbers.csv", "y", "loss: focal\n"),
        "for classification",
        "loss.name",
        (4, 7),
    ),
    "metric": (
        ("numbers.csv", "y", "metrics: [accuracy]\n"),
        "accuracy",
        "metrics.0.name",
        (4, 11),
    ),
    "dropped target": (("numbers.csv", "w", ""), "no column `w`", "data.target", (1, 48)),
}


@pytest.mark.parametrize("case", CONFIG)
def test_3_what_only_the_data_show_is_told_with_its_place(case: str, folder: Path) -> None:
    arguments, message, path, place = CONFIG[case]
    config = write_config(folder, *arguments)
    done = dlcli("train", config, "--json", folder=folder, check=3)
    (error,) = one_object(done)["errors"]
    assert error["kind"] == "config"
    assert message in error["message"]
    assert error["path"] == path
    assert (error["file"], error["line"], error["column"]) == (config, *place)
    assert f"{config}:{place[0]}:{place[1]}" in done.stderr
    assert not (folder / "runs").exists()


def test_3_an_override_is_named_as_such(folder: Path) -> None:
    done = dlcli("train", "iris.yaml", "optimizer.lrr=1", "--json", folder=folder, check=3)
    (error,) = one_object(done)["errors"]
    assert error["file"] == "command line: optimizer.lrr=1"
    assert "did you mean `lr`?" in error["suggestion"]


def test_3_deterministic_is_the_key_of_that_name(finished: Path) -> None:
    done = dlcli("train", "--resume", "latest", "--deterministic", folder=finished, check=3)
    assert "`train.deterministic` cannot change within a run" in done.stderr


# 4: editing the data mends it

DATA = {
    "missing file": ("none.csv", None, "no file none.csv"),
    "broken row": ("data.csv", NUMBERS + "1,2\n", "data.csv, line 62: 2 fields where 3"),
    "cell": ("data.csv", NUMBERS.replace("5,2,7.5", "5,oops,7.5"), 'row 6, column `b`: "oops"'),
    "empty file": ("data.csv", "", "data.csv is empty"),
}


@pytest.mark.parametrize("case", DATA)
def test_4_data_that_cannot_be_read(case: str, folder: Path) -> None:
    path, content, message = DATA[case]
    if content is not None:
        (folder / path).write_text(content)
    config = write_config(folder, path, "y")
    answer = as_json("train", config, "data.types={b: numeric}", folder=folder, check=4)
    assert answer["code"] == 4
    assert answer["errors"][0]["kind"] == "data"
    assert message in answer["errors"][0]["message"]


def test_4_inputs_that_do_not_fit_the_model(finished: Path) -> None:
    for words, message in {
        ("none.csv",): "there is no file `none.csv`",
        ('{"a": 1}',): "the record has no column `b`",
        ('{"a": 1, "b": "x"}',): 'row 1, column `b`: "x" is not a number',
        ("1", "2", "3"): "3 values were given, the model takes 2: a, b",
        ('{"a": 1',): "is not JSON",
    }.items():
        answer = as_json("predict", *words, folder=finished, check=4)
        assert message in answer["errors"][0]["message"]


# 5: diverged


def test_5_a_learning_rate_that_blows_up(folder: Path) -> None:
    config = write_config(folder, "numbers.csv", "y", "optimizer: {name: sgd, lr: 1e6}\n")
    model = "model={name: mlp, hidden_sizes: [16]}"
    done = dlcli("train", config, model, "train.epochs=50", "--json", folder=folder, check=5)
    (error,) = one_object(done)["errors"]
    assert error["kind"] == "diverged"
    assert "training stopped being finite" in error["message"]
    assert "lower `optimizer.lr`" in error["suggestion"]
    facts = read_facts(run_of(folder))
    assert facts["status"] == "failed"
    assert facts["error"] == error["message"]


def test_5_names_the_last_good_checkpoint(folder: Path) -> None:
    """The rate is small until the warmup has lasted some epochs."""
    more = "optimizer: {name: sgd, lr: 30}\nscheduler: {name: constant, warmup: 1000}\n"
    config = write_config(folder, "numbers.csv", "y", more)
    done = dlcli("train", config, "train.epochs=500", folder=folder, check=5)
    best = run_of(folder) / "checkpoints" / "best.safetensors"
    assert f"the last good checkpoint is {best.relative_to(folder)}" in done.stderr
    assert checkpoint.load(best).data["state"]["epoch"] >= 1
    assert float(dlcli("predict", "1", "2", folder=folder).stdout) == pytest.approx(45, abs=45)


# 6: checkpoint or run missing, damaged, incompatible, busy


def test_6_a_checkpoint_that_is_missing(tmp_path: Path) -> None:
    for words in (["predict", "1"], ["evaluate", "latest"], ["train", "--resume", "latest"]):
        answer = as_json(*words, folder=tmp_path, check=6)
        assert answer["errors"][0]["kind"] == "checkpoint"
        assert (
            "`latest` is not a run, and there is none in `runs`" in answer["errors"][0]["message"]
        )


def test_6_a_checkpoint_that_is_damaged(finished: Path, tmp_path: Path) -> None:
    whole = (run_of(finished) / "checkpoints" / "best.safetensors").read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 4
    for content, message in {
        bytes(flipped): "is damaged",
        whole[:-100]: "is cut short",
        whole[:5]: "is cut short or damaged",
        b"": "is empty",
        b"a text": "is cut short or damaged",
    }.items():
        (tmp_path / "model.safetensors").write_bytes(content)
        for words in (["predict", "1", "2", "--checkpoint"], ["evaluate"]):
            answer = as_json(*words, "model.safetensors", folder=tmp_path, check=6)
            assert message in answer["errors"][0]["message"]


class Canary:
    """Unpickling it creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def test_6_a_pickle_is_not_opened(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    torch.save({"model": Canary(canary)}, tmp_path / "zip.safetensors")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Canary(canary)))
    for name in ("zip.safetensors", "plain.pt"):
        done = dlcli("predict", "1", "--checkpoint", name, folder=tmp_path, check=6)
        assert "is a pickle, which could run code: it was not opened" in done.stderr
    assert not canary.exists()
    pickle.loads((tmp_path / "plain.pt").read_bytes())
    assert canary.exists()


def test_6_a_run_that_another_process_owns(finished: Path) -> None:
    descriptor = os.open(run_of(finished), os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        done = dlcli("train", "--resume", "latest", folder=finished, check=6)
    finally:
        os.close(descriptor)
    assert "is busy: another process is training it" in done.stderr
    dlcli("predict", "1", "2", folder=finished)


def test_6_data_that_changed_before_resume(folder: Path) -> None:
    dlcli("train", write_config(folder, "numbers.csv", "y"), folder=folder)
    (folder / "numbers.csv").write_text(NUMBERS.replace("5,2,7.5", "5,2,7.6"))
    done = dlcli("train", "--resume", "numbers", "train.epochs=4", folder=folder, check=6)
    assert "is not what it was when training began" in done.stderr
    assert read_facts(run_of(folder))["status"] == "finished"


# 7: the machine


@pytest.mark.parametrize(
    "words",
    [
        ["train", "iris.yaml", "--device", "cuda:99"],
        ["evaluate", "latest", "--split", "train", "--device", "cuda:99"],
        ["predict", "1", "2", "--device", "cuda:99"],
    ],
)
def test_7_a_device_that_is_not_there(words: list[str], finished: Path) -> None:
    (finished / "iris.yaml").write_text(IRIS)
    answer = as_json(*words, folder=finished, check=7)
    assert answer["errors"][0]["kind"] == "machine"
    assert "no device `cuda:99`" in answer["errors"][0]["message"]


def test_7_a_folder_that_cannot_be_written(folder: Path, finished: Path) -> None:
    place = "iris.yaml/runs"  # below a file, which stops the superuser too
    done = dlcli("train", "iris.yaml", "--runs-dir", place, folder=folder, check=7)
    assert f"cannot write in `{place}`" in done.stderr
    (finished / "file").write_text("")
    for words in (["predict", "1", "2"], ["evaluate", "latest", "--split", "train"]):
        answer = as_json(*words, "--output", "file/x.csv", folder=finished, check=7)
        assert "file" in answer["errors"][0]["message"]


def test_7_a_full_disk_leaves_the_checkpoints_whole(folder: Path) -> None:
    """The history makes each checkpoint larger than the one before, until it passes the limit."""
    config = write_config(folder, "numbers.csv", "y")
    first = as_json("train", config, "--name", "first", folder=folder)
    limit = (folder / first["checkpoint"]).stat().st_size + 4000
    words = ["train", config, "train.epochs=500", "train.checkpoint_every=51", "--name", "full"]
    done = dlcli(*words, "--json", folder=folder, check=7, largest_file=limit)
    (error,) = one_object(done)["errors"]
    assert error["kind"] == "machine"
    assert "cannot write" in error["message"]
    (run,) = (folder / "runs").glob("*-full")
    assert read_facts(run)["status"] == "failed"
    assert checkpoint.load(run / "checkpoints" / "last.safetensors").data["state"]["epoch"] >= 1
    assert not list(run.glob("**/.*"))
    dlcli("predict", "1", "2", "--checkpoint", "full", folder=folder)
    dlcli("train", "--resume", "full", "train.epochs=30", folder=folder)


# 8: an extra is missing


def test_8_a_package_of_an_extra_that_is_not_installed(folder: Path) -> None:
    (folder / "words.csv").write_text(
        "text,y\n" + "".join(f"a message number {i} of many,{i % 2}\n" for i in range(60))
    )
    (folder / "x.json").write_text("{}")
    config = write_config(folder, "words.csv", "y")
    code = f"""if True:
        import sys
        from dlcli.__main__ import main

        sys.modules["tokenizers"] = None
        main(["train", {config!r}, "data.text.tokenizer=x.json", "--json"])
    """
    done = python(code, folder)
    assert done.returncode == 8
    assert one_object(done)["code"] == 8
    (error,) = one_object(done)["errors"]
    assert error["kind"] == "extra"
    assert "`text.tokenizer` needs the package `tokenizers`" in error["message"]
    assert error["suggestion"] == (
        "pip install 'dlcli[tokenizers]'; in a clone: pip install -e '.[tokenizers]'"
    )
    assert not (folder / "runs").exists()


# and in general


def test_debug_adds_the_traceback_and_keeps_the_exit_code(tmp_path: Path) -> None:
    done = dlcli("predict", "1", "--debug", folder=tmp_path, check=6)
    assert "Traceback (most recent call last)" in done.stderr
    assert "error[checkpoint]" in done.stderr
    assert "Traceback" not in dlcli("predict", "1", folder=tmp_path, check=6).stderr
