"""Own code from the command line: never without --trust-code, and its failures in one message."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import dlcli as package
from dlcli import checkpoint
from dlcli.commands.resume import resume_run
from dlcli.commands.train import train_config
from dlcli.config.code import sha256
from dlcli.config.read import read_config
from dlcli.errors import ConfigError
from dlcli.run import read_facts
from dlcli.trained import open_trained
from tests.command_line import as_json, dlcli
from tests.own_code import CODE, OWN
from tests.own_code import write_own as write

RECORD = {"alcohol": 13.0, "malic_acid": 2.0, "ash": 2.4, "alcalinity_of_ash": 19.0} | {
    "magnesium": 100, "total_phenols": 2.3, "flavanoids": 2.0, "nonflavanoid_phenols": 0.3,
    "proanthocyanins": 1.6, "color_intensity": 5.0, "hue": 1.0, "od280_od315": 2.6, "proline": 750,
}  # fmt: skip
LIGHT = OWN.replace("{name: own.py:Adam, lr: 3e-3}", "adam")
"""Without an own optimizer, which costs each process the second that importing dynamo takes."""
TRACE = '\nopen("was-run", "w").close()\n'


def write_own(folder: Path, config: str = LIGHT, code: str = CODE) -> None:
    write(folder, config, code)


def run_of(folder: Path) -> Path:
    (run,) = (folder / "runs").iterdir()
    return run


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run of own code, whose text leaves a trace wherever it is run."""
    folder = tmp_path_factory.mktemp("own")
    write_own(folder, code=CODE + TRACE)
    dlcli("train", "own.yaml", "--trust-code", "train.epochs=1", folder=folder)
    (folder / "was-run").unlink()
    return folder


COMMANDS = [
    ["train", "own.yaml"],
    ["train", "--resume", "latest"],
    ["summary", "own.yaml"],
    ["evaluate", "latest"],
    ["predict", json.dumps(RECORD)],
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_without_trust_no_command_runs_it(words: list[str], finished: Path) -> None:
    before = sorted(finished.rglob("*"))
    done = dlcli(*words, folder=finished, check=3)
    assert "names code, `own.py:" in done.stderr
    assert "--trust-code" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("error[") == 1
    assert sorted(finished.rglob("*")) == before, "was-run, or a new run"


def test_without_trust_python_does_not_run_it(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(finished)
    uses: list[Callable[[], object]] = [
        lambda: package.load("latest"),
        lambda: open_trained(run_of(finished) / "checkpoints" / "best.safetensors"),
        lambda: train_config(read_config(Path("own.yaml")), runs_dir=Path("other"), is_quiet=True),
        lambda: resume_run("latest", [], runs_dir=Path("runs"), is_quiet=True),
    ]
    for use in uses:
        with pytest.raises(ConfigError, match=r"names code, `own\.py:.*only under --trust-code"):
            use()
    assert not Path("was-run").exists()
    assert not Path("other").exists()


def test_showing_a_config_runs_nothing(finished: Path) -> None:
    shown = dlcli("config", "show", "own.yaml", folder=finished).stdout
    assert 'name: "own.py:Net"' in shown
    assert "dropout: 0.0" in shown
    assert not (finished / "was-run").exists()


def test_a_model_that_needs_none_of_the_code_is_used_without_trust(tmp_path: Path) -> None:
    """Its schedule trained it, and has nothing to do with answers."""
    config = "data: wine\nmodel: linear\nscheduler: own.py:cosine\n"
    write_own(tmp_path, config, CODE + TRACE)
    dlcli("train", "own.yaml", "--trust-code", "train.epochs=1", folder=tmp_path)
    (tmp_path / "was-run").unlink()
    dlcli("predict", json.dumps(RECORD), folder=tmp_path)
    dlcli("evaluate", "latest", folder=tmp_path)
    assert not (tmp_path / "was-run").exists()


def test_a_checkpoint_stands_alone(finished: Path, tmp_path: Path) -> None:
    """It holds the text, and predicts with it wherever it is, whatever became of the file."""
    source = run_of(finished) / "checkpoints" / "best.safetensors"
    stored = checkpoint.load(source).data["code"]
    assert stored == {"own.py": {"sha256": sha256(CODE + TRACE), "source": CODE + TRACE}}
    (tmp_path / "alone.safetensors").write_bytes(source.read_bytes())
    (tmp_path / "own.py").write_text("this is not even Python (")
    words = ["predict", json.dumps(RECORD), "--checkpoint", "alone.safetensors", "--trust-code"]
    answer = dlcli(*words, folder=tmp_path).stdout.strip()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(finished)
        model = package.load("latest", trust_code=True)
    assert model.predict([RECORD]) == [answer]


def test_the_command_that_goes_on_is_told_whole(tmp_path: Path) -> None:
    write_own(tmp_path)
    done = dlcli("train", "own.yaml", "--trust-code", "--max-time", "1e-9", folder=tmp_path)
    command = done.stderr.splitlines()[-1].split("go on with: dlcli ")[1]
    assert "--trust-code" in command
    done = dlcli(*command.split(), folder=tmp_path)
    for line in done.stderr.splitlines()[-2:]:
        assert "--trust-code" in line


def test_a_changed_file_is_refused_by_resume_and_named(tmp_path: Path) -> None:
    write_own(tmp_path)
    dlcli("train", "own.yaml", "--trust-code", "--max-time", "1e-9", folder=tmp_path)
    (tmp_path / "own.py").write_text(CODE + "\n# changed\n")
    done = dlcli("train", "--resume", "latest", "--trust-code", folder=tmp_path, check=6)
    assert "`own.py` of runs/" in done.stderr
    assert "is not what it was when training began" in done.stderr
    (tmp_path / "own.py").write_text(CODE)
    dlcli("train", "--resume", "latest", "--trust-code", "train.max_time=null", folder=tmp_path)


# failures

BOOM = CODE.replace(
    "        return self.layers(values.flatten(1))\n",
    """\
        if self.training and torch.is_grad_enabled():
            print("looking at", tuple(values.shape))
            values = values[:, :2]
        return self.layers(values.flatten(1))
""",
)
BOOM_LINE = BOOM.splitlines().index("        return self.layers(values.flatten(1))") + 1


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("failed")
    write_own(folder, code=BOOM)
    return folder


def test_an_exception_in_own_code_is_one_message_and_its_traceback_is_in_the_log(
    failed: Path,
) -> None:
    done = dlcli("train", "own.yaml", "--trust-code", folder=failed, check=1)
    lines = done.stderr.strip().splitlines()
    assert lines[-4].startswith("error[code]: `forward` raised RuntimeError: ")
    assert lines[-3] == f"  own.py:{BOOM_LINE}:9"
    assert lines[-2].endswith("        return self.layers(values.flatten(1))")
    assert lines[-1].endswith("train.log")
    assert "Traceback" not in done.stderr
    run = run_of(failed)
    log = (run / "train.log").read_text()
    assert "Traceback (most recent call last)" in log
    assert "return self.layers(values.flatten(1))" in log
    facts = read_facts(run)
    assert facts["status"] == "failed"
    assert facts["error"].startswith("RuntimeError(")


def test_in_json_it_has_its_place_and_what_the_code_prints_does_not_stand_among_results(
    failed: Path,
) -> None:
    told = as_json("train", "own.yaml", "--trust-code", "--quiet", folder=failed, check=1)
    (error,) = told["errors"]
    assert (told["code"], error["kind"], error["file"]) == (1, "code", "own.py")
    assert error["line"] == BOOM_LINE


def test_debug_shows_the_traceback(failed: Path) -> None:
    done = dlcli("train", "own.yaml", "--trust-code", "--debug", folder=failed, check=1)
    assert "Traceback (most recent call last)" in done.stderr
    assert "looking at (16, 13)" in done.stderr


def test_one_out_of_a_checkpoint_is_placed_in_the_stored_text(
    tmp_path: Path,
) -> None:
    check = 'assert len(values) != 1, "just one"\n        '
    code = CODE.replace("return self.layers(", f"{check}return self.layers(")
    write_own(tmp_path, code=code)
    dlcli("train", "own.yaml", "--trust-code", "train.epochs=1", folder=tmp_path)
    (tmp_path / "own.py").unlink()
    words = ["predict", json.dumps(RECORD), "--trust-code"]
    traceback = dlcli(*words, "--debug", folder=tmp_path, check=1).stderr
    assert "in forward\n    assert len(values) != 1" in traceback
    done = dlcli(*words, folder=tmp_path, check=1)
    said = done.stderr.strip().splitlines()
    assert said[-4] == "error[code]: `forward` raised AssertionError: just one"
    assert said[-3].startswith("  own.py in `runs/")
    assert "assert len(values) != 1" in said[-2]
    assert said[-1].endswith("--debug shows the traceback")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import nothing_of_that_name\n", "the file raised ModuleNotFoundError: No module named"),
        ("raise SystemExit(3)\n", "the file ends the program (exit 3) as it is read"),
        ("1 / 0\n", "the file raised ZeroDivisionError: division by zero"),
    ],
)
def test_a_file_that_cannot_be_run_is_told_before_a_run_is_made(
    text: str, said: str, tmp_path: Path
) -> None:
    write_own(tmp_path, code=text + CODE)
    done = dlcli("train", "own.yaml", "--trust-code", folder=tmp_path, check=1)
    assert said in done.stderr
    assert "own.py:1:1" in done.stderr
    assert not (tmp_path / "runs").exists()


def test_errors_of_dlcli_that_pass_through_own_code_stay_what_they_are(tmp_path: Path) -> None:
    code = CODE.replace("return F.cross_entropy(outputs, targets)\n", "return outputs.sum() / 0\n")
    write_own(tmp_path, code=code)
    done = dlcli("train", "own.yaml", "--trust-code", folder=tmp_path, check=5)
    assert "error[diverged]: training stopped being finite at step 1" in done.stderr


UNUSUAL = {
    "a convolution over three dimensions": """
        self.layer = nn.Conv3d(1, 4, (1, 3, 3))

    def features(self, pictures):
        return self.layer(pictures.unsqueeze(2)).relu().mean((2, 3, 4))
""",
    "a convolution that looks at its weights": """
        self.layer = Standardised(1, 4, 3)

    def features(self, pictures):
        return self.layer(pictures).relu().mean((2, 3))
""",
    "gradients that are sparse": """
        self.layer = nn.Embedding(256, 4, sparse=True)

    def features(self, pictures):
        return self.layer((40 * pictures.flatten(1)).long().clamp(0, 255)).mean(1)
""",
}


@pytest.mark.parametrize("layer", UNUSUAL)
def test_layers_that_are_rare_behind_pictures_train(layer: str, tmp_path: Path) -> None:
    code = f"""
import torch
from torch import nn


class Standardised(nn.Conv2d):
    def forward(self, values):
        rows = self.weight.view(len(self.weight), -1)
        rows = (rows - rows.mean(1, keepdim=True)) / (rows.std(1, keepdim=True) + 1e-5)
        return self._conv_forward(values, rows.view_as(self.weight), self.bias)


class Net(nn.Module):
    def __init__(self, *, inputs, outputs):
        super().__init__()
        self.last = nn.Linear(4, outputs[0]){UNUSUAL[layer]}
    def forward(self, pictures):
        return self.last(self.features(pictures))
"""
    config = "data: digits\nmodel: own.py:Net\ntrain: {epochs: 1}\n"
    write_own(tmp_path, config + "optimizer: {name: sgd, lr: 0.1, fused: false}\n", code)
    told = as_json("train", "own.yaml", "--trust-code", folder=tmp_path)
    assert told["metrics"]["test"]["loss"] > 0
