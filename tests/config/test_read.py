from __future__ import annotations

import json
import subprocess
import sys
from functools import reduce
from operator import getitem
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcli.config.config import Config
from dlcli.config.loss import LossOptions
from dlcli.config.metric import MetricOptions
from dlcli.config.model import ModelOptions
from dlcli.config.optimizer import OptimizerOptions
from dlcli.config.options import components
from dlcli.config.read import changed_data, config_from, read_config, to_yaml
from dlcli.config.resolve import dumped
from dlcli.config.scheduler import SchedulerOptions
from dlcli.config.types import fields_of
from dlcli.errors import ConfigError, DataError

IRIS = "data: iris\nmodel: linear\n"

FIVE_FAULTS = """\
data:
  name: table
  path: a.csv
model: {name: mlp, hidden_sizes: [64, x]}
optimizer:
  name: adamw
  learning_rate: 1e-3
loss: cross_entrpy
train: {epochs: 3}
train: {epochs: 4}
"""


@pytest.fixture
def read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def read(text, *overrides, name="c.yaml", env=None):
        Path(name).write_text(text)
        return read_config(Path(name), overrides, env or {})

    return read


@pytest.mark.parametrize(
    ("file", "name"),
    [("iris.yaml", "iris"), ("my run.v2.yaml", "my-run.v2"), ("_.yaml", "run"), ("é.yml", "run")],
)
def test_a_run_is_named_after_its_file(read, file, name):
    assert read(IRIS, name=file).config.name == name


def test_a_given_name_stays(read):
    assert read("name: mine\n" + IRIS).config.name == "mine"


def test_a_config_needs_data_and_a_model(read):
    with pytest.raises(ConfigError) as caught:
        read("seed: 1\n")
    assert [fault.message for fault in caught.value.faults] == [
        "missing key `data`",
        "missing key `model`",
    ]
    assert all(fault.line == 1 for fault in caught.value.faults)


def test_text_and_overrides_are_kept(read):
    found = read(IRIS, "seed=3")
    assert (found.text, found.overrides, found.config.seed) == (IRIS, ("seed=3",), 3)


def test_resolved_data_is_json_and_reads_back(read):
    found = read(IRIS + "metrics: [{name: top_k, k: 2}, accuracy]\nscheduler: cosine")
    data = json.loads(json.dumps(found.resolved(), allow_nan=False))
    assert config_from(data) == found.config
    assert data["metrics"][0] == {"name": "top_k", "k": 2}


def test_resolved_yaml_reads_back_to_the_equal_config(read):
    found = read(IRIS + "seed: ${env:SEED}", env={"SEED": "4"})
    text = to_yaml(found.resolved())
    assert 'seed: "${env:SEED}"' in text
    assert read(text, name="resolved.yaml", env={"SEED": "4"}).config == found.config


def test_a_stored_config_is_read_where_its_variables_are_not_set(read):
    text = "data: {name: table, path: '${env:D}/a.csv', target: y}\nmodel: ${env:M}\nseed: ${env:S}"
    found = read(text, env={"D": "/x", "M": "mlp", "S": "7"})
    stored = config_from(found.portable())
    assert stored == found.config.model_copy(update={"data": stored.data})
    assert stored.data.path == "${env:D}/a.csv"


def text_options(options, path=""):
    """Yield the dotted key of each option in which a text can stand that is no component's name."""
    for name, kind in fields_of(options).items():
        key = f"{path}{name}"
        for member in kind.members:
            inner = [part for item in member.inner for part in item.members]
            if member.form == "section":
                yield from text_options(member.options, f"{key}.")
            elif member.form == "component":
                for component in components(member.options).values():
                    yield from text_options(component, f"{key}.")
            elif "text" in (member.form, *(part.form for part in inner)):
                yield key


REFERENCES = [
    ("name=a-${env:X}", "b"),
    ("data.path=${env:X}", "a.csv"),
    ("data.path=[b.csv, 'a${env:X}.csv']", "1"),
    ("data.val_path=${env:X}", "a.csv"),
    ("data.test_path=['${env:X}']", "a.csv"),
    ("data.columns=[a, '${env:X}']", "7"),
    ("data.separator=${env:X}", ";"),
    ("data.encoding=${env:X}", "latin-1"),
    ("data.na_values=['${env:X}']", "-9"),
    ("data.na_values=['a${env:X}']", "-9"),
    ("data.replace={a: {b: '$${env:X}${env:X}'}}", "-9"),
    ("data.drop=['${env:X}']", "a"),
    ("data.target=${env:X}", "a"),
    ("data.target=['${env:X}', b]", "a"),
    ("data.types={a: '${env:X}'}", "date"),
    ("data.missing.fill_category=${env:X}", "none"),
    ("data.split.column=${env:X}", "a"),
    ("data.split.group=${env:X}", "1"),
    ("data.y=['$${env:X}', '${env:X}']", "b"),
    ("data.text.tokenizer=${env:X}", "tokens.json"),
    ("data.root=${env:X}", "pictures"),
    ("data.image=${env:X}", "a"),
    ("data.user=${env:X}", "a"),
    ("data.item=${env:X}", "a"),
    ("data.id=${env:X}", "a"),
    ("data.time=${env:X}", "a"),
    ("data.inputs=[a, '${env:X}']", "y"),
    ("data.known=[a, '${env:X}']", "b"),
    ("data.split.val=${env:X}", "2020-01-01"),
    ("data.split.test=${env:X}", "2020-01-01"),
    ("data.audio=${env:X}", "a"),
    ("data.pattern='{label}_${env:X}.wav'", "a"),
    ("data.test_where={speaker: ['${env:X}']}", "a"),
    ("model.architecture=${env:X}", "resnet34"),
    ("model.weights=${env:X}", "a.pth"),
    ("loss.class_weights={a: '${env:X}'}", "2"),
    ("train.device=${env:X}", "cuda:1"),
    ("train.monitor=${env:X}", "val_accuracy"),
    ("train.checkpoint_every=${env:X}", "10m"),
    ("train.init_from=${env:X}", "a.safetensors"),
    ("train.freeze=['${env:X}']", "stem"),
    ("task=${env:X}", "regression"),
    ("optimizer=${env:X}", "adam"),
]


TABLE = "{name: table, path: a.csv, target: y}"
KINDS = {
    "data.y": "{name: inline, x: [1, 2], y: [a, b]}",
    "data.root": "{name: images, path: a.csv, image: file, target: y}",
    "data.image": "{name: images, path: a.csv, image: file, target: y}",
    "data.user": "{name: ratings, path: a.csv}",
    "data.item": "{name: ratings, path: a.csv}",
    "data.id": "{name: sequences, path: a.csv, id: id, target: y}",
    "data.time": "{name: sequences, path: a.csv, id: id, target: y}",
    "data.inputs": "{name: series, path: a.csv, target: y}",
    "data.known": "{name: series, path: a.csv, target: y}",
    "data.split.val": "{name: series, path: a.csv, time: t, target: y, split: {test: 2021-01-01}}",
    "data.split.test": "{name: series, path: a.csv, time: t, target: y, split: {val: 2019-01-01}}",
    "data.audio": "{name: audio, path: a.csv, target: y}",
    "data.pattern": "{name: audio, path: a, pattern: '{label}_{speaker}.wav'}",
    "data.test_where": "{name: audio, path: a, pattern: '{label}_{speaker}.wav'}",
    "model.architecture": "{name: image_folder, path: a}",
    "model.weights": "{name: image_folder, path: a}",
}
PATHS = {
    "data.path",
    "data.val_path",
    "data.test_path",
    "data.text.tokenizer",
    "data.root",
    "model.weights",
    "train.init_from",
}


def with_value(options, keys, value):
    """Return options with another value at a key path."""
    first, *rest = keys
    new = with_value(getattr(options, first), rest, value) if rest else value
    return options.model_copy(update={first: new})


def at(data, keys):
    return reduce(getitem, keys, data)


def test_references_stand_in_every_text_option():
    assert set(text_options(Config)) <= {override.partition("=")[0] for override, _ in REFERENCES}


@pytest.mark.parametrize(("override", "value"), REFERENCES)
def test_a_stored_config_needs_no_variable(read, override, value):
    key = override.partition("=")[0]
    model = "torchvision" if key.startswith("model.") else "mlp"
    more = ["data.header=false"] if override.startswith("data.columns") else []
    more += ["loss.name=cross_entropy"] if override.startswith("loss") else []
    text = f"data: {KINDS.get(key, TABLE)}\nmodel: {model}\n"
    found = read(text, override, *more, env={"X": value})
    is_path, keys = key in PATHS, key.split(".")
    config = found.config
    if is_path:
        written = at(found.resolved(), keys)
        assert "${env:X}" in str(written)
        config = with_value(config, keys, written)
    stored = json.loads(json.dumps(found.portable()))
    assert config_from(stored) == config
    changed = changed_data(stored, ["train.epochs=20"], allowed=["train.epochs"])
    assert changed == stored
    assert config_from(changed, {"X": value} if is_path else {}) == found.config


def test_a_fault_of_a_stored_config_says_so(read):
    data = read(IRIS).resolved() | {"seed": -1}
    for attempt in (config_from, lambda data: changed_data(data, [], allowed=[])):
        with pytest.raises(ConfigError) as caught:
            attempt(data)
        assert caught.value.faults[0].file == "the stored config"
    with pytest.raises(ConfigError) as caught:
        config_from(data, origin="the checkpoint's config")
    assert caught.value.faults[0].file == "the checkpoint's config"


BOUNDS = [
    ("seed", 2**63 - 1, "a whole number from 0 to 9,223,372,036,854,775,807"),
    ("data.split.seed", 2**63 - 1, "a whole number from 0 to 9,223,372,036,854,775,807"),
    ("data.split.folds", 10**9, "a whole number from 2 to 1,000,000,000 or null"),
    ("data.batch_size", 10**9, "a whole number from 1 to 1,000,000,000 or `auto`"),
    ("data.categories.embedding_size", 2**20, "a whole number from 0 to 1,048,576"),
    ("model.hidden_sizes.0", 2**20, "a whole number from 1 to 1,048,576"),
    ("train.epochs", 10**9, "a whole number from 1 to 1,000,000,000"),
    ("train.threads", 1024, "a whole number from 0 to 1,024"),
    (
        "train.checkpoint_every",
        10**9,
        "a whole number from 0 to 1,000,000,000 or text such as `10m`",
    ),
]


@pytest.mark.parametrize(("key", "most", "words"), BOUNDS)
def test_whole_numbers_have_an_upper_bound(read, key, most, words):
    text = "data: iris\nmodel: {name: mlp, hidden_sizes: [8]}"
    read(text, f"{key}={most}")
    with pytest.raises(ConfigError) as caught:
        read(text, f"{key}={most + 1}")
    assert [fault.message for fault in caught.value.faults] == [
        f"`{key}`: expected {words}, found `{most + 1}`"
    ]


def integers(options, path=""):
    """Yield the dotted key and type of each option that takes whole numbers alone."""
    for name, kind in fields_of(options).items():
        for member in kind.members:
            item = member.inner[0] if member.form == "list" else member
            if item.form == "section":
                yield from integers(item.options, f"{path}{name}.")
            elif item.form == "component":
                for component in components(item.options).values():
                    yield from integers(component, f"{path}{name}.")
            elif item.form == "integer" and "number" not in {m.form for m in kind.members}:
                yield f"{path}{name}", item


def test_every_whole_number_is_bounded():
    assert [key for key, kind in integers(Config) if "le" not in dict(kind.bounds)] == []


def test_values_of_a_stored_config_can_change_where_allowed(read):
    data = read(IRIS).resolved()
    changed = changed_data(data, ["train.epochs=50"], allowed=["train.epochs"])
    assert changed == data | {"train": data["train"] | {"epochs": 50}}
    with pytest.raises(ConfigError, match=r"`optimizer.lr` cannot change") as caught:
        changed_data(data, ["optimizer.lr=1"], allowed=["train.epochs"])
    assert caught.value.faults[0].file == "command line: optimizer.lr=1"
    with pytest.raises(ConfigError, match="expected a whole number from 1"):
        changed_data(data, ["train.epochs=0"], allowed=["train.epochs"])


def test_a_fault_of_the_data_is_located(read):
    found = read("data:\n  name: table\n  path: a.csv\n  target: incme\nmodel: mlp")
    error = found.locate(DataError("no column `incme`", path=("data", "target")))
    assert (error.faults[0].line, error.faults[0].column) == (4, 11)


REQUIRED = {
    "step": {"step_size": 3},
    "multistep": {"milestones": [2, 5]},
    "exponential": {"gamma": 0.9},
}


def member(family):
    return st.sampled_from(list(components(family).values())).map(
        lambda options: options(**REQUIRED.get(options.model_fields["name"].default, {}))
    )


texts = st.text(max_size=12).filter(lambda text: "\0" not in text)
tables = st.fixed_dictionaries(
    {"name": st.just("table"), "path": texts, "target": texts},
    optional={
        "na_values": st.lists(
            texts | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
        ),
        "drop": st.lists(texts),
        "replace": st.dictionaries(texts, st.dictionaries(texts, texts | st.none())),
        "batch_size": st.integers(1, 10**9),
    },
)


@settings(max_examples=150, deadline=None)
@given(
    tables,
    member(ModelOptions),
    member(OptimizerOptions),
    member(SchedulerOptions),
    st.none() | st.lists(member(MetricOptions), min_size=1, max_size=3),
    st.none() | member(LossOptions),
)
def test_yaml_of_any_config_reads_back_to_it(
    tmp_path_factory, data, model, optimizer, scheduler, metrics, loss
):
    tasks = [part.tasks for part in (*(metrics or []), *([loss] if loss else []))]
    meets = not tasks or frozenset.intersection(*tasks)
    probable = not (loss and not loss.has_probabilities and metrics)
    config = Config.model_validate(
        {
            "name": "c",
            "data": data,
            "model": model,
            "optimizer": optimizer,
            "scheduler": scheduler,
            "metrics": metrics if meets and probable else None,
            "loss": loss,
        }
    )
    path = tmp_path_factory.getbasetemp() / "c.yaml"
    path.write_text(to_yaml(config), newline="")
    assert read_config(path).config == config
    assert config_from(json.loads(json.dumps(dumped(config)))) == config


CHECKS = [
    ("train: {monitor: val_f1}\nmetrics: [accuracy, f1_macro]", "`val_f1` is not measured",
     ("train", "monitor"), "did you mean `val_f1_macro`?"),
    ("train: {monitor: accuracy}", "`accuracy` is not measured", ("train", "monitor"),
     "did you mean `val_accuracy`?"),
    ("task: regression\nloss: cross_entropy", "the loss `cross_entropy` is for classification",
     ("loss", "name"), ""),
    ("task: regression\nmetrics: [rmse, accuracy]", "the metric `accuracy` is for classification",
     ("metrics", 1, "name"), ""),
    ("loss: mse\nmetrics: [accuracy]", "but `mse` is for forecasting or regression",
     ("metrics", 0, "name"), ""),
    ("loss: hinge\nmetrics: [log_loss]", "measures probabilities", ("metrics", 0, "name"), ""),
    ("train: {accumulate: 64}", "cannot be cut into 64 parts", ("train", "accumulate"), ""),
    ("train: {device: gpu}", "`gpu` is no device", ("train", "device"), ""),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message", "path", "suggestion"), CHECKS)
def test_sections_are_checked_against_each_other(read, text, message, path, suggestion):
    with pytest.raises(ConfigError) as caught:
        read(IRIS + text)
    (fault,) = caught.value.faults
    assert message in fault.message
    assert (fault.path, fault.suggestion) == (path, suggestion)
    assert fault.line >= 3


def test_group_and_stratify_contradict_each_other(read):
    with pytest.raises(ConfigError, match=r"`group` keeps rows together") as caught:
        read("data:\n  name: iris\n  split: {seed: 1,\n    group: a, stratify: true}\nmodel: mlp")
    assert caught.value.faults[0].line == 4


PROBE = """
import sys
from pathlib import Path
from dlcli.config.read import read_config
from dlcli.errors import DlcliError
from dlcli.messages import render
try:
    read_config(Path("c.yaml"))
except DlcliError as error:
    print(render(error))
heavy = {"torch", "numpy", "pyarrow", "rich", "matplotlib"} & set(sys.modules)
print("heavy:", sorted(heavy))
"""


def test_five_faults_are_told_without_torch(tmp_path):
    (tmp_path / "c.yaml").write_text(FIVE_FAULTS)
    done = subprocess.run(
        [sys.executable, "-c", PROBE],
        cwd=tmp_path,
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
    )
    places = [line.strip() for line in done.stdout.splitlines() if line.startswith("  c.yaml:")]
    assert places == ["c.yaml:1:1", "c.yaml:4:39", "c.yaml:7:3", "c.yaml:8:7", "c.yaml:10:1"]
    assert "heavy: []" in done.stdout
    assert "5 errors" in done.stdout
