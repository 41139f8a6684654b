"""Own code in a config: told from its text alone, checked like any component, never run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from dlcli.config.code import stored_code
from dlcli.config.config import Config
from dlcli.config.own import keywords, own_codes
from dlcli.config.read import Stored, changed_data, config_from, read_config, to_yaml
from dlcli.config.schema import schema_of
from dlcli.errors import ConfigError
from tests.command_line import ENVIRONMENT, REPOSITORY

CODE = """\
import os
from pathlib import Path
import torch
from torch import nn

raise SystemExit("run!")


class Net(nn.Module):
    takes = "image"

    def __init__(self, *, inputs, outputs, width: int = 64, rate: float = 0.5, deep: bool = False,
                 sizes: list[int] = [8, 4], kernel=(3, 3), act=nn.ReLU, style: "str | None" = None):
        super().__init__()


class Deeper(Net):
    takes = ("sequence", "vector")


class Needs(nn.Module):
    def __init__(self, inputs, outputs, depth: int, **more):
        super().__init__()


class Cost:
    higher_is_better = False

    def __init__(self, miss: float = 1): ...


class Mine(torch.optim.Optimizer):
    def __init__(self, params, lr: float, betas: tuple[float, float] = (0.9, 0.99)): ...


def loss(outputs, targets, alpha: float = 0.5): ...
def schedule(step, history, *, steps, low=0.1): ...
def rows(file: Path, count: int = 3): ...
def nothing(): ...
"""
WHOLE = """\
data: {name: code.py:rows, file: a.csv, target: y}
model: {name: code.py:Net, width: 32}
loss: {name: code.py:loss, alpha: 0.25}
optimizer: {name: code.py:Mine, lr: 0.1}
scheduler: code.py:schedule
metrics: [accuracy, code.py:Cost]
"""
IRIS = "data: digits\nmodel: "


@pytest.fixture
def read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("code.py").write_text(CODE)

    def read(text, *overrides, name="c.yaml", env=None, **more):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(text)
        return read_config(Path(name), overrides, env or {}, **more)

    return read


def faults(read, text, *overrides, **more):
    with pytest.raises(ConfigError) as caught:
        read(text, *overrides, **more)
    return caught.value.faults


def test_every_family_takes_own_code(read):
    config = read(WHOLE).config
    assert [code.label for code in own_codes(config)] == [
        f"code.py:{name}" for name in ("rows", "Net", "loss", "Mine", "schedule", "Cost")
    ]
    assert keywords(config.loss) == {"alpha": 0.25}
    assert keywords(config.optimizer) == {"lr": 0.1, "betas": (0.9, 0.99)}
    assert keywords(config.scheduler) == {"low": 0.1}
    assert keywords(config.data) == {"file": "a.csv", "count": 3}
    assert config.metrics[1].label == "Cost"
    assert config.metrics[1].higher_is_better is False


def test_defaults_are_those_of_the_text_and_one_that_only_running_it_tells_is_left_to_it(read):
    found = read(WHOLE)
    assert keywords(found.config.model) == {
        "width": 32, "rate": 0.5, "deep": False, "sizes": [8, 4], "kernel": (3, 3), "style": None,
    }  # fmt: skip
    assert "act" not in found.resolved()["model"]
    assert found.config.model.takes == ("image",)
    assert read(IRIS + "code.py:Deeper").config.model.takes == ("sequence", "vector")


def test_a_rate_that_only_running_the_code_tells_has_to_be_given(read):
    Path("x.py").write_text("RATE = 1\nclass X:\n def __init__(self, params, lr=RATE): ...")
    assert [fault.message for fault in faults(read, f"{IRIS}mlp\noptimizer: x.py:X")] == [
        "missing key `lr` in `optimizer`"
    ]
    assert read(f"{IRIS}mlp\noptimizer: {{name: x.py:X, lr: 2}}").config.optimizer.lr == 2


def test_what_stands_behind_two_stars_takes_any_key(read):
    model = read(IRIS + "{name: code.py:Needs, depth: 2, any: [1, {a: b}]}").config.model
    assert keywords(model) == {"depth": 2, "any": [1, {"a": "b"}]}


@pytest.mark.parametrize(
    ("text", "message", "column", "suggestion"),
    [
        ("{name: code.py:Net, widht: 3}", "unknown key `widht` in `model`", 28, "`width`?"),
        ("{name: code.py:Net, width: a}", "expected a whole number, found text `a`", 35, ""),
        ("{name: code.py:Net, width: 1.0}", "expected a whole number, found `1.0`", 35, "write 1"),
        ("{name: code.py:Net, deep: 1}", "expected `true` or `false`, found `1`", 34, ""),
        ("{name: code.py:Net, sizes: [a]}", "expected a whole number, found text `a`", 36, ""),
        ("{name: code.py:Net, style: 1}", "expected text or null, found `1`", 35, "in quotes"),
        ("{name: code.py:Net, inputs: 1}", "unknown key `inputs` in `model`", 28, ""),
        ("code.py:Needs", "missing key `depth` in `model`", 1, ""),
        ("code.py:Nett", "code.py has no class or function `Nett`", 8, "did you mean `Net`?"),
        ("cod.py:Net", "there is no file cod.py", 8, "did you mean `code.py`?"),
        ("code.py", "`code.py` names no code", 8, "write FILE.py:NAME"),
        ("code:Net", "`code:Net` names no code", 8, "write FILE.py:NAME"),
        ("'code.py:'", "`code.py:` names no code", 8, "write FILE.py:NAME"),
        (".:x.py:Net", "there is no file .:x.py", 8, ""),
    ],
)
def test_a_mistake_in_the_config_is_located_there(read, text, message, column, suggestion):
    (fault,) = faults(read, IRIS + text)
    assert message in fault.message
    assert (fault.file, fault.line, fault.column) == ("c.yaml", 2, column)
    assert suggestion in fault.suggestion
    assert fault.path[0] == "model"


WRONG = [
    ("model", "class X(\n", "not Python: '(' was never closed", 1),
    ("model", "class X: ...\nreturn 1", "not Python: 'return' outside function", 2),
    ("model", "\n\nclass X:\n  pass", "`X` does not take `inputs`, `outputs`", 3),
    ("model", "def X(inputs, outputs): ...", "`X` is a function; expected a class", 1),
    ("model", "class X:\n takes = 'sound'\n def __init__(self, inputs, outputs): ...",
     "`X` says `takes = 'sound'`; accepted: vector, image, sequence, stream, ids", 1),
    ("model", "class X:\n def __init__(self, inputs, outputs, name=1): ...",
     "`X` takes `name`, which means something else to dlcli: call it otherwise", 1),
    ("model", "class X:\n def __init__(self, inputs, outputs, model_dump=1): ...",
     "`X` takes `model_dump`, which means something else", 1),
    ("model", "class X:\n def __init__(self, inputs, outputs, file: Path): ...",
     "`X` takes a path, `file`: only `data` may read files", 1),
    ("loss", "def X(outputs): ...", "`X` does not take `outputs`, `targets` in order", 1),
    ("optimizer", "class X:\n def __init__(self, params): ...", "`X` does not take `lr`", 1),
    ("optimizer", "class X:\n def __init__(self, *, lr): ...", "not take `params` in order", 1),
    ("scheduler", "class X: ...", "`X` is a class; expected a function", 1),
    ("metrics.0", "class X: ...", "`X` does not say `higher_is_better = True or False`", 1),
    ("metrics.0", "class X:\n higher_is_better = None", "`higher_is_better = None`; accepted:", 1),
    ("loss", "import sibling\ndef X(outputs, targets): ...",
     "x.py imports `sibling`, a file beside it; own code is one file", 1),
    ("loss", "def X(outputs, targets):\n from . import other",
     "x.py imports a package that it is in; own code is one file", 2),
]  # fmt: skip


@pytest.mark.parametrize(("key", "text", "message", "line"), WRONG)
def test_a_mistake_in_the_code_is_located_there(read, key, text, message, line):
    Path("sibling.py").touch()
    Path("x.py").write_text(text)
    (fault,) = faults(read, IRIS + "mlp\nmetrics: [accuracy]", f"{key}=x.py:X")
    assert message in fault.message
    assert (fault.file, fault.line) == ("x.py", line)
    assert fault.source.strip()


def test_a_module_beside_it_that_is_installed_too_may_be_imported(read):
    for name in ("json", "time", "torch"):
        Path(f"{name}.py").touch()
    Path("main.py").touch()
    text = "import json, time, torch\nif __name__ == '__main__':\n  import main\n"
    Path("x.py").write_text(text + "def X(outputs, targets): ...")
    assert read(IRIS + "mlp\nloss: x.py:X").config.loss.name == "x.py:X"


@pytest.mark.parametrize(
    ("metrics", "message", "position"),
    [
        ("[x.py:loss]", "`loss` is what the loss is called", 0),
        ("[x.py:accuracy, accuracy]", "`accuracy` is what another metric is called", 1),
        ("[{name: x.py:Cost, n: 1}, {name: x.py:Cost, n: 2}]", "`Cost` is what another", 1),
    ],
)
def test_a_metric_needs_a_name_of_its_own(read, metrics, message, position):
    text = "\n".join(
        f"class {name}:\n higher_is_better = True\n def __init__(self, n=1): ..."
        for name in ("loss", "accuracy", "Cost")
    )
    Path("x.py").write_text(text)
    (fault,) = faults(read, f"{IRIS}mlp\nmetrics: {metrics}")
    assert message in fault.message
    assert (fault.path, fault.line) == (("metrics", position, "name"), 3)


def test_all_faults_are_told_at_once(read):
    found = faults(
        read,
        "data: {name: code.py:rows, target: y}\nmodel: {name: code.py:Net, widht: 1}\n"
        "loss: a.py:b\noptimizer: code.py:Mine\nmetrics: [code.py:loss]\n",
    )
    assert [(fault.file, fault.line) for fault in found] == [
        *(("c.yaml", line) for line in (1, 2, 3, 4)),
        ("code.py", 36),
    ]


@pytest.mark.parametrize("make", ["mkfifo {}", "mkdir {}", "head -c 2000000 /dev/zero > {}"])
def test_what_is_no_text_is_not_read(read, make):
    subprocess.run(["sh", "-c", make.format("x.py")], check=True)
    (fault,) = faults(read, IRIS + "x.py:X")
    assert fault.message in ("x.py is not a file", "x.py is larger than 1 MB")
    assert (fault.line, fault.column) == (2, 8)


@pytest.mark.parametrize("text", ["\0", "x = " + "(" * 300 + ")" * 300, "-" * 200_000 + "1", "é"])
def test_text_that_no_parser_takes_is_a_fault(read, text):
    Path("x.py").write_bytes(text.encode("latin-1"))
    (fault,) = faults(read, IRIS + "x.py:X")
    assert (
        "not Python" in fault.message or "not UTF-8" in fault.message or "no class" in fault.message
    )


# where files are


def test_a_file_is_relative_to_the_config_that_names_it(read):
    Path("base.yaml").write_text(WHOLE)
    found = read("extends: ../base.yaml\nmodel: {deep: true}", name="deep/c.yaml").config
    assert found.model.name == "../code.py:Net"
    assert (found.model.deep, found.model.width) == (True, 32)
    assert found.data.file == "../a.csv"


def test_on_the_command_line_it_is_relative_to_the_working_directory(read):
    found = read(WHOLE.replace("code.py", "../code.py"), "model=code.py:Deeper", name="deep/c.yaml")
    assert found.config.model.name == "../code.py:Deeper"
    found = read(WHOLE, "data.file=b/x.csv", name="c.yaml")
    assert found.config.data.file == "b/x.csv"


def test_a_variable_may_name_it(read):
    text = IRIS + "{name: '${env:NET}', style: '${env:N}'}"
    found = read(text, env={"NET": "code.py:Net", "N": "12"})
    assert keywords(found.config.model)["style"] == "12"
    assert found.resolved()["model"]["name"] == "${env:NET}"
    assert found.portable()["model"]["name"] == "code.py:Net"


# stored and read back


def stored(config):
    return Stored(stored_code(own_codes(config)))


def test_a_stored_config_is_read_with_the_stored_text(read):
    found = read(WHOLE)
    data = json.loads(json.dumps(found.portable(), allow_nan=False))
    kept = stored(found.config)
    Path("code.py").unlink()
    again = config_from(data, stored=kept)
    assert again.model_dump() == found.config.model_dump()
    assert [keywords(part) for part in (again.model, again.optimizer)] == [
        keywords(part) for part in (found.config.model, found.config.optimizer)
    ]
    assert all(code.source.text == CODE and not code.is_trusted for code in own_codes(again))
    changed = changed_data(data, ["train.epochs=3"], allowed=["train.epochs"], stored=kept)
    assert changed == data | {"train": data["train"] | {"epochs": 3}}
    with pytest.raises(ConfigError, match=r"does not hold code\.py"):
        config_from(data)


def test_resolved_yaml_reads_back_to_the_equal_config(read):
    found = read(WHOLE)
    assert read(to_yaml(found.resolved()), name="c.yaml").config == found.config


def test_the_schema_takes_own_code():
    model = schema_of(Config)["properties"]["model"]
    accepted = [one for one in model["anyOf"] if one.get("type") == "string"]
    assert accepted == [{"type": "string", "pattern": r"^(.+\.py):([^\W\d]\w*)$"}]


# trust


def test_naming_code_is_a_fault_where_it_is_not_trusted(read):
    (fault,) = faults(read, WHOLE, trust_code=False)
    assert fault.message == (
        "the config names code, `code.py:rows`, `code.py:Net`, `code.py:loss`, `code.py:Mine`, "
        "`code.py:schedule`, `code.py:Cost`, which runs only under --trust-code"
    )
    assert (fault.line, fault.column) == (1, 14)
    assert not any(code.is_trusted for code in own_codes(read(WHOLE).config))
    assert all(code.is_trusted for code in own_codes(read(WHOLE, trust_code=True).config))


def test_faults_come_without_torch_and_without_running_the_code(read):
    read(WHOLE)
    code = (
        "import sys; from pathlib import Path; from dlcli.config.read import read_config\n"
        "config = read_config(Path('c.yaml'), trust_code=True)\n"
        "assert not {'torch', 'numpy', 'pyarrow'} & set(sys.modules)"
    )
    subprocess.run(
        [sys.executable, "-c", code], check=True, env={**ENVIRONMENT, "PYTHONPATH": str(REPOSITORY)}
    )
