"""From files, overrides and variables to one checked tree; knows no section and no component."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dlcli.config.environment import expand
from dlcli.config.faults import faults_of
from dlcli.config.merge import (
    merged,
    normalised,
    overridden,
    relocated,
    with_code_relocated,
    with_names,
)
from dlcli.config.names import nearest_file
from dlcli.config.nodes import Node, Origin, Place, own_members
from dlcli.config.options import Options
from dlcli.config.syntax import forbidden_character, lines_of
from dlcli.config.types import Type
from dlcli.config.yaml import parse
from dlcli.errors import ConfigError, Fault, KeyPath, MachineError, UsageError

MAX_BYTES = 16 * 2**20
MAX_BASES = 20

Override = tuple[KeyPath, Node, list[Fault]]
"""Where to put a value, the value, and what is wrong with it already."""

Attach = Callable[[Node], tuple[Node, list[Fault]]]
"""Gives components that are own code their classes; returns what is wrong with the others."""


@dataclass(frozen=True)
class Layers:
    """A config before it is checked.

    Attributes:
        root: The merged tree.
        faults: What is wrong with it already.
        text: The file as given, without what it extends.
        is_partial: Whether it extends what could not be read, so that much may be missing.
    """

    root: Node
    faults: tuple[Fault, ...]
    text: str
    is_partial: bool = False


def load(
    path: Path,
    overrides: Sequence[str],
    kind: Type,
    environment: Mapping[str, str],
    attach: Attach | None = None,
) -> Layers:
    """Read a file, what it extends, and overrides over both.

    Args:
        path: The file.
        overrides: `KEY=VALUE` texts.
        kind: The type of the whole config.
        environment: Variables by name.
        attach: Finds own code; none is accepted unless given.

    Raises:
        UsageError: There is no such file, or an override is no `KEY=VALUE`.
        ConfigError: A text is no YAML, or is not keys and values at the top.
        MachineError: The file cannot be read.
    """
    given = [read_override(text, environment) for text in overrides]
    layers = _layers(path, _text_of_named(path), kind, environment, ())
    root, faults = with_overrides(layers.root, given, kind)
    root = with_code_relocated(with_names(root, kind), kind, path.parent)
    root, misnamed = attach(root) if attach is not None else (root, [])
    root = relocated(root, kind, path.parent)
    return replace(layers, root=root, faults=(*layers.faults, *faults, *misnamed))


def with_overrides(
    root: Node, overrides: Sequence[Override], kind: Type
) -> tuple[Node, list[Fault]]:
    """Return a tree with overrides over it, and what is wrong with them."""
    faults: list[Fault] = []
    for path, value, found in overrides:
        faults += found
        try:
            root = overridden(root, path, value, kind)
        except ConfigError as error:
            faults += error.faults
    return root, faults


def checked(options: type[Options], layers: Layers) -> Options:
    """Return the validated options.

    Raises:
        ConfigError: Everything that is wrong, in the order of the file.
    """
    faults = list(layers.faults)
    kind = Type("section", options=options)
    try:
        config = options.model_validate(layers.root.plain(), context=own_members(layers.root))
    except ValidationError as error:
        faults += faults_of(error, kind, layers.root, is_partial=layers.is_partial)
    if faults:
        raise ConfigError(sorted(faults, key=_order))
    return config


def _order(fault: Fault) -> tuple[bool, str, int, int]:
    """Files before the command line, then by line and column."""
    is_override = fault.file.startswith("command line")
    return is_override, "" if is_override else fault.file, fault.line, fault.column


def _text_of_named(path: Path) -> str:
    """Return the text of the file that the command line names."""
    try:
        return _text(path)
    except FileNotFoundError:
        near = _near(path)
        suggestion = f"did you mean `{path.with_name(near)}`?" if near else ""
        raise UsageError(f"no such config file: {path}", suggestion=suggestion) from None
    except (IsADirectoryError, NotADirectoryError):
        raise UsageError(f"{path} is a folder, not a config file") from None
    except _NotAFileError as error:
        raise UsageError(f"{path} is {error.strerror}") from None
    except OSError as error:
        raise MachineError(f"cannot read {path}: {error.strerror}") from None


def _near(path: Path) -> str | None:
    """Return the name of the config beside a file that is not there which was probably meant."""
    return nearest_file(path.name, (file.name for file in path.parent.glob("*.y*ml")))


class _NotAFileError(OSError):
    """A pipe or a device, which might never end."""

    def __init__(self) -> None:
        super().__init__(errno.EINVAL, "a pipe or a device, not a config file")


def _text(path: Path) -> str:
    """Return a file's text.

    Raises:
        ConfigError: It is no UTF-8 text, or too large for a config.
        OSError: It cannot be read.
    """
    mode = path.stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise _NotAFileError
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        message = f"larger than {MAX_BYTES >> 20} MB, so this is no config"
        raise ConfigError([Place(Origin(str(path))).fault(message)])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError([_not_utf8(path, data, error)]) from None


def _not_utf8(path: Path, data: bytes, error: UnicodeDecodeError) -> Fault:
    """Return the fault of the first byte that is not UTF-8."""
    before = lines_of(data[: error.start].decode("utf-8-sig", "replace"))
    lines = lines_of(data.decode("utf-8-sig", "replace"))
    place = Place(Origin(str(path), lines=lines), len(before), len(before[-1]) + 1)
    return place.fault(
        f"byte 0x{data[error.start]:02X} is not UTF-8", suggestion="save the file as UTF-8"
    )


def _layers(
    path: Path, text: str, kind: Type, environment: Mapping[str, str], above: tuple[Path, ...]
) -> Layers:
    """Return a file over what it extends."""
    tree, broken = parse(text, Origin(str(path), path.parent))
    if not tree.is_map:
        raise ConfigError([_no_map(tree)])
    tree, unset = expand(tree, environment)
    extends = tree.value.pop("extends", None)
    layer = normalised(tree, kind)
    faults = [*broken, *unset]
    if extends is None or extends.value is None or extends.is_broken:
        is_partial = extends is not None and extends.is_broken
        return Layers(layer, tuple(faults), text, is_partial)
    try:
        base = _base(extends, kind, environment, (*above, path))
    except ConfigError as error:
        if any(fault.path != ("extends",) for fault in error.faults):
            raise
        return Layers(layer, (*faults, *error.faults), text, is_partial=True)
    return Layers(merged(base.root, layer), (*base.faults, *faults), text, base.is_partial)


def _no_map(tree: Node) -> Fault:
    found = "a list" if isinstance(tree.value, list) else "a single value"
    return tree.place.fault(
        f"expected sections such as `data:` and `model:`, found {found}",
        suggestion="a key is followed by a colon and a space",
    )


def _base(
    extends: Node, kind: Type, environment: Mapping[str, str], above: tuple[Path, ...]
) -> Layers:
    """Return the config that another one extends.

    Raises:
        ConfigError: A fault of the key `extends`, or of the text of the base.
    """
    path: KeyPath = ("extends",)
    if not isinstance(extends.value, str):
        raise ConfigError([extends.mark.fault("`extends`: expected the path of a config", path)])
    base = above[-1].parent / extends.value
    if any(_same(base, file) for file in above):
        chain = " extends ".join(str(file) for file in (*above, base))
        raise ConfigError([extends.mark.fault(f"`extends` goes round in a circle: {chain}", path)])
    if len(above) > MAX_BASES:
        message = f"`extends` goes through more than {MAX_BASES} files"
        raise ConfigError([extends.mark.fault(message, path)])
    try:
        text = _text(base)
    except OSError as error:
        near = _near(base)
        fault = extends.mark.fault(
            f"`extends`: cannot read {base}: {error.strerror}",
            path,
            suggestion=f"did you mean `{Path(extends.value).with_name(near)}`?" if near else "",
        )
        raise ConfigError([fault]) from None
    except ConfigError as error:
        raise ConfigError([_no_base(extends, error.faults[0])]) from None
    if (forbidden := forbidden_character(text, Origin(str(base)))) is not None:
        raise ConfigError([_no_base(extends, forbidden)])
    return _layers(base, text, kind, environment, above)


def _no_base(extends: Node, fault: Fault) -> Fault:
    """Return the fault of a base that is no text, at the key that names it."""
    place = f"{fault.file}:{fault.line}:{fault.column}" if fault.line else fault.file
    message = f"`extends`: {place}: {fault.message}"
    return extends.mark.fault(message, ("extends",), suggestion=fault.suggestion)


def _same(a: Path, b: Path) -> bool:
    return os.path.realpath(a) == os.path.realpath(b)


def read_override(text: str, environment: Mapping[str, str]) -> Override:
    """Read one `KEY=VALUE`.

    Raises:
        UsageError: It is no such text, or the value is no YAML.
    """
    key, equals, value = text.partition("=")
    steps = key.strip().split(".")
    if not equals or not all(steps):
        raise UsageError(
            f"`{text}` is no KEY=VALUE", suggestion="overrides look like optimizer.lr=1e-2"
        )
    path: KeyPath = tuple(int(step) if step.isdecimal() else step for step in steps)
    place = Place(Origin(f"command line: {text}"))
    tree, broken = Node(None, place, place), list[Fault]()
    if value.strip():
        try:
            tree, broken = parse(value, place.origin)
        except ConfigError as error:
            fault = replace(error.faults[0], path=path)
            raise UsageError([_unplaced(fault)]) from None
    tree, unset = expand(_moved(tree, place), environment, path)
    broken = [_unplaced(replace(fault, path=(*path, *fault.path))) for fault in broken]
    return path, tree, [*broken, *unset]


def _unplaced(fault: Fault) -> Fault:
    """Return a fault without line and column, which mean nothing on the command line."""
    return replace(fault, line=0, column=0, source="", length=1)


def _moved(node: Node, place: Place) -> Node:
    """Return a tree that stands at one place altogether."""
    value: Any = node.value
    if isinstance(value, dict):
        value = {key: _moved(child, place) for key, child in value.items()}
    elif isinstance(value, list):
        value = [_moved(child, place) for child in value]
    return replace(node, value=value, place=place, key=place)
