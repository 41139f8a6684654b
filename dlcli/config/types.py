"""What an option accepts, read once from its annotation: for messages, listings and shorthands."""

from __future__ import annotations

import types
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from dlcli.config.options import OneOf, Options, PathMark, components

Form = Literal[
    "any", "nothing", "integer", "number", "text", "boolean", "choice",
    "list", "tuple", "map", "section", "component", "union",
]  # fmt: skip

_SCALARS: dict[Any, Form] = {
    int: "integer", float: "number", str: "text", bool: "boolean",
    None: "nothing", type(None): "nothing",
}  # fmt: skip
_BOUNDS = ("gt", "ge", "lt", "le", "min_length", "max_length", "like")


@dataclass(frozen=True)
class Type:
    """What one option accepts.

    Attributes:
        form: Its outer shape.
        inner: Item of a list, items of a tuple, key and value of a map, members of a union.
        options: Class of a section, family of a component.
        choices: The accepted words or numbers of a choice.
        bounds: Limits by pydantic's names: gt, ge, lt, le, min_length, max_length; and `like`, an
            example of a text.
        is_path: Whether the text is a path, relative to the file that names it.
        default_name: Name of the component that is taken where `name:` is not given, if any.
    """

    form: Form
    inner: tuple[Type, ...] = ()
    options: type[Options] | None = None
    choices: tuple[Any, ...] = ()
    bounds: tuple[tuple[str, Any], ...] = ()
    is_path: bool = False
    default_name: str = ""

    @property
    def members(self) -> tuple[Type, ...]:
        """The types of a union; of any other type itself alone."""
        return self.inner if self.form == "union" else (self,)

    @property
    def is_nullable(self) -> bool:
        """Whether null is accepted."""
        return any(member.form in ("nothing", "any") for member in self.members)

    def fitting(self, value: Any) -> Type | None:
        """Return the member that holds values like a list or a dict, or None."""
        if not isinstance(value, list | dict):
            return None
        forms = ("list", "tuple") if isinstance(value, list) else ("map", "section", "component")
        return next((member for member in self.members if member.form in forms), None)


ANY = Type("any")


@cache
def fields_of(options: type[Options]) -> dict[str, Type]:
    """Return the type of each option of a class, by name."""
    return {
        name: replace(
            read_type(field.annotation, field.metadata),
            default_name=getattr(field.default, "name", ""),
        )
        for name, field in options.model_fields.items()
    }


def child_type(kind: Type, key: str | int, member: type[Options] | None = None) -> Type:
    """Return the type of the value at a key or index of a list, map, section or component.

    Args:
        kind: The type of the whole.
        key: The key or index.
        member: The component's class, where the whole is one and its name is known.
    """
    if kind.form == "component":
        return fields_of(member).get(str(key), ANY) if member is not None else ANY
    if kind.form == "section" and kind.options is not None:
        return fields_of(kind.options).get(str(key), ANY)
    if kind.form == "tuple" and isinstance(key, int):
        return kind.inner[key] if key < len(kind.inner) else ANY
    return kind.inner[-1] if kind.form in ("list", "map") else ANY


def read_type(annotation: Any, metadata: Iterable[Any] = ()) -> Type:
    """Return what an annotation accepts; metadata is what `Annotated` would add to it."""
    metadata = list(metadata)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return read_type(arguments[0], [*_flat(arguments[1:]), *metadata])
    for mark in metadata:
        if isinstance(mark, OneOf):
            return Type("component", options=mark.family)
    if origin in (Union, types.UnionType):
        members = [read_type(argument, metadata) for argument in arguments]
        return Type("union", tuple(inner for member in members for inner in member.members))
    found = _outer(annotation, origin, arguments)
    limits = () if found.form == "nothing" else _limits(metadata)
    is_path = any(isinstance(mark, PathMark) for mark in metadata)
    return replace(found, bounds=limits, is_path=is_path)


def _outer(annotation: Any, origin: Any, arguments: tuple[Any, ...]) -> Type:
    """Return the type of an annotation that is no union, without its limits."""
    if origin is Literal:
        return Type("choice", choices=arguments)
    if origin is list:
        return Type("list", (read_type(arguments[0]),))
    if origin is tuple and arguments[-1] is Ellipsis:
        return Type("list", (read_type(arguments[0]),))
    if origin is tuple:
        return Type("tuple", tuple(read_type(argument) for argument in arguments))
    if origin is dict:
        return Type("map", tuple(read_type(argument) for argument in arguments))
    if isinstance(annotation, type) and issubclass(annotation, Options):
        return Type("section", options=annotation)
    return Type(_SCALARS.get(annotation, "any"))


def _flat(metadata: Iterable[Any]) -> Iterable[Any]:
    """Yield metadata, that of a `Field(...)` inside it one by one."""
    for mark in metadata:
        if isinstance(mark, FieldInfo):
            yield from mark.metadata
        else:
            yield mark


def _limits(metadata: Iterable[Any]) -> tuple[tuple[str, Any], ...]:
    limits = {
        name: value
        for mark in metadata
        for name in _BOUNDS
        if (value := getattr(mark, name, None)) is not None
    }
    return tuple(limits.items())


def family_label(family: type[Options]) -> str:
    """Return what members of a family are called: `optimizer` for `OptimizerOptions`."""
    return family.__name__.removesuffix("Options").lower()


def member_of(family: type[Options], name: Any) -> type[Options] | None:
    """Return the member of a family with a name, or None."""
    return components(family).get(name) if isinstance(name, str) else None
