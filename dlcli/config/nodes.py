"""A config as a tree of values that know where they stand; knows no YAML and no options class."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dlcli.errors import Fault, KeyPath

Scalar = str | int | float | bool | None


@dataclass(frozen=True)
class Origin:
    """A text that holds config values.

    Attributes:
        label: How a message names it: a file, or `command line: KEY=VALUE`.
        folder: What relative paths inside it are relative to.
        lines: Its lines; empty for an override, which a message shows whole.
    """

    label: str
    folder: Path = Path()
    lines: tuple[str, ...] = field(default=(), repr=False)

    @property
    def is_override(self) -> bool:
        """Whether this is the command line."""
        return self.label.startswith("command line")


@dataclass(frozen=True)
class Place:
    """Where something stands: line and column 1-based, 0 where unknown; length in characters."""

    origin: Origin
    line: int = 0
    column: int = 0
    length: int = 1

    def fault(
        self, message: str, path: KeyPath = (), *, suggestion: str = "", note: str = ""
    ) -> Fault:
        """Return a fault that stands here."""
        return self.mark(Fault(message, path, suggestion, note))

    def mark(self, fault: Fault) -> Fault:
        """Return a fault with this place filled in."""
        lines = self.origin.lines
        return replace(
            fault,
            file=self.origin.label,
            line=self.line,
            column=self.column,
            source=lines[self.line - 1] if 0 < self.line <= len(lines) else "",
            length=self.length,
        )

    def __str__(self) -> str:
        return f"{self.origin.label}:{self.line}" if self.line else self.origin.label


@dataclass(frozen=True)
class Reference:
    """A text with `${env:NAME}` in it: as written, and with the variables' texts in their place."""

    written: str
    text: str


@dataclass(frozen=True)
class Node:
    """One value of a config.

    Attributes:
        value: A scalar, a list of nodes or nodes by key.
        place: Where the value stands.
        key: Where the key that names it stands.
        reference: The text as written, if it names an environment variable.
        component: If the value is a component's options: its name where it gives none.
        own: If the component is own code: the class that was made from its text.
        is_broken: Whether a fault is told already, and what is read into the value may be wrong.
    """

    value: Any
    place: Place
    key: Place | None = None
    reference: Reference | None = None
    component: str | None = None
    own: type[Any] | None = None
    is_broken: bool = False

    @property
    def is_map(self) -> bool:
        """Whether the value is keys and values."""
        return isinstance(self.value, dict)

    @property
    def mark(self) -> Place:
        """The place to show for a fault of the value: the value itself, or the key of a block."""
        if isinstance(self.value, dict | list) and self.key is not None:
            return self.key
        return self.place

    def children(self) -> Iterator[tuple[str | int, Node]]:
        """Yield the nodes under this one with their keys or indices."""
        if isinstance(self.value, dict):
            yield from self.value.items()
        elif isinstance(self.value, list):
            yield from enumerate(self.value)

    def get(self, path: KeyPath) -> Node | None:
        """Return the node at a path under this one, or None."""
        node: Node | None = self
        for step in path:
            node = node.child(step) if node is not None else None
        return node

    def child(self, step: str | int) -> Node | None:
        """Return the node at one key or index, or None."""
        found: Node | None
        if isinstance(self.value, dict):
            found = self.value.get(step)
            return found
        if isinstance(self.value, list) and isinstance(step, int) and step < len(self.value):
            found = self.value[step]
            return found
        return None

    def nearest(self, path: KeyPath) -> Node:
        """Return the node at a path, or the deepest one above it that exists."""
        while (node := self.get(path)) is None:
            path = path[:-1]
        return node

    def plain(self) -> Any:
        """Return the tree as dicts, lists and scalars."""
        return self.map(lambda node: node.value)

    def written(self) -> Any:
        """Return the tree as dicts, lists and scalars, with references as they were written."""
        return self.map(_as_written)

    def map(self, scalar: Callable[[Node], Any]) -> Any:
        """Return the tree as dicts and lists, each scalar node through a function."""
        if isinstance(self.value, dict):
            return {key: child.map(scalar) for key, child in self.value.items()}
        if isinstance(self.value, list):
            return [child.map(scalar) for child in self.value]
        return scalar(self)

    def leaves(self, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Node]]:
        """Yield every scalar node, and every empty list or map, with its path."""
        children = list(self.children())
        if not children:
            yield path, self
        for key, child in children:
            yield from child.leaves((*path, key))


def _as_written(node: Node) -> Any:
    return node.value if node.reference is None else node.reference.written


def node_from(data: Any, place: Place) -> Node:
    """Return plain data as a tree whose nodes all stand at one place."""
    if isinstance(data, Mapping):
        value: Any = {str(key): node_from(child, place) for key, child in data.items()}
    elif isinstance(data, list | tuple):
        value = [node_from(child, place) for child in data]
    else:
        value = data
    return Node(value, place, key=place)


def own_members(node: Node) -> list[type[Any]]:
    """Return the classes that were made from own code anywhere in a tree."""
    found = [node.own] if node.own is not None else []
    return found + [one for _, kid in node.children() for one in own_members(kid)]


def dotted(path: KeyPath) -> str:
    """Return a path as it is written on the command line: `metrics.0.name`."""
    return ".".join(str(step) for step in path)
