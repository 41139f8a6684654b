"""`dlcli list [FAMILY [NAME]]`: what a config can name, told from the options classes alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic.fields import FieldInfo

from dlcli.commands.columns import aligned
from dlcli.config.config import Config
from dlcli.config.data import DataOptions
from dlcli.config.loss import LossOptions
from dlcli.config.metric import MetricOptions
from dlcli.config.model import ModelOptions
from dlcli.config.names import nearest
from dlcli.config.optimizer import OptimizerOptions
from dlcli.config.options import Options, components
from dlcli.config.own import own_base
from dlcli.config.scheduler import SchedulerOptions
from dlcli.config.train import TrainOptions
from dlcli.config.types import Type, fields_of
from dlcli.config.wording import words
from dlcli.config.write import flow
from dlcli.errors import UsageError

FAMILIES: dict[str, type[Options]] = {
    "data": DataOptions,
    "models": ModelOptions,
    "losses": LossOptions,
    "optimizers": OptimizerOptions,
    "schedulers": SchedulerOptions,
    "metrics": MetricOptions,
}
_SECTIONS: dict[str, type[Options]] = {"config": Config, "train": TrainOptions}
_SINGULAR = {"model": "models", "loss": "losses", "metric": "metrics"} | {
    name: name + "s" for name in ("optimizer", "scheduler")
}
WIDTH = 110


def listing(family: str | None = None, name: str | None = None) -> str:
    """Return families with their members, the members of one, or the options of one member.

    Args:
        family: `models`, `losses`, ...; `train` and `config` list the options of these sections.
        name: A member, such as `mlp`.

    Raises:
        UsageError: There is no such family or member; the message names the nearest one.
    """
    data = listing_data(family, name)
    if "options" in data:
        return _options_text(data)
    if "members" in data:
        rows = [[row["name"], row["about"]] for row in data["members"]]
        return aligned(["", ""], [*rows, ["FILE.py:NAME", _own_about(data["family"])]])
    blocks = (
        f"{group['family']}\n"
        + aligned(["", "", ""], [["", row["name"], row["about"]] for row in group["members"]])
        for group in data["families"]
    )
    return "\n".join(blocks)


def listing_data(family: str | None = None, name: str | None = None) -> dict[str, Any]:
    """Return what `listing` shows as plain data.

    `{families: [{family, members}]}`, `{family, members: [{name, about}]}`, or
    `{name, about, options: [{name, type, default, is_required, bounds, description}]}`.
    """
    if family is None:
        return {"families": [listing_data(name) for name in FAMILIES]}
    family = _SINGULAR.get(family, family)
    if family in _SECTIONS and name is None:
        return _member_data(family, _SECTIONS[family])
    members = components(FAMILIES[_known(family, [*FAMILIES, *_SECTIONS], "family")])
    if name is None:
        rows = [{"name": key, "about": _about(member)} for key, member in members.items()]
        return {"family": family, "members": rows}
    return _member_data(name, members[_known(name, list(members), f"member of {family}")])


def _known(name: str, accepted: list[str], what: str) -> str:
    """Return a name that is accepted.

    Raises:
        UsageError: It is not.
    """
    if name in accepted and name not in _SECTIONS:
        return name
    near = nearest(name, accepted)
    raise UsageError(
        f"no {what} `{name}`; there are: {', '.join(accepted)}",
        suggestion=f"did you mean `{near}`?" if near and near != name else "",
    )


def _about(options: type[Options]) -> str:
    """Return the first line of a class's docstring."""
    return (options.__doc__ or "").strip().partition("\n")[0]


def _own_about(family: str) -> str:
    """Return what own code of a family is."""
    base = own_base(FAMILIES[family])
    assert base is not None
    return f"{_about(base).removesuffix('.')}; runs under --trust-code (docs/own-code.md)."


def _member_data(name: str, options: type[Options]) -> dict[str, Any]:
    rows = [_option_data(*option) for option in _options(options, "")]
    return {"name": name, "about": _about(options), "options": rows}


def _options(options: type[Options], prefix: str) -> Iterator[tuple[str, Type, FieldInfo]]:
    """Yield every option, those of sections inside by dotted name."""
    for name, kind in fields_of(options).items():
        if kind.form == "choice" and name == "name":
            continue
        sections = [m.options for m in kind.members if m.form == "section" and m.options]
        if not sections or kind.is_nullable:
            yield prefix + name, kind, options.model_fields[name]
        for section in sections:
            yield from _options(section, f"{prefix}{name}.")


def _option_data(name: str, kind: Type, field: FieldInfo) -> dict[str, Any]:
    default = None if field.is_required() else field.get_default(call_default_factory=True)
    if isinstance(default, Options):
        default = getattr(default, "name", None)
    return {
        "name": name,
        "type": words(kind),
        "default": list(default) if isinstance(default, tuple) else default,
        "is_required": field.is_required(),
        "bounds": {key: value for member in kind.members for key, value in member.bounds},
        "description": field.description or "",
    }


def _options_text(data: dict[str, Any]) -> str:
    """Return a member's options as a table."""
    rows = [
        [
            row["name"],
            "required" if row["is_required"] else flow(row["default"]),
            f"{row['description']} ({row['type']})".strip(),
        ]
        for row in data["options"]
    ]
    head = f"{data['name']}: {data['about']}\n"
    if not rows:
        return head + "\nno options\n"
    return f"{head}\n{aligned(['option', 'default', 'what it is'], rows, width=WIDTH)}"
