"""Gives every component that names own code the class made from its text; runs nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from dlcli.config.code import NoTextError, Texts, is_meant_as_code, split_name
from dlcli.config.definition import DefinitionError, own_options
from dlcli.config.environment import as_wanted
from dlcli.config.merge import typed
from dlcli.config.nodes import Node
from dlcli.config.options import Options
from dlcli.config.own import own_base
from dlcli.config.types import Type, child_type
from dlcli.errors import Fault, KeyPath


def with_own(
    root: Node, kind: Type, texts: Texts, *, holder: str, is_trusted: bool
) -> tuple[Node, list[Fault]]:
    """Return a tree whose components of own code know their classes.

    Args:
        root: The tree, its names written out.
        kind: Its type.
        texts: Reads the files.
        holder: What names the code: `the config`, or a checkpoint.
        is_trusted: Whether it may run.

    Returns:
        The tree, and a fault for each name that leads to nothing.
    """
    faults: list[Fault] = []
    classes: dict[KeyPath, type[Options]] = {}
    broken: set[KeyPath] = set()
    for path, family, name in named_code(root, kind):
        try:
            classes[path] = _own(family, name, texts, holder=holder, is_trusted=is_trusted)
        except DefinitionError as error:
            found = [replace(fault, path=(*path, "name")) for fault in error.faults]
            faults += [fault if fault.file else name.place.mark(fault) for fault in found]
            broken.add(path)
    if not classes and not broken:
        return root, faults
    return typed(_attached(root, (), classes, broken), kind, as_wanted), faults


def named_code(
    node: Node, kind: Type, path: KeyPath = ()
) -> Iterator[tuple[KeyPath, type[Options], Node]]:
    """Yield each component that is meant as own code: its path, its family and its name."""
    inner = kind.fitting(node.value)
    if inner is None:
        return
    if inner.form == "component" and inner.options is not None:
        name = node.value.get("name")
        is_own = name is not None and is_meant_as_code(name.value) and not name.is_broken
        if is_own and own_base(inner.options) is not None:
            yield path, inner.options, name
        return
    for step, kid in node.children():
        yield from named_code(kid, child_type(inner, step), (*path, step))


def refused(root: Node, kind: Type) -> list[Fault]:
    """Return a fault at the first name of own code, where none may run; it names them all."""
    found = list(named_code(root, kind))
    if not found:
        return []
    path, _, name = found[0]
    names = dict.fromkeys(f"`{name.value}`" for _, _, name in found)
    return [
        name.place.fault(
            f"the config names code, {', '.join(names)}, which runs only under --trust-code",
            (*path, "name"),
            suggestion="add --trust-code if you trust it",
        )
    ]


def _own(
    family: type[Options],
    name: Node,
    texts: Texts,
    *,
    holder: str,
    is_trusted: bool,
) -> type[Options]:
    """Return the class of one component.

    Raises:
        DefinitionError: Its name leads to nothing.
    """
    found = split_name(name.value)
    if found is None:
        message = f"`{name.value}` names no code"
        raise DefinitionError([Fault(message, suggestion="write FILE.py:NAME")])
    file, attribute = found
    try:
        source = texts(file)
    except NoTextError as error:
        raise DefinitionError([Fault(str(error), suggestion=error.suggestion)]) from error
    return own_options(family, file, attribute, source, holder=holder, is_trusted=is_trusted)


def _attached(
    node: Node, path: KeyPath, classes: dict[KeyPath, type[Options]], broken: set[KeyPath]
) -> Node:
    """Return a tree with these classes, and these names marked as broken."""
    if path in classes:
        return replace(node, own=classes[path])
    if path in broken:
        name = replace(node.value["name"], is_broken=True)
        return replace(node, value={**node.value, "name": name})
    kids = [(step, _attached(kid, (*path, step), classes, broken)) for step, kid in node.children()]
    if isinstance(node.value, dict):
        return replace(node, value=dict(kids))
    return replace(node, value=[kid for _, kid in kids]) if isinstance(node.value, list) else node
