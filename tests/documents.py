"""A page of the documentation as steps: files to write, commands to run, what they show.

CONTRIBUTING.md says how pages are written so that they can be read here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^```(?P<info>[^\n]*)\n(?P<body>.*?)^```$", re.DOTALL | re.MULTILINE)
_NAMED = re.compile(r"`(?P<name>[\w./-]+\.\w+)`:$")
_EXIT = re.compile(r"exit=(\d+)")
_NUMBER = re.compile(r"-?\d[\d,]*(\.\d+)?(e[-+]?\d+)?")
_LINK = re.compile(r"\]\((?P<target>[^)#\s]+)(#[^)]*)?\)")


@dataclass(frozen=True)
class File:
    """A file that the page shows."""

    name: str
    text: str


@dataclass(frozen=True)
class Commands:
    """Commands for a shell, the exit code of the last, and whether they need the real data sets."""

    text: str
    code: int
    needs_real_data: bool


@dataclass(frozen=True)
class Python:
    """Python code."""

    text: str


@dataclass(frozen=True)
class Shown:
    """What the commands before it show, numbers and spaces aside; `...` leaves something out."""

    text: str


Step = File | Commands | Python | Shown


def read_page(path: Path) -> list[Step]:
    """Return the steps of a page in order."""
    return list(_steps(path.read_text(encoding="utf-8")))


def links(path: Path) -> list[str]:
    """Return what the page links to within the repository."""
    targets = (found["target"] for found in _LINK.finditer(path.read_text(encoding="utf-8")))
    return [target for target in targets if "://" not in target]


def missing_lines(shown: str, output: str) -> list[str]:
    """Return the lines of `shown` that do not stand in the output after those before them."""
    rest = [_plain(line) for line in output.splitlines()]
    missing = []
    for line in shown.splitlines():
        if not line.strip() or line.strip() == "...":
            continue
        wanted, cut, _ = _plain(line).partition("...")
        fits = (found.startswith(wanted) if cut else found == wanted for found in rest)
        place = next((place for place, is_it in enumerate(fits) if is_it), None)
        if place is None:
            missing.append(line)
        else:
            del rest[: place + 1]
    return missing


def _steps(text: str) -> Iterator[Step]:
    for fence in _FENCE.finditer(text):
        kind, _, rest = fence["info"].partition(" ")
        body = fence["body"]
        before = text[: fence.start()].rstrip().rpartition("\n")[2]
        if named := _NAMED.search(before):
            yield File(named["name"], body)
        elif kind == "sh":
            code = _EXIT.search(rest)
            yield Commands(body, int(code[1]) if code else 0, "realdata" in rest)
        elif kind == "python":
            yield Python(body)
        elif kind == "text":
            yield Shown(body)


def _plain(line: str) -> str:
    """Return a line with every number as 0 and every stretch of spaces as one."""
    return " ".join(_NUMBER.sub("0", line).split())
