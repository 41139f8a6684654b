"""Writes docs/reference.md: every option of a config, from the classes that `dlcli list` reads.

Run as `python -m docs.reference` after a change of an option; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dlcli.commands.list import FAMILIES, listing_data
from dlcli.config.write import flow

_HEAD = """\
# Reference: every option

Written by `python -m docs.reference` from the classes that read a config; do not edit.
The same in a terminal: `dlcli list`, `dlcli list FAMILY`, `dlcli list FAMILY NAME`.
"""
_SECTIONS = {"models": "model", "losses": "loss", "optimizers": "optimizer"} | {
    "schedulers": "scheduler"
}


def reference() -> str:
    """Return the page."""
    return "\n".join([_HEAD, *_config(), *_families()])


def _config() -> Iterator[str]:
    for name in ("config", "train"):
        data = listing_data(name)
        title = "Top level" if name == "config" else f"Section `{name}`"
        rows = [row for row in data["options"] if name == "train" or "." not in row["name"]]
        yield f"## {title}\n\n{data['about']}\n\n{_table(rows)}"


def _families() -> Iterator[str]:
    for family in FAMILIES:
        members = listing_data(family)["members"]
        data = [listing_data(family, member["name"]) for member in members]
        shared = _shared(data)
        yield f"## Section `{_SECTIONS.get(family, family)}`\n"
        if shared:
            yield f"All of them take:\n\n{_table(shared)}"
        rich = [member for member in data if len(member["options"]) > len(shared)]
        also = [row for row in _shared(rich) if row not in shared] if len(rich) > 1 else []
        if also:
            others = ", ".join(f"`{member['name']}`" for member in data if member not in rich)
            yield f"All but {others} also take:\n\n{_table(also)}"
        for member in data:
            own = [row for row in member["options"] if row not in [*shared, *also]]
            yield f"### {member['name']}\n\n{member['about']}\n"
            if own:
                yield _table(own)


def _shared(members: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the options that all members of a family have alike."""
    first, *others = (member["options"] for member in members)
    return [row for row in first if all(row in other for other in others)]


def _table(rows: list[dict[str, Any]]) -> str:
    lines = ["| option | default | what it is |", "| --- | --- | --- |"]
    for row in rows:
        default = "required" if row["is_required"] else f"`{flow(row['default'])}`"
        what = f"{row['description']} ({row['type']})".strip()
        lines.append(f"| `{row['name']}` | {default} | {what.replace('|', chr(92) + '|')} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    Path(__file__).with_name("reference.md").write_text(reference(), encoding="utf-8")
