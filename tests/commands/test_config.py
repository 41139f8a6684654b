from __future__ import annotations

import json
from pathlib import Path

import pytest

from dlcli.commands.config import diff, diff_data, schema, show, show_data
from dlcli.config.model import ModelOptions
from dlcli.config.options import components
from dlcli.config.read import read_config
from dlcli.errors import ConfigError


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEED", "5")
    Path("base.yaml").write_text("data: iris\nmodel: mlp\ntrain:\n  epochs: 3\n")
    Path("c.yaml").write_text(
        "extends: base.yaml\nseed: ${env:SEED}\n"
        "optimizer: {name: adam, lr: 1e-2}\nmetrics: [accuracy]\n"
    )


def comment(text, start):
    (line,) = [line for line in text.splitlines() if line.strip().startswith(start)]
    return line.split("# ")[1]


def test_show_says_where_every_value_came_from():
    text = show(Path("c.yaml"), ["optimizer.eps=1e-6"])
    assert comment(text, "epochs:") == "base.yaml:4"
    assert comment(text, "lr:") == "c.yaml:3"
    assert comment(text, 'seed: "${env:SEED}"') == "${env:SEED}, c.yaml:2"
    assert comment(text, "eps:") == "command line: optimizer.eps=1e-6"
    assert comment(text, "betas:") == "default"
    assert comment(text, "- name: accuracy") == "c.yaml:4"


def test_what_is_shown_is_a_config_that_reads_back_to_the_same():
    Path("shown.yaml").write_text(show(Path("c.yaml")))
    shown, given = read_config(Path("shown.yaml")), read_config(Path("c.yaml"))
    assert shown.config == given.config


def test_comments_are_aligned():
    lines = [line for line in show(Path("c.yaml")).splitlines() if "# " in line]
    assert len({line.index("# ") for line in lines}) == 1


def test_show_data_is_json():
    data = show_data(Path("c.yaml"))
    assert json.loads(json.dumps(data))["config"]["train"]["epochs"] == 3
    assert data["origins"]["train.epochs"] == "base.yaml:4"


def test_diff_shows_what_differs_side_by_side():
    Path("d.yaml").write_text("extends: c.yaml\noptimizer: {lr: 0.1}\nmodel: linear\n")
    rows = {row["key"]: row for row in diff_data(Path("c.yaml"), Path("d.yaml"))}
    assert rows["optimizer.lr"] == {"key": "optimizer.lr", "left": 0.01, "right": 0.1}
    assert rows["model.dropout"] == {"key": "model.dropout", "left": 0.0}
    assert "name" not in rows
    first, *_ = diff(Path("c.yaml"), Path("d.yaml")).splitlines()
    assert first.split() == ["c.yaml", "d.yaml"]
    assert diff(Path("c.yaml"), Path("c.yaml")) == ""


def test_a_wrong_config_is_refused():
    Path("w.yaml").write_text("data: iris\nmodel: mpl\n")
    with pytest.raises(ConfigError, match="unknown model `mpl`"):
        show(Path("w.yaml"))


def test_the_schema_holds_descriptions_defaults_and_bounds():
    made = json.loads(schema())
    mlp = made["$defs"]["MLPOptions"]
    dropout = mlp["properties"]["dropout"]
    assert dropout["default"] == 0.0
    assert dropout["description"]
    assert {"minimum": 0, "exclusiveMaximum": 1, "type": "number"} in dropout["anyOf"]
    assert mlp["additionalProperties"] is False
    assert "name" in mlp["required"]


def test_the_schema_takes_a_bare_word_and_extends():
    made = json.loads(schema())
    model = made["properties"]["model"]
    words = next(choice["enum"] for choice in model["anyOf"] if "enum" in choice)
    assert words == list(components(ModelOptions))
    assert "extends" in made["properties"]
    assert {"required": ["data", "model"]} in made["anyOf"]
    assert "discriminator" not in schema()
