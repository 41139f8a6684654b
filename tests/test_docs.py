"""Every command, file and piece of code that README.md and docs/ show works as they say.

CONTRIBUTING.md says how pages are written so that they can be run.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from docs.reference import reference
from tests.command_line import ENVIRONMENT, REPOSITORY
from tests.documents import Commands, File, Python, Shown, Step, links, missing_lines, read_page
from tests.shell import run_in_shell, warm_shell

PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
TEXTS = [*PAGES, *(REPOSITORY / f"{name}.md" for name in ("CONTRIBUTING", "CHANGELOG", "SECURITY"))]
EXTENDING = REPOSITORY / "docs" / "extending.md"
QUICK = {"README", "config", "data", "errors", "reference"}
"""Pages whose commands every run of the tests follows; the others take longer."""
REAL = [
    page for page in PAGES if any(getattr(s, "needs_real_data", False) for s in read_page(page))
]


def named(page: Path) -> str:
    return page.stem


@pytest.fixture(scope="module")
def shell() -> Iterator[dict[str, str]]:
    """The environment of a shell that finds dlcli."""
    environment = {**ENVIRONMENT, "PYTHONPATH": str(REPOSITORY)}
    with TemporaryDirectory(dir="/tmp" if sys.platform == "linux" else None) as place:
        forks = sys.platform == "linux"
        warm = warm_shell(Path(place), environment) if forks else nullcontext(environment)
        with warm as ready:
            yield ready


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=() if page.stem in QUICK else pytest.mark.slow)
        for page in PAGES
        if page != EXTENDING
    ],
    ids=named,
)
def test_a_page_does_what_it_says(page: Path, tmp_path: Path, shell: dict[str, str]) -> None:
    _furnish(tmp_path)
    steps = [s for s in read_page(page) if not (isinstance(s, Commands) and s.needs_real_data)]
    _follow(steps, tmp_path, shell)


@pytest.mark.slow
@pytest.mark.realdata
@pytest.mark.parametrize("page", REAL, ids=named)
def test_a_page_does_so_with_real_data(
    page: Path, tmp_path: Path, shell: dict[str, str], real_data: Path
) -> None:
    _furnish(tmp_path)
    for file in (*real_data.glob("*/*"), real_data / "mnist"):
        (tmp_path / file.name).symlink_to(file)
    steps = [s for s in read_page(page) if isinstance(s, Commands) and s.needs_real_data]
    _follow(steps, tmp_path, shell)


@pytest.mark.slow
def test_the_page_on_extending_does_what_it_says(tmp_path: Path) -> None:
    """It changes the package: so it has a copy, and processes that start from nothing."""
    _furnish(tmp_path)
    shutil.copytree(
        REPOSITORY / "dlcli", tmp_path / "dlcli", ignore=shutil.ignore_patterns("__pycache__")
    )
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "dlcli"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m dlcli "$@"\n')
    program.chmod(0o755)
    path = f"{program.parent}:{os.environ['PATH']}"
    _follow(read_page(EXTENDING), tmp_path, {**ENVIRONMENT, "PATH": path})


def test_the_readme_opens_with_the_two_commands() -> None:
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    commands = re.findall(r"^    (.*)$", text.partition("```")[0], re.MULTILINE)
    assert commands == [
        "pip install -c constraints.txt -e '.[all]' && dlcli train configs/digits-mlp.yaml",
        "pip install -c constraints.txt -e '.[all,test]' && pytest",
    ]
    assert len(re.findall(r"^    pip install -c constraints.txt ", text, re.MULTILINE)) == 2


def test_the_reference_is_what_the_options_classes_say() -> None:
    written = (REPOSITORY / "docs" / "reference.md").read_text(encoding="utf-8")
    assert written == reference(), "run `python -m docs.reference`"


@pytest.mark.parametrize("page", TEXTS, ids=named)
def test_links_lead_somewhere(page: Path) -> None:
    assert [to for to in links(page) if not (page.parent / to).exists()] == []


@pytest.mark.parametrize(
    ("shown", "missing"),
    [
        ("a 1\nb 2\n", []),
        ("a  7.5\n...\nc", []),
        ("b ...\n", []),
        ("c\na 1\n", ["a 1"]),
        ("a x\n", ["a x"]),
    ],
)
def test_shown_lines_are_looked_for_in_order(shown: str, missing: list[str]) -> None:
    assert missing_lines(shown, "a 1\nb 2,000 times\nb 3e-5\nc\n") == missing


def _furnish(folder: Path) -> None:
    """Give a folder what a clone has and the pages use."""
    for name in ("configs", "docs"):
        (folder / name).symlink_to(REPOSITORY / name)


def _follow(steps: list[Step], folder: Path, environment: dict[str, str]) -> None:
    """Do what a page says, in a folder."""
    output = ""
    for step in steps:
        match step:
            case File(name, text):
                _write(folder, name, text)
            case Commands(text, code):
                output = _run(text, folder, environment, code)
            case Python(text):
                (folder / "page.py").write_text(text)
                output = _run("python page.py", folder, environment, 0)
            case Shown(text):
                assert missing_lines(text, output) == [], output


def _run(text: str, folder: Path, environment: dict[str, str], code: int) -> str:
    done: subprocess.CompletedProcess[str] = run_in_shell(
        text, folder=folder, environment=environment
    )
    assert done.returncode == code, f"{text}exit {done.returncode}, not {code}\n{done.stdout}"
    return done.stdout


def _write(folder: Path, name: str, text: str) -> None:
    """Write a file that a page shows; one of the package gets the text at its end.

    A config of the repository must be shown as it is, the comments at its head aside.
    """
    path = folder / name
    if name.startswith(("configs/", "docs/")) and path.exists():
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        assert text == "".join(line for line in lines if not line.startswith("#")), name
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a" if name.startswith("dlcli/") else "w", encoding="utf-8") as file:
        file.write(text)
