"""`${env:NAME}` in a config: the only templating beside `extends`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dlcli.config.names import nearest
from dlcli.config.nodes import Node, Reference, dotted
from dlcli.config.types import Type
from dlcli.config.yaml import scalar_of
from dlcli.errors import Fault, KeyPath

_REFERENCE = re.compile(r"(\$?)\$\{([^{}]*)\}")
_NAME = re.compile(r"env:([A-Za-z_][A-Za-z0-9_]*)")


def expand(
    node: Node, environment: Mapping[str, str] | None, path: KeyPath = ()
) -> tuple[Node, list[Fault]]:
    """Return a tree with every reference replaced by what its variable holds.

    A value that is one reference is read as if it stood in the file (`1e-3` is a number); inside
    a longer text it is text. `$${...}` is the text `${...}`.

    Args:
        node: The tree.
        environment: Variables by name; None leaves references as they are, and reads the rest.
        path: Where the tree stands in the config.

    Returns:
        The tree and a fault for each variable that is not set.
    """
    if isinstance(node.value, dict | list):
        pairs = [(step, *expand(kid, environment, (*path, step))) for step, kid in node.children()]
        faults = [fault for _, _, found in pairs for fault in found]
        kids = [kid for _, kid, _ in pairs]
        value: Any = dict(zip(node.value, kids, strict=True)) if node.is_map else kids
        return replace(node, value=value), faults
    if not isinstance(node.value, str) or "${" not in node.value:
        return node, []
    if environment is None:
        return _kept(node), []
    return _expanded(node, environment, path)


def _kept(node: Node) -> Node:
    """Return a text with a reference as it is written; any other one without its escapes."""
    if any(not match[1] for match in _REFERENCE.finditer(node.value)):
        return replace(node, reference=Reference(node.value, node.value))
    return replace(node, value=_REFERENCE.sub(lambda match: match[0][1:], node.value))


def _expanded(
    node: Node, environment: Mapping[str, str], path: KeyPath
) -> tuple[Node, list[Fault]]:
    """Return one text with its references replaced, and what is wrong with them."""
    faults = []

    def given(match: re.Match[str]) -> str:
        escaped, inside = match.groups()
        if escaped:
            return match[0][1:]
        name = _NAME.fullmatch(inside)
        if name is not None and name[1] in environment:
            return environment[name[1]]
        faults.append(_fault(node, inside, environment, path))
        return match[0]

    text = _REFERENCE.sub(given, node.value)
    whole = _REFERENCE.fullmatch(node.value)
    value = _read(text) if whole is not None and not whole[1] and not faults else text
    reference = Reference(node.value, text)
    return replace(node, value=value, reference=reference, is_broken=bool(faults)), faults


def _read(text: str) -> Any:
    try:
        return scalar_of(text)
    except ValueError:
        return text


def _fault(node: Node, inside: str, environment: Mapping[str, str], path: KeyPath) -> Fault:
    """Return what is wrong with one reference."""
    name = _NAME.fullmatch(inside)
    if name is None:
        return node.place.fault(
            f"`{dotted(path)}`: `${{{inside}}}` is no reference",
            path,
            suggestion=f"did you mean `${{env:{inside or 'NAME'}}}`?",
            note="`${env:NAME}` is an environment variable; `$${...}` is the text `${...}`",
        )
    near = nearest(name[1], environment)
    return node.place.fault(
        f"`{dotted(path)}`: the environment variable `{name[1]}` is not set",
        path,
        suggestion=f"did you mean `{near}`?" if near else f"export {name[1]}=...",
    )


def escape(data: Any) -> Any:
    """Return plain data in which texts that look like references are escaped."""
    if isinstance(data, dict):
        return {key: escape(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [escape(value) for value in data]
    if isinstance(data, str):
        return _REFERENCE.sub(lambda match: "$" + match[0], data)
    return data


def as_wanted(node: Node, kind: Type) -> Node:
    """Return a node whose reference gives the text itself where no other value is accepted."""
    if node.reference is None or isinstance(node.value, str):
        return node
    forms = {member.form for member in kind.members}
    wanted = {bool: "boolean", int: "integer", float: "number", type(None): "nothing"}
    accepts = {wanted[type(node.value)], *(["number"] if isinstance(node.value, int) else [])}
    if "text" in forms and not accepts & forms:
        return replace(node, value=node.reference.text)
    return node
