"""How an error is told in a terminal or a log; knows nothing of YAML, pydantic or colours."""

from __future__ import annotations

import json
from textwrap import wrap
from unicodedata import east_asian_width

from dlcli.errors import DlcliError, Fault

WIDTH = 100
"""A longer source line is cut to a window of so many characters around the marked text."""


def render(error: DlcliError) -> str:
    """Return the message of an error: one block per fault, and their number if there are several.

    Control characters in names, values and source lines are shown as escapes, so that a file from
    a stranger cannot steer the terminal.
    """
    blocks = [_block(error.kind, fault) for fault in error.faults]
    if len(blocks) > 1:
        blocks.append(f"{len(blocks)} errors")
    return "\n\n".join(blocks)


def as_json(error: DlcliError) -> str:
    """Return an error as one line of JSON, for `--json`; what is unknown is null."""
    errors = [
        {
            "kind": error.kind,
            "path": ".".join(str(step) for step in fault.path) or None,
            "file": fault.file or None,
            "line": fault.line or None,
            "column": fault.column or None,
            "message": fault.message,
            "suggestion": fault.suggestion or None,
        }
        for fault in error.faults
    ]
    told = {"schema": 1, "status": "error", "code": error.code, "errors": errors}
    return json.dumps(told | ({"runs": list(error.runs)} if error.runs else {}))


def _block(kind: str, fault: Fault) -> str:
    """Return the lines of one fault: message, place, source with its mark, note."""
    lines = [f"error[{kind}]: {printable(fault.message)}"]
    if fault.file:
        lines.append(f"  {printable(place(fault))}")
    if fault.source.strip():
        lines += _excerpt(fault)
    elif fault.suggestion:
        lines.append(f"  {printable(fault.suggestion)}")
    if fault.note:
        lines += wrap(printable(fault.note), WIDTH, initial_indent="  ", subsequent_indent="    ")
    return "\n".join(lines)


def place(fault: Fault) -> str:
    """Return `file:line:column`, as far as each is known."""
    numbers = [str(number) for number in (fault.line, fault.column) if number]
    return ":".join([fault.file, *numbers])


def _excerpt(fault: Fault) -> list[str]:
    """Return the source line and, under its marked text, carets and the suggestion."""
    start = max(fault.column - 1, 0)
    left = max(0, start - WIDTH // 2) if len(fault.source) > WIDTH else 0
    shown = fault.source[left : left + WIDTH]
    before, marked = shown[: start - left], shown[start - left :][: fault.length]
    gutter = " " * len(str(fault.line))
    carets = "^" * max(_width(printable(marked)), 1)
    mark = f"{' ' * _width(printable(before))}{carets} {printable(fault.suggestion)}"
    return [
        f"   {fault.line} | {printable(shown)}".rstrip(),
        f"   {gutter} | {mark}".rstrip(),
    ]


def printable(text: str) -> str:
    """Return text without characters that move the cursor; a tab becomes one space."""
    text = text.replace("\t", " ")
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() or letter == "\n" else ascii(letter)[1:-1] for letter in text
    )


def _width(text: str) -> int:
    """Return how many terminal cells a text fills; East Asian letters fill two."""
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)
