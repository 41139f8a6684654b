"""The safe YAML dialect: text to nodes that know their place; knows no options class.

Smaller than YAML 1.1 where that bites: `1e-3` is a number, `no` and `on` are words, `010`,
`12:30:45` and dates are text, keys are always text. Duplicate keys, tags, merge keys, infinities
and alias bombs are faults. The parser hands over one event at a time, so nothing recurses deeper
than `MAX_DEPTH`, whatever the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from math import isinf
from typing import Any, NoReturn

import yaml

from dlcli.config.nodes import Node, Origin, Place, Scalar, dotted
from dlcli.config.syntax import forbidden_character, lines_of, syntax_fault
from dlcli.errors import ConfigError, Fault, KeyPath

MAX_DEPTH = 40
MAX_DIGITS = 100
MAX_ALIASED = 10_000
"""Nodes that aliases may add to a document."""

_LOADER: Any = getattr(yaml, "CLoader", yaml.Loader)  # events only: nothing is constructed
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS: dict[str, Scalar] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True,
    "false": False, "False": False, "FALSE": False,
}  # fmt: skip


def parse(text: str, origin: Origin) -> tuple[Node, list[Fault]]:
    """Read one document.

    Args:
        text: The document.
        origin: Where it is from; its lines are filled in.

    Returns:
        The tree, and the faults that leave a tree to check further (duplicate keys, tags, numbers
        that are not finite); each carries its path.

    Raises:
        ConfigError: The text has no structure: a syntax fault, told alone.
    """
    if (fault := forbidden_character(text, origin)) is not None:
        raise ConfigError([fault])
    origin = replace(origin, lines=lines_of(text))
    composer = _Composer(origin)
    try:
        return composer.document(yaml.parse(text, Loader=_LOADER)), composer.faults
    except yaml.MarkedYAMLError as error:
        raise ConfigError([syntax_fault(error, origin)]) from None


def scalar_of(text: str) -> Scalar:
    """Read one plain scalar: a number, `true`, `false`, nothing, or else text.

    Raises:
        ValueError: A number that is not finite or has too many digits; the message says which.
    """
    if text in _WORDS:
        return _WORDS[text]
    if _NOT_FINITE.fullmatch(text):
        raise ValueError(f"`{text}` is not a finite number")
    if not _FLOAT.fullmatch(text):
        return text
    if len(text) > MAX_DIGITS:
        raise ValueError(f"a number of {len(text)} characters; at most {MAX_DIGITS} are accepted")
    if _INTEGER.fullmatch(text):
        return int(text)
    if isinf(number := float(text)):
        raise ValueError(f"`{text}` is too large for a number")
    return number


@dataclass
class _Composer:
    """Builds nodes from parser events; collects the faults that do not end the reading."""

    origin: Origin
    faults: list[Fault] = field(default_factory=list)
    anchors: dict[str, Node | None] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    size: int = 0
    aliased: int = 0

    def document(self, events: Iterator[Any]) -> Node:
        """Read the only document of a stream."""
        root: Node | None = None
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    self._fail(event, "a config is one document, and here begins a second one")
            elif isinstance(event, yaml.NodeEvent):
                root = self._node(event, events, ())
        if root is None:
            raise ConfigError(
                [Place(self.origin).fault("holds no value, nothing but comments or blanks")]
            )
        return root

    def _node(self, event: Any, events: Iterator[Any], path: KeyPath) -> Node:
        """Read the value that begins with an event."""
        if len(path) > MAX_DEPTH:
            self._fail(event, f"nested deeper than {MAX_DEPTH} levels")
        self.size += 1
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        before, anchor = self.size, event.anchor
        if anchor is not None:
            self.anchors[anchor] = None
        node = self._value(event, events, path)
        if event.tag is not None:
            self._report(event, path, f"tags such as `{event.tag}` are not accepted")
            node = replace(node, is_broken=True)
        if anchor is not None:
            self.anchors[anchor], self.sizes[anchor] = node, self.size - before + 1
        return node

    def _value(self, event: Any, events: Iterator[Any], path: KeyPath) -> Node:
        """Read a scalar, list or map."""
        place = self._place(event)
        if isinstance(event, yaml.SequenceStartEvent):
            return Node(self._items(events, path), place)
        if isinstance(event, yaml.MappingStartEvent):
            return Node(self._pairs(events, path), place)
        known = len(self.faults)
        text = self._text(event, path)
        if event.style:
            return Node(text, place, is_broken=len(self.faults) > known)
        try:
            return Node(scalar_of(text), place)
        except ValueError as error:
            self._report(event, path, str(error))
            return Node(text, place, is_broken=True)

    def _items(self, events: Iterator[Any], path: KeyPath) -> list[Node]:
        """Read a list to its end."""
        items: list[Node] = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            items.append(self._node(event, events, (*path, len(items))))
        return items

    def _pairs(self, events: Iterator[Any], path: KeyPath) -> dict[str, Node]:
        """Read a map to its end; of a duplicate key the first one counts."""
        pairs: dict[str, Node] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                self._fail(event, "a key must be text")
            key, place = self._text(event, path), self._place(event)
            if key in pairs:
                self._duplicate(key, place, pairs[key], path)
            if key == "<<" and not event.style:
                self._fail(event, "merge keys are not accepted; `extends: FILE` takes over values")
            node = replace(self._node(next(events), events, (*path, key)), key=place)
            pairs.setdefault(key, node)
        return pairs

    def _duplicate(self, key: str, place: Place, first: Node, path: KeyPath) -> None:
        """Report a key that stands twice, with both places."""
        line = (first.key or first.place).line
        where = f" in `{dotted(path)}`" if path else ""
        self.faults.append(
            place.fault(
                f"duplicate key `{key}`{where}",
                (*path, key),
                suggestion=f"it stands in line {line} already",
            )
        )

    def _alias(self, event: Any) -> Node:
        """Return the node that an alias repeats."""
        node = self.anchors.get(event.anchor)
        if node is None:
            self._fail(event, f"`*{event.anchor}` repeats nothing that is complete before it")
        added = self.sizes[event.anchor]
        self.size += added
        self.aliased += added
        if self.aliased > MAX_ALIASED:
            self._fail(event, f"aliases repeat more than {MAX_ALIASED:,} values")
        return replace(node, place=self._place(event))

    def _text(self, event: Any, path: KeyPath) -> str:
        """Return a scalar's text; quoted text can hold what no file name or table can."""
        text: str = event.value
        if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
            self._report(event, path, "text with NUL or half a surrogate pair is not accepted")
        return text

    def _place(self, event: Any) -> Place:
        """Return where an event begins; it reaches at most to the end of its line."""
        start, end = event.start_mark, event.end_mark
        line = self.origin.lines[start.line] if start.line < len(self.origin.lines) else ""
        stop = end.column if end.line == start.line else len(line)
        return Place(self.origin, start.line + 1, start.column + 1, max(stop - start.column, 1))

    def _report(self, event: Any, path: KeyPath, message: str) -> None:
        self.faults.append(self._place(event).fault(message, path))

    def _fail(self, event: Any, message: str) -> NoReturn:
        raise ConfigError([self._place(event).fault(message)])
