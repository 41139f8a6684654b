"""What is wrong with a text that is no YAML, in plain words and with its place."""

from __future__ import annotations

import re
from dataclasses import replace

import yaml

from dlcli.config.nodes import Origin, Place
from dlcli.errors import Fault

_BREAK = re.compile(r"\r\n|[\r\n\x85\u2028\u2029]")
_FORBIDDEN = re.compile(  # the complement of what YAML allows, which compiles ten times faster
    r"[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufeff\ufffe\uffff]"
)


def lines_of(text: str) -> tuple[str, ...]:
    """Return the lines of a text, cut where YAML cuts them."""
    return tuple(_BREAK.split(text))


def forbidden_character(text: str, origin: Origin) -> Fault | None:
    """Return the fault of the first control character; the parser would report it placeless."""
    found = _FORBIDDEN.search(text)
    if found is None:
        return None
    index = found.start()
    origin = replace(origin, lines=lines_of(text))
    before = lines_of(text[:index])
    letter = ord(text[index])
    name = {0: "a NUL byte", 0xFEFF: "a byte order mark"}.get(letter, f"U+{letter:04X}")
    return Place(origin, len(before), len(before[-1]) + 1).fault(
        f"{name} cannot stand in a config", suggestion="is this a text file?"
    )


_BRACED = re.compile(r"\{[^{}]*\}([^\s,{}\[\]]|\{[^{}]*\})+")
"""A text such as `{label}_{index}.wav`, of which the parser reads the first braces as a map."""

_SYNTAX = (
    # what the parsers say (libyaml's and PyYAML's words), what is meant, what to do
    ("mapping values are not allowed", "a `:` where no key can stand",
     "a key begins its own line, `KEY: VALUE`; quote text that holds `: `"),
    ("could not find expected ':'", "expected `KEY: VALUE`",
     "put a colon and a space after the key"),
    ("did not find expected key", "this line does not line up with the ones above",
     "indent it like its neighbours, with spaces"),
    ("expected <block end>", "this line does not line up with the ones above",
     "indent it like its neighbours, with spaces"),
    ("expected '-' indicator", "expected `- VALUE`, as above", "a list and keys cannot be mixed"),
    ("',' or ']'", "a list `[` is not closed", "close it with `]`"),
    ("',' or '}'", "a map `{` is not closed", "close it with `}`"),
    ("unexpected end of stream", "a quote is not closed", "close it"),
    ("document start", "this line stands outside of everything above",
     "indent it like the first line"),
    ("node content", "expected a value", ""),
)  # fmt: skip


def syntax_fault(error: yaml.MarkedYAMLError, origin: Origin) -> Fault:
    """Return a parser's error in plain words, at the opening bracket or quote if one is open."""
    problem = str(error.problem)
    mark = error.problem_mark or error.context_mark
    if mark is not None and (fault := _brace_fault(mark.line, mark.column, origin)) is not None:
        return fault
    found = next((row for row in _SYNTAX if row[0] in problem), ("", problem, ""))
    _, message, suggestion = found
    if "not closed" in message and error.context_mark is not None:
        mark = error.context_mark
    if mark is None:
        return Place(origin).fault(message)
    row, column = mark.line, mark.column
    if row >= len(origin.lines):  # libyaml puts the end of the text on a line of its own
        row, column = len(origin.lines) - 1, len(origin.lines[-1])
    letter = origin.lines[row][column : column + 1]
    if "cannot start any token" in problem:
        message, suggestion = f"`{letter}` cannot begin a value", "put the text in quotes"
        if letter == "\t":
            message, suggestion = "a tab cannot indent", "use spaces"
    return Place(origin, row + 1, column + 1).fault(message, suggestion=suggestion)


def _brace_fault(row: int, column: int, origin: Origin) -> Fault | None:
    """Return the fault of a text that begins with a brace and has no quotes, if it is this one."""
    line = origin.lines[row] if row < len(origin.lines) else ""
    found = next((m for m in _BRACED.finditer(line) if m.start() < column < m.end()), None)
    if found is None:
        return None
    quoted = f'"{found[0]}"'
    return Place(origin, row + 1, found.start() + 1, len(found[0])).fault(
        "`{` at the beginning of a value begins a map, which ends before the text does",
        suggestion=f"quote it twice, for YAML and the shell: '{quoted}'"
        if origin.is_override
        else f"quote it: {quoted}",
    )
