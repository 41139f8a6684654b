"""The programs are what they are said to be, and all do the same work."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.process import FailedError, run
from benchmarks.programs import CONFIGS, PROGRAMS, Setting, measure, overrides, python_of
from benchmarks.sets import ADULT_ROWS, MNIST_ROWS, write_sets
from benchmarks.works import LEARNING_RATE, SEED, WORKS
from dlcli.config.read import read_config
from tests.command_line import REPOSITORY

BENCHMARKS = REPOSITORY / "benchmarks"
PEERS = sorted((BENCHMARKS / "peers").glob("*.py"))
DISTRIBUTIONS = {"sklearn": "scikit-learn"}
OWN = {"benchmarks", "dlcli", "pyarrow"}
"""What the peers that run in dlcli's own Python import beside torch and numpy."""


def pinned(environment: str) -> dict[str, str]:
    """Return the versions of an environment's list by package; "" is dlcli's own."""
    path = BENCHMARKS / "environments" / f"{environment}.txt" if environment else "constraints.txt"
    return dict(re.findall(r"^([\w.-]+)==(.+)$", (REPOSITORY / path).read_text(), re.MULTILINE))


def imported(path: Path) -> set[str]:
    """Return the packages that a file imports anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(str(node.module))
    packages = {name.partition(".")[0] for name in names}
    return packages - sys.stdlib_module_names


@pytest.mark.parametrize("name", PROGRAMS)
def test_environment_has_all_that_a_program_imports(name: str) -> None:
    program = PROGRAMS[name]
    own = imported(BENCHMARKS / "peers" / f"{program.module}.py") if program.module else set()

    missing = {DISTRIBUTIONS.get(n, n) for n in own - OWN} - set(pinned(program.environment))

    assert not missing


@pytest.mark.parametrize("path", PEERS, ids=lambda path: path.stem)
def test_every_peer_is_used(path: Path) -> None:
    used = {program.module for program in PROGRAMS.values()}
    shared = {"__init__", "terms", "models", "networks", "adult", "adult_arrow"}

    assert path.stem in used | shared


def test_peers_have_the_torch_of_dlcli() -> None:
    for package in ("torch", "torchvision", "numpy"):
        assert pinned("torch")[package] == pinned("")[package]


@pytest.mark.parametrize("work", [name for name in WORKS if name != "predict"])
def test_config_says_what_the_work_says(work: str, tmp_path: Path) -> None:
    setting = Setting(tmp_path, tmp_path, epochs=None)
    terms = WORKS[work]

    config = read_config(CONFIGS / f"{work}.yaml", overrides(work, setting), trust_code=True).config

    assert config.seed == SEED
    assert config.data.batch_size == terms.batch_size
    assert config.train.epochs == terms.epochs
    assert config.optimizer.name == "adam"
    assert config.optimizer.lr == LEARNING_RATE
    assert tuple(getattr(config.model, "hidden_sizes", ())) == terms.hidden_sizes
    assert getattr(config.data, "rows", None) == terms.rows
    assert config.data.split.val == 0


def test_an_environment_that_was_not_built_is_told(tmp_path: Path) -> None:
    found = measure("keras", "digits", 2, Setting(tmp_path, tmp_path))

    assert found.failure == "no environment `torch`: run benchmarks/setup.sh"
    assert (found.work, found.program, found.round) == ("digits", "keras", 2)
    assert python_of("", Setting(tmp_path, tmp_path)) == sys.executable


def test_setup_is_a_script_that_names_every_environment() -> None:
    script = BENCHMARKS / "setup.sh"

    subprocess.run(["bash", "-n", script], check=True)

    lists = {path.stem for path in (BENCHMARKS / "environments").glob("*.txt")}
    assert set(re.search(r"set -- (.+)", script.read_text())[1].split()) == lists
    assert lists == {program.environment for program in PROGRAMS.values()} - {""}


def test_a_process_is_measured_from_outside(tmp_path: Path) -> None:
    code = "import time; data = bytearray(100 << 20); time.sleep(0.2); print(len(data))"

    found = run([sys.executable, "-c", code], folder=tmp_path)

    assert found.output == f"{100 << 20}\n"
    assert 0.2 < found.seconds < 20
    assert 0 < found.processor_seconds < found.seconds
    assert 100 << 20 < found.anonymous <= found.resident < 200 << 20


def test_a_process_that_fails_tells_its_last_word(tmp_path: Path) -> None:
    with pytest.raises(FailedError, match="exit code 3: no such luck"):
        run(
            [
                sys.executable,
                "-c",
                "import sys; print('no such luck', file=sys.stderr); sys.exit(3)",
            ],
            folder=tmp_path,
        )


@pytest.mark.slow
def test_all_programs_of_the_short_form_learn_the_same(tmp_path: Path) -> None:
    write_sets(tmp_path, None)
    setting = Setting(tmp_path, tmp_path, epochs=2)

    found = {
        name: measure(name, "digits", 1, setting)
        for name in ("dlcli", "plain", "bound", "bound-hand")
    }

    assert not [m.failure for m in found.values() if m.failure]
    assert {m.rows for m in found.values()} == {2 * 1617}
    assert found["bound"].score == found["bound-hand"].score
    scores = [m.score for m in found.values()]
    assert min(scores) > 0.75
    assert np.ptp(scores) < 0.12  # 180 rows: two deviations of a difference are 0.06
    assert all(m.whole_seconds > m.seconds > 0 for m in found.values())


@pytest.mark.slow
@pytest.mark.parametrize("work", ["mnist-mlp", "adult"])
def test_made_up_data_can_be_learned(work: str, tmp_path: Path) -> None:
    said = write_sets(tmp_path, None)

    found = measure("bound", work, 1, Setting(tmp_path, tmp_path))

    assert "made up" in said[0]
    assert not found.failure
    assert found.score > 0.78  # the larger class of Adult has 0.76 of the rows
    rows = {"mnist": MNIST_ROWS, "adult": ADULT_ROWS}[WORKS[work].data][0]
    assert found.rows == rows * WORKS[work].epochs
