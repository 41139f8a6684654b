"""From the text of a Python annotation to what pydantic is to accept; nothing is run."""

from __future__ import annotations

import ast
from typing import Annotated, Any, Literal, Union

from pydantic import Strict

from dlcli.config.options import DataPath

_PLAIN: dict[str, Any] = {
    "int": int, "float": float, "bool": bool, "str": str, "None": None,
    "list": list[Any], "List": list[Any], "Sequence": list[Any],
    "tuple": Annotated[tuple[Any, ...], Strict(False)],
    "Tuple": Annotated[tuple[Any, ...], Strict(False)],
    "dict": dict[str, Any], "Dict": dict[str, Any], "Mapping": dict[str, Any],
    "Path": DataPath,
}  # fmt: skip
"""What a YAML file can say, by the names that annotations have for it."""


def type_of(annotation: ast.expr | None) -> Any:
    """Return the type that an annotation names, `Any` where a config cannot check it."""
    if isinstance(annotation, ast.Constant):
        return _constant(annotation.value)
    if isinstance(annotation, ast.Name | ast.Attribute):
        return _PLAIN.get(_name(annotation), Any)
    if isinstance(annotation, ast.BinOp) and isinstance(annotation.op, ast.BitOr):
        return _union(type_of(annotation.left), type_of(annotation.right))
    if isinstance(annotation, ast.Subscript):
        inner = annotation.slice
        items = list(inner.elts) if isinstance(inner, ast.Tuple) else [inner]
        return _subscript(_name(annotation.value), items)
    return Any


def _constant(value: object) -> Any:
    """Return the type of `None`, or of an annotation in quotes."""
    if value is None:
        return None
    if isinstance(value, str):
        try:
            return type_of(ast.parse(value, mode="eval").body)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return Any
    return Any


def _subscript(name: str, items: list[ast.expr]) -> Any:
    """Return the type of `NAME[ITEMS]`."""
    if name in ("list", "List", "Sequence"):
        return list[type_of(items[0])]  # type: ignore[misc]
    if name in ("dict", "Dict", "Mapping"):
        return dict[str, type_of(items[-1])]  # type: ignore[misc]
    if name in ("tuple", "Tuple"):
        return _tuple(items)
    if name == "Optional":
        return or_nothing(type_of(items[0]))
    if name == "Annotated":
        return type_of(items[0])
    if name == "Literal":
        choices = [item.value for item in items if isinstance(item, ast.Constant)]
        is_plain = all(isinstance(choice, str | int) for choice in choices)
        return Literal[*choices] if is_plain and len(choices) == len(items) else Any
    if name == "Union":
        kind = type_of(items[0])
        for item in items[1:]:
            kind = _union(kind, type_of(item))
        return kind
    return Any


def _tuple(items: list[ast.expr]) -> Any:
    """Return the type of a tuple, which in YAML is a list."""
    last = items[-1]
    if isinstance(last, ast.Constant) and last.value is Ellipsis:
        return Annotated[tuple[type_of(items[0]), ...], Strict(False)]  # type: ignore[misc]
    return Annotated[tuple[*map(type_of, items)], Strict(False)]  # type: ignore[misc]


def or_nothing(kind: Any) -> Any:
    """Return a type that takes null as well."""
    return _union(kind, None)


def _union(left: Any, right: Any) -> Any:
    if Any in (left, right):
        return Any
    return Union[left, right]  # noqa: UP007 - some of these have no `|`


def _name(node: ast.expr) -> str:
    """Return the last word of a dotted name."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
