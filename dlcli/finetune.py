"""Weights that a training begins with, out of another checkpoint; knows no trainer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dlcli import checkpoint
from dlcli.build import Learner
from dlcli.data.preprocessor import Preprocessor
from dlcli.description import weights_of
from dlcli.errors import ConfigError
from dlcli.files import relative
from dlcli.models.readers import readers
from dlcli.models.stems import IdsStem
from dlcli.selftest import generated_inputs

_INIT = ("train", "init_from")
_SHOWN = 4
_MEANINGS = ("categories", "vocabulary", "classes")
"""What of an encoder's state says what each row of a weight stands for."""


def init_from(learner: Learner, path: Path) -> list[str]:
    """Give a learner the weights of a checkpoint, wherever name and shape fit.

    Weights that stand for words, categories or classes are taken only where these are the same,
    those of layers that read the inputs only where these are the same columns in the same order.
    The buffers of batch norm come along; how inputs are scaled stays as the training part says.

    Returns:
        What was loaded and what is new, for the user.

    Raises:
        CheckpointError: There is no such checkpoint, or it is damaged.
        ConfigError: Nothing in it fits; or the inputs are others, and which layers read them
            cannot be told.
    """
    loaded = checkpoint.load(path)
    network = learner.network
    own = {name: network.state_dict()[name] for name in _learned(network)}
    other = _other_meanings(learner.preprocessor.state(), loaded.data["preprocessor"])
    given = Preprocessor.from_state(loaded.data["preprocessor"])
    difference = _difference(_columns(given, network), _columns(learner.preprocessor, network))
    reading = _reading(learner, difference) if difference else set()
    other |= {"stem"} if difference else set()
    found = {
        name: value
        for name, value in weights_of(loaded).items()
        if name in own
        and own[name].shape == value.shape
        and not _is_part(name, other)
        and name.rpartition(".")[0] not in reading
    }
    if not found:
        besides = f"; {difference}" if difference else ""
        raise ConfigError(
            f"none of the {len(own)} weights here is in `{relative(path)}` with the same name, "
            f"shape and meaning{besides}",
            path=_INIT,
            suggestion="`dlcli summary` lists the layers; take a checkpoint of the same `model`",
        )
    with torch.no_grad():
        for name, value in found.items():
            own[name].copy_(value)
    new = [name for name in own if name not in found]
    said = f"init_from: {len(found)} of {len(own)} weights are those of {relative(path)}"
    told = f"init_from: {difference}: the layers that read them are new"
    return [f"{said}; new: {_listed(new)}" if new else said, *([told] if difference else [])]


def _learned(network: nn.Module) -> list[str]:
    """Return the names of parameters, and of batch norm's buffers: what training changes."""
    names = [name for name, _ in network.named_parameters()]
    for prefix, module in network.named_modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            names += [f"{prefix}.{name}" for name, _ in module.named_buffers(recurse=False)]
    return names


def _other_meanings(own: Mapping[str, Any], given: Mapping[str, Any]) -> set[str]:
    """Return the parts of a network whose weights stand for other words or classes there."""
    sides = {"inputs": "stem", "targets": "head"}
    return {
        part
        for side, part in sides.items()
        if list(_meanings(own[side])) != list(_meanings(given[side]))
    }


def _columns(preprocessor: Preprocessor, network: nn.Module) -> dict[str, tuple[Any, ...]]:
    """Return the columns that a network reads, in their order: by name, what their values mean.

    Categories are told where the stem has no weights for them, which would be left out by
    themselves; of texts, pictures and sounds the size of a row may be another.
    """
    spec = preprocessor.spec
    if spec.window is not None and spec.window.per_channel:
        spec = spec.one_channel()
    fields = [field for block in spec.blocks.values() for field in block]
    has_ids = any(isinstance(module, IdsStem) for module in network.modules())
    columns: dict[str, tuple[Any, ...]] = {}
    for field in fields:
        width = field.shape if field.kind == "number" else ()
        columns[field.name] = (field.kind, width, field.embedding_size)
        if field.kind == "category" and (has_ids or not field.embedding_size):
            columns[field.name] += (*_meanings([preprocessor.inputs[field.name].state()]),)
    return columns


def _difference(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """Return in words how columns differ, from the first that does; nothing where none does.

    A lone column may be called anything, as there is none to take it for.
    """
    if len(there) == len(here) == 1 and [*there.values()] == [*here.values()]:
        return ""
    pairs = list(zip_longest(there.items(), here.items()))
    first = next((place for place, (one, other) in enumerate(pairs) if one != other), None)
    if first is None:
        return ""
    names = [list(side)[first:] for side in (there, here)]
    if names[0] == names[1]:
        return f"`{names[0][0]}` has other values there"
    there_are, here_are = (_listed(side) or "none more" for side in names)
    return f"the inputs there are {there_are}, here {here_are}"


def _reading(learner: Learner, difference: str) -> set[str]:
    """Return the layers that read the inputs themselves, after the stem.

    Raises:
        ConfigError: It cannot be told.
    """
    inputs = generated_inputs(learner.preprocessor.spec, rows=2)
    blocks = {name: block.to(learner.device) for name, block in inputs.items()}
    found = readers(learner.network, blocks)
    if not found:
        raise ConfigError(
            f"{difference}, and which layers read them cannot be told",
            path=_INIT,
            suggestion="take a checkpoint of the same inputs, in the same order",
        )
    return found


def _meanings(states: Iterable[Mapping[str, Any]]) -> Iterable[list[Any]]:
    for state in states:
        for key in _MEANINGS:
            if key in state:
                yield list(state[key])


def _is_part(name: str, parts: set[str]) -> bool:
    """Say whether a weight belongs to one of the parts, which wrappers may stand around."""
    return not parts.isdisjoint(name.split("."))


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
