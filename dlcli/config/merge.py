"""How layers of a config become one: bare words, `extends`, `KEY=VALUE`; reads no file."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from dlcli.config.code import is_meant_as_code
from dlcli.config.environment import as_wanted
from dlcli.config.nodes import Node, Place, Reference, dotted
from dlcli.config.options import Options
from dlcli.config.types import Type, child_type, member_of
from dlcli.errors import ConfigError, KeyPath


def typed(node: Node, kind: Type, change: Callable[[Node, Type], Node]) -> Node:
    """Return a tree with every node, parents first, through a function that knows its type."""
    node = change(node, kind)
    inner = kind.fitting(node.value)
    if inner is None:
        return node
    member = chosen_member(node, inner)
    kids = [
        (step, typed(kid, child_type(inner, step, member), change)) for step, kid in node.children()
    ]
    return replace(node, value=dict(kids) if node.is_map else [kid for _, kid in kids])


def chosen_member(node: Node, kind: Type) -> type[Options] | None:
    """Return the class of a component's options; None where it is none, or not a known one."""
    if kind.form != "component" or kind.options is None or not node.is_map:
        return None
    name = node.value.get("name")
    return node.own or member_of(kind.options, node.component if name is None else name.value)


def normalised(node: Node, kind: Type) -> Node:
    """Return a layer with bare words written out and components marked."""

    def change(node: Node, kind: Type) -> Node:
        node = as_wanted(node, kind)
        family = next((member for member in kind.members if member.form == "component"), None)
        if family is None or (isinstance(node.value, str) and _takes_text(kind)):
            return node
        if isinstance(node.value, str):
            return _component(node, kind.default_name)
        return replace(node, component=kind.default_name) if node.is_map else node

    return typed(node, kind, change)


def _takes_text(kind: Type) -> bool:
    return any(member.form in ("text", "choice") for member in kind.members)


def _component(word: Node, default_name: str) -> Node:
    """Return `{name: WORD}` for a bare word."""
    name = replace(word, key=None, component=None)
    return Node({"name": name}, word.place, word.key, component=default_name)


def with_names(node: Node, kind: Type) -> Node:
    """Return a tree in which a component without `name` has the one of the default."""

    def change(node: Node, _: Type) -> Node:
        if not node.component or "name" in node.value:
            return node
        return replace(node, value={"name": Node(node.component, node.mark), **node.value})

    return typed(node, kind, change)


def merged(base: Node, over: Node, *, is_override: bool = False) -> Node:
    """Return one layer over another: maps merge, everything else is replaced.

    Where the upper layer changes a component's name, the other options of the lower one are
    dropped, for they belong to another component; those of earlier overrides stay.
    """
    if not (base.is_map and over.is_map):
        return over
    below = base.value
    if _is_component(base, over) and _given_name(over) not in (None, _name(base)):
        below = {key: kid for key, kid in below.items() if kid.place.origin.is_override}
    value = dict(below)
    for key, kid in over.value.items():
        value[key] = merged(value[key], kid, is_override=is_override) if key in value else kid
    return replace(base if is_override else over, value=value)


def _is_component(base: Node, over: Node) -> bool:
    return base.component is not None or over.component is not None


def _given_name(node: Node) -> Any:
    name = node.value.get("name")
    return name.value if name is not None else None


def _name(node: Node) -> Any:
    return _given_name(node) or node.component


def overridden(root: Node, path: KeyPath, value: Node, kind: Type) -> Node:
    """Return a tree with the value at a path replaced, or merged if both are maps.

    Raises:
        ConfigError: The path counts beyond the end of a list, or in what is no list.
    """
    layer = normalised(_nested(root, path, value, ()), kind)
    return normalised(merged(root, layer, is_override=True), kind)


def _nested(below: Node | None, path: KeyPath, value: Node, above: KeyPath) -> Node:
    """Return a layer that holds one value at a path; a list on the way is copied from below."""
    if not path:
        return value
    step, rest = path[0], path[1:]
    whole = (*above, step)
    if below is not None and isinstance(step, int) and isinstance(below.value, str | int | float):
        name = dotted(above)
        one = "one text" if isinstance(below.value, str) else "one value"
        raise ConfigError(
            [
                value.place.fault(
                    f"no value number {step}: `{name}` is {one}, not a list",
                    whole,
                    suggestion=f"write {name}=...",
                )
            ]
        )
    if below is not None and isinstance(below.value, list) and isinstance(step, int):
        items = list(below.value)
        if step >= len(items):
            count = f"the list has {len(items)} values, the first one is number 0"
            raise ConfigError([value.place.fault(f"no value number {step}: {count}", whole)])
        item = _nested(items[step], rest, value, whole)
        items[step] = merged(items[step], item, is_override=True)
        return replace(below, value=items)
    key = str(step)
    kid = _nested(below.child(key) if below is not None else None, rest, value, whole)
    return Node({key: replace(kid, key=value.place)}, value.place, value.place)


def relocated(root: Node, kind: Type, folder: Path) -> Node:
    """Return a tree whose data paths are all relative to one folder.

    A path is written relative to the file that names it, or to the working directory on the
    command line; absolute ones and those of a home directory stay.
    """

    def change(node: Node, kind: Type) -> Node:
        is_path = any(member.is_path for member in kind.members)
        return _relocated(node, folder) if is_path else node

    return typed(root, kind, change)


def with_code_relocated(root: Node, kind: Type, folder: Path) -> Node:
    """Return a tree in which the files of own code are relative to one folder; see `relocated`."""

    def change(node: Node, kind: Type) -> Node:
        name = node.value.get("name") if node.is_map else None
        is_component = any(member.form == "component" for member in kind.members)
        if name is None or not is_component or not is_meant_as_code(name.value):
            return node
        return replace(node, value={**node.value, "name": _relocated(name, folder)})

    return typed(root, kind, change)


def _relocated(node: Node, folder: Path) -> Node:
    """Return a path as it is seen from a folder."""
    prefix = _prefix(node.place, folder)
    text = node.value
    if prefix is None or not isinstance(text, str) or text.startswith("~"):
        return node
    if Path(text).is_absolute():
        return node
    reference = node.reference and Reference(
        os.path.normpath(prefix / node.reference.written),
        os.path.normpath(prefix / node.reference.text),
    )
    return replace(node, value=os.path.normpath(prefix / text), reference=reference)


def _prefix(place: Place, folder: Path) -> Path | None:
    """Return the way from a folder to where a value's paths begin; None if it is the same.

    Links are followed first: from a linked folder, `..` leads to the parent of what it links to.
    """
    way = Path(os.path.relpath(place.origin.folder.resolve(), folder.resolve()))
    return None if way == Path() else way
