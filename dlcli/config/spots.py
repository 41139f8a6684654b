"""Where each of pydantic's errors stands in a config, told from the annotations alone.

Pydantic's own places hold names of components and labels of union members, which look like keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from pydantic import ValidationError

from dlcli.config.nodes import Node
from dlcli.config.options import Options
from dlcli.config.types import ANY, Type, child_type, member_of
from dlcli.errors import KeyPath

OWN_WORDS = frozenset({"value_error", "assertion_error"})
"""Errors that a class's own check raises: their text is the message."""


@dataclass(frozen=True)
class Spot:
    """One of pydantic's errors at its place in the config.

    Attributes:
        error: What pydantic says.
        kind: The type wanted there; None for a key that is not accepted.
        path: Its keys and indices, without the names and labels that pydantic adds for unions.
        owner: The options class that has the key.
        union: Where the outermost union begins of which this error is one member's, and
            pydantic's label of that member.
    """

    error: Mapping[str, Any]
    kind: Type | None
    path: KeyPath = ()
    owner: type[Options] | None = None
    union: tuple[KeyPath, str | int] | None = None


def spots_of(error: ValidationError, root: Type, tree: Node) -> list[Spot]:
    """Return the places of all errors; of a union only those of the member that fits best."""
    details = error.errors(include_url=False)
    spots = [_walk(detail["loc"], Spot(detail, root), root, tree) for detail in details]
    groups = groupby(spots, key=lambda spot: spot.union and spot.union[0])
    return [spot for path, group in groups for spot in _best(path, list(group))]


def _walk(location: tuple[str | int, ...], spot: Spot, kind: Type, tree: Node) -> Spot:
    """Return the place that a location leads to from a value of a type.

    Raises:
        LookupError: There is no such place: it belongs to another member of a union.
    """
    here = replace(spot, kind=kind)
    if not location or location[0] == "[key]":
        return here
    if kind.form == "union":
        return _walk_union(location, here, kind, tree)
    step, rest = location[0], location[1:]
    if kind.form == "tuple" and not rest and spot.error["type"] == "missing":
        return here  # pydantic names the absent item
    if kind.form == "component" and kind.options is not None:
        own = tree.nearest(spot.path).own
        if own is not None:  # which adds no tag to the location
            return _walk(location, here, Type("section", options=own), tree)
        member = member_of(kind.options, step)
        return _walk(rest, here, Type("section", options=member) if member else ANY, tree)
    if kind.form == "section" and kind.options is not None:
        if step not in kind.options.model_fields:
            return Spot(spot.error, None, (*spot.path, step), kind.options, spot.union)
        here = replace(here, owner=kind.options)
    elif not _has(kind, step):
        raise LookupError(step)
    here = replace(here, path=(*spot.path, step))
    return _walk(rest, here, child_type(kind, step), tree)


def _has(kind: Type, step: str | int) -> bool:
    """Tell whether values of a type have keys or indices like this one."""
    return kind.form in ("map", "any") or (kind.form in ("list", "tuple") and step != str(step))


def _walk_union(location: tuple[str | int, ...], spot: Spot, kind: Type, tree: Node) -> Spot:
    """Return the place inside a union; pydantic labels members if there are two or more."""
    members = [member for member in kind.inner if member.form != "nothing"]
    if len(members) == 1:
        return _walk(location, spot, members[0], tree)
    spot = replace(spot, union=spot.union or (spot.path, location[0]))
    if len(location) == 1:
        return spot
    node = tree.get(spot.path)
    fitting = kind.fitting(node.value) if node is not None else None
    for member in [*([fitting] if fitting else []), *members]:
        with suppress(LookupError):
            return _walk(location[1:], spot, member, tree)
    return spot


def _best(union: KeyPath | None, spots: list[Spot]) -> Iterable[Spot]:
    """Return the errors to tell of one union: what fails deepest in the value was meant."""
    if union is None:
        return spots
    members: dict[str | int, dict[KeyPath, Spot]] = {}
    for spot in spots:
        label = spot.union[1] if spot.union else ""
        members.setdefault(label, {}).setdefault(spot.path, spot)
    own = [spot for spot in spots if spot.error["type"] in OWN_WORDS]
    deepest = max(members.values(), key=lambda found: (max(map(len, found)), -len(found)))
    if max(map(len, deepest)) == len(union) and own:
        return own[:1]
    return deepest.values()
