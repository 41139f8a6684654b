"""Plain data to YAML in the dialect that `yaml.py` reads; knows no options class."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from dlcli.config.yaml import scalar_of
from dlcli.errors import KeyPath

WIDTH = 100

_PLAIN = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./+ -]*(?<! )")
_UNPRINTABLE = re.compile(r"[\0-\x1f\x7f-\x9f\u2028-\u202f\ud800-\udfff\ufeff\ufffe\uffff]")


def written(data: Mapping[str, Any]) -> str:
    """Return sections as block YAML; lists of plain values stay on one line if they fit."""
    return "".join(f"{line}\n" for line, _ in lines(data))


def lines(data: Mapping[str, Any]) -> Iterator[tuple[str, KeyPath]]:
    """Yield each line with the path of the value that ends it; of a section, its own path."""
    return _pairs(data, "", ())


def _pairs(data: Mapping[str, Any], indent: str, path: KeyPath) -> Iterator[tuple[str, KeyPath]]:
    """Yield the lines of a map."""
    for key, value in data.items():
        head, place = f"{indent}{scalar(str(key))}:", (*path, key)
        if isinstance(value, Mapping) and value:
            yield head, place
            yield from _pairs(value, indent + "  ", place)
        elif isinstance(value, list | tuple) and not _fits(value, len(head)):
            yield head, place
            yield from _items(value, indent + "  ", place)
        else:
            yield f"{head} {flow(value)}", place


def _items(
    values: list[Any] | tuple[Any, ...], indent: str, path: KeyPath
) -> Iterator[tuple[str, KeyPath]]:
    """Yield the lines of a list, one or more per item."""
    for index, value in enumerate(values):
        place = (*path, index)
        if isinstance(value, Mapping) and value:
            for number, (line, inner) in enumerate(_pairs(value, indent + "  ", place)):
                mark = indent + "- " if number == 0 else ""
                yield mark + line.removeprefix(indent + "  " if mark else ""), inner
        else:
            yield f"{indent}- {flow(value)}", place


def _fits(values: list[Any] | tuple[Any, ...], used: int) -> bool:
    """Tell whether a list is written on one line: it holds no map, and is short enough."""
    if any(isinstance(value, Mapping) for value in values):
        return False
    return not values or used + 1 + len(flow(values)) <= WIDTH


def flow(value: Any) -> str:
    """Return a value on one line."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{scalar(str(k))}: {flow(v)}' for k, v in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(flow(item) for item in value)}]"
    return scalar(value)


def scalar(value: Any) -> str:
    """Return a scalar so that it reads back as itself; text is quoted only where it must be."""
    if isinstance(value, str):
        return value if _PLAIN.fullmatch(value) and _is_text(value) else _quoted(value)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return repr(value)


def _is_text(value: str) -> bool:
    """Tell whether a plain scalar is read as text."""
    try:
        return isinstance(scalar_of(value), str)
    except ValueError:
        return False


def _quoted(text: str) -> str:
    """Return a text in double quotes, with every character escaped that YAML would not keep."""
    return _UNPRINTABLE.sub(
        lambda match: f"\\u{ord(match[0]):04x}", json.dumps(text, ensure_ascii=False)
    )
