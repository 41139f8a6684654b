"""Weights that a training begins with, out of another checkpoint; knows no trainer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dlcli import checkpoint
from dlcli.build import Learner
from dlcli.errors import ConfigError
from dlcli.files import relative
from dlcli.trained import weights_of

_INIT = ("train", "init_from")
_SHOWN = 4
_MEANINGS = ("categories", "vocabulary", "classes")
"""What of an encoder's state says what each row of a weight stands for."""


def init_from(learner: Learner, path: Path) -> list[str]:
    """Give a learner the weights of a checkpoint, wherever name and shape fit.

    Weights that stand for words, categories or classes are taken only where these are the same.
    The buffers of batch norm come along; how inputs are scaled stays as the training part says.

    Returns:
        What was loaded and what is new, for the user.

    Raises:
        CheckpointError: There is no such checkpoint, or it is damaged.
        ConfigError: Nothing in it fits.
    """
    loaded = checkpoint.load(path)
    network = learner.network
    own = {name: network.state_dict()[name] for name in _learned(network)}
    other = _other_meanings(learner.preprocessor.state(), loaded.data["preprocessor"])
    found = {
        name: value
        for name, value in weights_of(loaded).items()
        if name in own and own[name].shape == value.shape and not _is_part(name, other)
    }
    if not found:
        raise ConfigError(
            f"none of the {len(own)} weights here is in `{relative(path)}` with the same name and "
            "shape",
            path=_INIT,
            suggestion="`dlcli summary` lists the layers; take a checkpoint of the same `model`",
        )
    with torch.no_grad():
        for name, value in found.items():
            own[name].copy_(value)
    new = [name for name in own if name not in found]
    said = f"init_from: {len(found)} of {len(own)} weights are those of {relative(path)}"
    return [f"{said}; new: {_listed(new)}" if new else said]


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
