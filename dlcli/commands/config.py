"""`dlcli config show | schema | diff`: returns text; reads configs, knows no data and no model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dlcli.commands.columns import aligned
from dlcli.config.config import Config
from dlcli.config.nodes import dotted
from dlcli.config.read import ReadConfig, read_config
from dlcli.config.resolve import flat
from dlcli.config.schema import schema_of
from dlcli.config.write import flow, lines

_WIDEST = 48
"""Columns up to which comments are aligned; behind a longer line a comment just follows."""


def show(path: Path, overrides: Sequence[str] = ()) -> str:
    """Return a config with every value filled in, and where each came from as a comment.

    Raises:
        ConfigError: The config is wrong.
        UsageError: There is no such file.
    """
    read = read_config(path, overrides)
    origins = read.origins()
    rows = [
        (line, " ".join(origins.get(dotted(place), "").split()))
        for line, place in lines(read.resolved())
    ]
    width = max((len(line) for line, _ in rows if len(line) <= _WIDEST), default=0)
    return "".join(f"{line:{width}}  # {came}\n" if came else f"{line}\n" for line, came in rows)


def show_data(path: Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Return what `show` shows as plain data: `config`, and `origins` by dotted key."""
    read = read_config(path, overrides)
    return {"config": read.resolved(), "origins": read.origins()}


def schema() -> str:
    """Return the JSON schema of a config, for editors."""
    return json.dumps(schema_of(Config), indent=2) + "\n"


def diff(left: Path, right: Path) -> str:
    """Return the options in which two configs differ, side by side; empty if in none.

    Raises:
        ConfigError: One of the configs is wrong.
        UsageError: There is no such file.
    """
    rows = [
        [row["key"], *(flow(row[side]) if side in row else "-" for side in ("left", "right"))]
        for row in diff_data(left, right)
    ]
    return aligned(["", str(left), str(right)], rows) if rows else ""


def diff_data(left: Path, right: Path) -> list[dict[str, Any]]:
    """Return `key`, `left` and `right` of each option that differs; one of them may be absent."""
    sides = {"left": _values(read_config(left)), "right": _values(read_config(right))}
    rows = []
    for key in dict.fromkeys(key for values in sides.values() for key in values):
        row = {side: values[key] for side, values in sides.items() if key in values}
        if len(row) < len(sides) or row["left"] != row["right"]:
            rows.append({"key": key, **row})
    return rows


def _values(read: ReadConfig) -> dict[str, Any]:
    """Return every option by dotted key; a name that is only the file's own says nothing."""
    values = {dotted(path): value for path, value in flat(read.resolved())}
    if read.origins()["name"] == "default":
        del values["name"]
    return values
