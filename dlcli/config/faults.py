"""Pydantic's errors in plain words, each where it stands; knows no section and no component."""

from __future__ import annotations

import re

from pydantic import ValidationError

from dlcli.config.names import nearest
from dlcli.config.nodes import Node, dotted
from dlcli.config.options import Options, components
from dlcli.config.remedies import found, remedy
from dlcli.config.spots import OWN_WORDS, Spot, spots_of
from dlcli.config.types import ANY, Type, family_label, fields_of, member_of
from dlcli.config.wording import words
from dlcli.errors import Fault, KeyPath

_KEY_IN_TEXT = re.compile(r"`([A-Za-z_][A-Za-z0-9_.]*)")
_MISFIT = re.compile(
    r".*(_type|_parsing|_error|_mismatch|too_short|too_long|number|multiple_of|missing|from_float)"
    r"|greater_than.*|less_than.*|int_.*|finite_.*"
)


def faults_of(
    error: ValidationError, root: Type, tree: Node, *, is_partial: bool = False
) -> list[Fault]:
    """Return one fault for each thing that is wrong, in the order of pydantic's fields.

    Args:
        error: What pydantic says.
        root: The type of the whole config.
        tree: The tree that was checked; values in it that are broken already stay unmentioned.
        is_partial: Much of the tree could not be read: leave out what may stand there.
    """
    spots = [spot for spot in spots_of(error, root, tree) if not _is_told(spot, tree)]
    if is_partial:
        spots = [spot for spot in spots if not _is_about_the_rest(spot, tree)]
    return [_fault(spot, tree, root) for spot in spots]


def _is_about_the_rest(spot: Spot, tree: Node) -> bool:
    """Tell whether an error would go away with keys that stand elsewhere."""
    if spot.kind is None:  # an option of a component whose name may be another one
        name = tree.get((*spot.path[:-1], "name"))
        return _named(spot) and (name is None or name.key is None)
    if spot.error["type"] in OWN_WORDS:
        return tree.nearest(spot.path).is_map
    return spot.error["type"] in ("missing", "union_tag_not_found")


def _is_told(spot: Spot, tree: Node) -> bool:
    """Tell whether a value is broken already."""
    if spot.kind is None:
        return False
    named = spot.error["type"] == "union_tag_invalid"
    return tree.nearest((*spot.path, "name") if named else spot.path).is_broken


def _fault(spot: Spot, tree: Node, root: Type) -> Fault:
    """Return the message of one error."""
    kind = spot.error["type"]
    if spot.kind is None:
        return _unknown_key(spot, tree, root)
    if kind == "union_tag_invalid":
        return _unknown_name(spot, tree)
    if kind == "union_tag_not_found":
        return _missing_name(spot, tree)
    if kind in OWN_WORDS:
        return _own_words(spot, tree)
    if kind == "missing" and spot.kind.form != "tuple":
        return _missing_key(spot, tree)
    if _MISFIT.fullmatch(kind):
        return _misfit(spot, tree)
    message = f"{_subject(spot.path)}{spot.error['msg'].lower()}"
    return tree.nearest(spot.path).mark.fault(message, spot.path)


def _unknown_key(spot: Spot, tree: Node, root: Type) -> Fault:
    """Return the fault of a key that is not accepted, with the one that is meant."""
    assert spot.owner is not None
    path, key = spot.path[:-1], str(spot.path[-1])
    accepted = [name for name in spot.owner.model_fields if name != "name" or not _named(spot)]
    near = nearest(key, accepted)
    suggestion = f"did you mean `{near}`?" if near else _elsewhere(key, path, tree, root)
    where = f" in `{dotted(path)}`" if path else ""
    node = tree.get(spot.path)
    place = (node.key or node.place) if node is not None else tree.nearest(path).mark
    return place.fault(
        f"unknown key `{key}`{where}",
        spot.path,
        suggestion=suggestion,
        note=f"{_title(spot, path)} takes: {', '.join(accepted) or 'no options'}",
    )


def _named(spot: Spot) -> bool:
    """Tell whether the options are a component's, chosen by `name`."""
    assert spot.owner is not None
    field = spot.owner.model_fields.get("name")
    return field is not None and fields_of(spot.owner)["name"].form == "choice"


def _title(spot: Spot, path: KeyPath) -> str:
    """Return what takes the options: a component's name, a section, or the config."""
    assert spot.owner is not None
    if _named(spot):
        return str(fields_of(spot.owner)["name"].choices[0])
    return f"`{dotted(path)}`" if path else "a config"


def _elsewhere(key: str, path: KeyPath, tree: Node, root: Type) -> str:
    """Return where a key belongs that stands in the wrong section, or nothing."""
    places: dict[str, list[str]] = {}
    for section, kind in fields_of(root.options).items() if root.options else ():
        for name in _keys(kind, tree.child(section)):
            places.setdefault(name, []).append(f"{section}.{name}")
        places.setdefault(section, []).append(section)
    near = nearest(key, places)
    options = [place for place in places.get(near or "", []) if place != dotted((*path, key))]
    return f"did you mean `{'` or `'.join(options[:2])}`?" if options else ""


def _keys(kind: Type, node: Node | None) -> list[str]:
    """Return the keys that a section takes, as the component chosen there has it."""
    for member in kind.members:
        if member.form == "section" and member.options is not None:
            return list(member.options.model_fields)
        if member.form == "component" and member.options is not None:
            name = node.child("name") if node is not None else None
            named = member_of(member.options, name.value if name else kind.default_name)
            chosen = (node.own if node is not None else None) or named
            return [key for key in chosen.model_fields if key != "name"] if chosen else []
    return []


def _unknown_name(spot: Spot, tree: Node) -> Fault:
    """Return the fault of a component that does not exist."""
    family = _family(spot)
    accepted = list(components(family))
    path = (*spot.path, "name")
    node = tree.nearest(path)
    label = family_label(family)
    if not isinstance(node.value, str):
        message = f"`{dotted(path)}`: expected the name of a {label}, found {found(node)}"
        return node.mark.fault(message, path, note=f"accepted: {', '.join(accepted)}")
    near = nearest(node.value, accepted)
    return node.mark.fault(
        f"unknown {label} {found(node).removeprefix('text ')}",
        path,
        suggestion=f"did you mean `{near}`?" if near else "",
        note=f"accepted: {', '.join(accepted)}",
    )


def _missing_name(spot: Spot, tree: Node) -> Fault:
    """Return the fault of a component whose options do not say which one it is."""
    family = _family(spot)
    return tree.nearest(spot.path).mark.fault(
        f"missing key `name` in `{dotted(spot.path)}`: which {family_label(family)}",
        (*spot.path, "name"),
        note=f"accepted: {', '.join(components(family))}",
    )


def _family(spot: Spot) -> type[Options]:
    members = spot.kind.members if spot.kind is not None else ()
    family = next(member.options for member in members if member.form == "component")
    assert family is not None
    return family


def _missing_key(spot: Spot, tree: Node) -> Fault:
    """Return the fault of a required key that is not there; it points at what should hold it."""
    path, key = spot.path[:-1], str(spot.path[-1])
    where = f" in `{dotted(path)}`" if path else ""
    assert spot.kind is not None
    return tree.nearest(path).mark.fault(
        f"missing key `{key}`{where}",
        spot.path,
        note=f"{key}: {words(spot.kind)}. {_description(spot)}".rstrip(),
    )


def _own_words(spot: Spot, tree: Node) -> Fault:
    """Return what a class's own check says, at the first key that its message names."""
    message = str(spot.error.get("ctx", {}).get("error") or spot.error["msg"])
    node = tree.nearest(spot.path)
    for name in _KEY_IN_TEXT.findall(message):
        inner = node.get(tuple(name.split(".")))
        if node.is_map and inner is not None:
            place, path = inner.key or inner.place, (*spot.path, *name.split("."))
            return place.fault(f"{_subject(spot.path)}{message}", path)
    return node.mark.fault(f"{_subject(spot.path)}{message}", spot.path)


def _misfit(spot: Spot, tree: Node) -> Fault:
    """Return the fault of a value that is not what its option accepts."""
    kind = spot.kind or ANY
    node = tree.nearest(spot.path)
    if any(member.form == "component" for member in kind.members):
        note = f"accepted: {', '.join(components(_family(spot)))}"
    else:
        note = _description(spot)
    return node.mark.fault(
        f"{_subject(spot.path)}expected {words(kind)}, found {found(node)}",
        spot.path,
        suggestion=remedy(node, kind),
        note=note,
    )


def _description(spot: Spot) -> str:
    """Return the description of the option at or above a place."""
    if spot.owner is None:
        return ""
    for step in reversed(spot.path):
        if step in spot.owner.model_fields:
            return spot.owner.model_fields[str(step)].description or ""
    return ""


def _subject(path: KeyPath) -> str:
    return f"`{dotted(path)}`: " if path else ""
