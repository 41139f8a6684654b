"""A config with every option filled in, and where each value came from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, TypeVar

from dlcli.config.environment import escape
from dlcli.config.merge import typed
from dlcli.config.nodes import Node, dotted
from dlcli.config.options import Options
from dlcli.config.types import Type
from dlcli.errors import DlcliError, Fault, KeyPath

Error = TypeVar("Error", bound=DlcliError)


def resolved(config: Options, root: Node, *, only_paths: bool = False) -> dict[str, Any]:
    """Return every option as plain JSON data, with references to variables as written.

    Args:
        config: The validated options.
        root: The tree that they were read from.
        only_paths: Keep references in paths of data alone; all other values are written out.
    """
    data = dumped(config)
    if only_paths:
        root = typed(root, Type("section", options=type(config)), _without_reference)
    for path, node in root.leaves():
        if node.reference is not None:
            _put(data, path, node.reference.written)
    return data


def dumped(config: Options) -> dict[str, Any]:
    """Return options as plain JSON data, texts that look like references escaped, `name` first."""
    data: dict[str, Any] = _name_first(escape(config.model_dump(mode="json")))
    return data


def _name_first(data: Any) -> Any:
    if isinstance(data, dict):
        ordered = {"name": data["name"], **data} if "name" in data else data
        return {key: _name_first(value) for key, value in ordered.items()}
    return [_name_first(item) for item in data] if isinstance(data, list) else data


def _without_reference(node: Node, kind: Type) -> Node:
    """Return a node that keeps its reference only if it is a path, where any text is valid."""
    is_path = isinstance(node.value, str) and any(member.is_path for member in kind.members)
    return node if is_path else replace(node, reference=None)


def _put(data: Any, path: KeyPath, value: str) -> None:
    for step in path[:-1]:
        data = data[step]
    data[path[-1]] = value


def flat(data: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """Yield each value of plain data with its path; a list of values is one value."""
    if isinstance(data, dict) and data:
        for key, value in data.items():
            yield from flat(value, (*path, key))
    elif isinstance(data, list) and any(isinstance(item, dict) for item in data):
        for index, item in enumerate(data):
            yield from flat(item, (*path, index))
    else:
        yield path, data


def origins(config: Options, root: Node) -> dict[str, str]:
    """Return where each value came from, by dotted key.

    One of `FILE:LINE`, `${env:NAME}, FILE:LINE`, `command line: KEY=VALUE` and `default`.
    """
    return {dotted(path): _origin(root.get(path)) for path, _ in flat(dumped(config))}


def _origin(node: Node | None) -> str:
    if node is None:
        return "default"
    if node.reference is not None and node.reference.written != node.value:
        return f"{node.reference.written}, {node.place}"
    return str(node.place)


def located(error: Error, root: Node) -> Error:
    """Return an error whose faults about keys say where these stand; others stay as they are."""
    faults = [_placed(fault, root) for fault in error.faults]
    if faults == list(error.faults):
        return error
    copy = type(error)(faults)
    copy.code = error.code
    return copy


def _placed(fault: Fault, root: Node) -> Fault:
    """Return a fault at its key, or at the deepest key above it that exists."""
    if not fault.path or fault.file:
        return fault
    node = root.nearest(fault.path)
    if node is root:
        return replace(fault, file=root.place.origin.label)
    return node.mark.mark(fault)
