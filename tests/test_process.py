"""How the process of a command ends: at once, and with nothing lost."""

from __future__ import annotations

import subprocess
import sys
from subprocess import CompletedProcess

import pytest

from tests.command_line import ENVIRONMENT

PROGRAM = "import sys; sys.argv = ['dlcli', '--version']; from dlcli.__main__ import program\n"


def python(*words: str) -> CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words], env=ENVIRONMENT, capture_output=True, text=True, check=False
    )


def test_the_end_comes_at_once_after_what_is_registered_for_it() -> None:
    done = python(
        "-c",
        "import atexit\n"
        "class Kept:\n"
        "    def __del__(self): print('taken apart')\n"
        "kept = Kept()\n"
        "atexit.register(lambda: print('last', end=''))\n" + PROGRAM + "program()",
    )
    version, last = done.stdout.split("\n")
    assert version.startswith("dlcli ")
    assert (last, done.stderr, done.returncode) == ("last", "", 0)


def test_the_end_waits_for_a_thread() -> None:
    done = python(
        "-c",
        "import threading\n"
        "def late(): threading.main_thread().join(); print('late')\n"
        "threading.Thread(target=late).start()\n" + PROGRAM + "program()",
    )
    assert done.stdout.endswith("\nlate\n")


def test_a_profiler_has_its_say() -> None:
    assert "function calls" in python("-m", "cProfile", "-m", "dlcli", "--version").stdout


@pytest.mark.parametrize(("words", "code"), [(["--version"], 0), (["train"], 2), (["nothing"], 2)])
def test_the_exit_code_stays(words: list[str], code: int) -> None:
    assert python("-m", "dlcli", *words).returncode == code
