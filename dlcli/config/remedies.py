"""What was found in a config, and what was probably meant instead, in a few words."""

from __future__ import annotations

from contextlib import suppress

from dlcli.config.names import nearest
from dlcli.config.nodes import Node, Scalar
from dlcli.config.types import Type
from dlcli.config.yaml import scalar_of

_LONGEST = 40


def found(node: Node) -> str:
    """Return a value in words; one from the environment is not repeated, it may be secret."""
    value = node.value
    if node.reference is not None:
        return f"{_kind(value)} from `{node.reference.written}`"
    if isinstance(value, str):
        shown = value if len(value) <= _LONGEST else value[:_LONGEST] + "..."
        return f"text `{shown}`" if value else "an empty text"
    if isinstance(value, list):
        return f"a list of {len(value)}" if value else "an empty list"
    if isinstance(value, dict):
        keys = ", ".join(f"`{key}:`" for key in list(value)[:3])
        return f"keys ({keys}{', ...' if len(value) > 3 else ''})" if value else "an empty map"
    return "nothing" if value is None else f"`{_plain(value)}`"


def _kind(value: Scalar) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "a truth value"
    return "text" if isinstance(value, str) else f"`{value}`"


def _plain(value: Scalar) -> str:
    """Return a scalar as it is written in a config."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def remedy(node: Node, kind: Type) -> str:
    """Return what was probably meant by a value that an option does not accept, or nothing."""
    forms: set[str] = {member.form for member in kind.members}
    value = node.value
    if isinstance(value, str):
        return _for_text(value, kind, forms)
    if value is None and "section" in forms:
        return "leave the key out, or put options under it"
    if "text" in forms and isinstance(value, dict) and _is_braced_word(value):
        return f'write "{{{next(iter(value))}}}" in quotes'
    if isinstance(value, list) and len(value) == 1 and not forms & {"list", "tuple"}:
        return "write the value without brackets"
    if not isinstance(value, bool | int | float):
        return ""
    if "text" in forms and node.reference is None:
        return f'write "{_plain(value)}" in quotes'
    if isinstance(value, float) and "integer" in forms and value.is_integer():
        return f"write {int(value)}"
    return f"write [{_plain(value)}]" if "list" in forms else ""


def _is_braced_word(value: dict[str, Node]) -> bool:
    """Tell whether a map is what YAML takes `{word}` for."""
    return len(value) == 1 and all(node.value is None for node in value.values())


def _for_text(text: str, kind: Type, forms: set[str]) -> str:
    """Return the near word, or the number that a text looks like."""
    choices = [str(word) for member in kind.members for word in member.choices]
    if "boolean" in forms:
        choices += ["true", "false"]
    if (near := nearest(text, choices)) is not None:
        return f"did you mean `{near}`?"
    if "nothing" in forms and text.lower() in ("none", "nil", "off", "no", "false"):
        return "did you mean `null`?"
    if forms & {"number", "integer"} and (number := _number(text)) is not None:
        return f"write {number}, without quotes"
    return f"write [{text}]" if "list" in forms else ""


def _number(text: str) -> int | float | None:
    """Return the number that a text is in another notation: `1_000`, `0,5`, `10 %`, `1/3`."""
    cleaned = text.strip().replace("_", "").replace(" ", "")
    share = cleaned.endswith("%")
    cleaned = cleaned.removesuffix("%").replace(",", ".").lstrip("+0") or "0"
    with suppress(ValueError):
        value = scalar_of("0" + cleaned if cleaned.startswith(".") else cleaned)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return value / 100 if share else value
    return None
