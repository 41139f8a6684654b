from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from dlcli.errors import ConfigError, DataError, Fault, UsageError
from dlcli.messages import as_json, render


def test_a_fault_looks_as_designed():
    fault = Fault(
        "unknown key `learning_rate` in `optimizer`",
        ("optimizer", "learning_rate"),
        "did you mean `lr`?",
        "adamw takes: lr, betas",
        "config.yaml",
        14,
        3,
        "  learning_rate: 1e-3",
        13,
    )
    assert render(ConfigError([fault])) == (
        "error[config]: unknown key `learning_rate` in `optimizer`\n"
        "  config.yaml:14:3\n"
        "   14 |   learning_rate: 1e-3\n"
        "      |   ^^^^^^^^^^^^^ did you mean `lr`?\n"
        "  adamw takes: lr, betas"
    )


def test_a_bare_error_is_a_line_and_its_remedy():
    assert render(UsageError("no such command", suggestion="try --help")) == (
        "error[usage]: no such command\n  try --help"
    )


def test_several_faults_are_counted():
    text = render(DataError([Fault("a"), Fault("b")]))
    assert text == "error[data]: a\n\nerror[data]: b\n\n2 errors"


def test_a_long_line_is_cut_around_its_mark():
    source = "x" * 500 + "HERE" + "y" * 500
    text = render(ConfigError([Fault("m", file="f", line=1, column=501, source=source, length=4)]))
    shown, mark = text.splitlines()[2:4]
    assert len(shown) < 120
    assert shown[mark.index("^") :][:4] == "HERE"
    assert mark.count("^") == 4


def test_wide_letters_keep_the_mark_in_place():
    text = render(ConfigError([Fault("m", file="f", line=1, column=4, source="日本: x", length=1)]))
    assert text.splitlines()[3] == "     | " + " " * 5 + "^"


def test_nothing_in_a_message_steers_the_terminal():
    fault = Fault("bad \x1b[31m", suggestion="\x07", file="a\x1b.yaml", line=1, source="\x1b]0;x")
    assert "\x1b" not in render(ConfigError([fault]))
    assert "\\x1b[31m" in render(ConfigError([fault]))


def test_json_has_one_entry_per_fault():
    fault = Fault("m", ("a", 0), "s", file="f", line=2, column=3)
    assert json.loads(as_json(ConfigError([fault, Fault("n")]))) == {
        "schema": 1,
        "status": "error",
        "code": 3,
        "errors": [
            {
                "kind": "config",
                "path": "a.0",
                "file": "f",
                "line": 2,
                "column": 3,
                "message": "m",
                "suggestion": "s",
            },
            {
                "kind": "config",
                "path": None,
                "file": None,
                "line": None,
                "column": None,
                "message": "n",
                "suggestion": None,
            },
        ],
    }


def test_telling_an_error_imports_neither_yaml_nor_pydantic():
    code = "import sys, dlcli.messages; print({'yaml', 'pydantic', 'torch'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(Path(__file__).parents[1])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "set()"
