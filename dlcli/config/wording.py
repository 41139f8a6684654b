"""What an option accepts, in plain words: for messages and listings."""

from __future__ import annotations

from functools import cache
from typing import Any

from dlcli.config.types import Type


@cache
def words(kind: Type) -> str:
    """Return what a type accepts in plain words: "a whole number from 1", "text or nothing"."""
    if kind.form == "union":
        return listed(_members(kind))
    if kind.form == "choice":
        return listed([f"`{choice}`" for choice in kind.choices])
    if kind.form == "component":
        return "a name, or `name:` and its options"
    if kind.form == "list":
        return _amount(kind, plural(kind.inner[0]))
    if kind.form == "tuple":
        if len(set(kind.inner)) == 1:
            return f"a list of {len(kind.inner)} {plural(kind.inner[0])}"
        return f"a list of {len(kind.inner)}: {', '.join(words(item) for item in kind.inner)}"
    if kind.form == "map":
        return f"`KEY: VALUE` pairs, each value {words(kind.inner[1])}"
    return " ".join([_PLAIN[kind.form], *_bound_words(kind)])


_PLAIN = {
    "any": "any value",
    "nothing": "null",
    "integer": "a whole number",
    "number": "a number",
    "text": "text",
    "boolean": "`true` or `false`",
    "section": "a section of `KEY: VALUE` lines",
}


def plural(kind: Type) -> str:
    """Return what several values of a type are called."""
    names = {"integer": "whole numbers", "number": "numbers", "component": "names"}
    if kind.form in names:
        return " ".join([names[kind.form], *_bound_words(kind)])
    if kind.form == "choice":
        return words(kind)
    return {"text": "texts", "list": "lists"}.get(kind.form, "values, each " + words(kind))


def _amount(kind: Type, what: str) -> str:
    """Return `a list of ...` with its shortest and longest length."""
    bounds = dict(kind.bounds)
    least, most = bounds.get("min_length", 0), bounds.get("max_length")
    if most is not None:
        return f"a list of {least} to {most} {what}" if least != most else f"{least} {what}"
    if least:
        return f"a list of {'one' if least == 1 else least} or more {what}"
    return f"a list of {what}"


def _bound_words(kind: Type) -> list[str]:
    bounds = dict(kind.bounds)
    said = []
    if bounds.get("min_length") == bounds.get("max_length") == 1:
        return ["of one character"]
    if "ge" in bounds and "le" in bounds:
        return [f"from {short(bounds['ge'])} to {short(bounds['le'])}"]
    if "ge" in bounds:
        said.append(f"from {short(bounds['ge'])}")
    if "gt" in bounds:
        said.append(f"above {short(bounds['gt'])}")
    if "lt" in bounds:
        said.append(f"below {short(bounds['lt'])}")
    if "le" in bounds:
        said.append(f"up to {short(bounds['le'])}")
    if "like" in bounds:
        said.append(f"such as `{bounds['like']}`")
    if bounds.get("min_length") and kind.form == "text":
        said.append("that is not empty")
    return [" and ".join(said)] if said else []


def short(value: Any) -> str:
    """Return a number as people write it: `0`, not `0.0`, and `1,048,576`."""
    return f"{value:g}" if isinstance(value, float) else f"{value:,}"


def listed(parts: list[str]) -> str:
    """Return `a, b or c`."""
    return " or ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _members(kind: Type) -> list[str]:
    """Return the members of a union in words: null last, whole numbers among the numbers."""
    numbers = {member.bounds for member in kind.inner if member.form == "number"}
    parts: dict[str, None] = {}
    for member in sorted(kind.inner, key=lambda member: member.form == "nothing"):
        if member.form == "choice":
            parts |= dict.fromkeys(f"`{choice}`" for choice in member.choices)
        elif member.form == "boolean":
            parts |= {"`true`": None, "`false`": None}
        elif member.form != "integer" or member.bounds not in numbers:
            parts[words(member)] = None
    return list(parts)
