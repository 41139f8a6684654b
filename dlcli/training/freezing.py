"""Layers that training leaves as they are."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from types import MethodType

from torch import nn

from dlcli.errors import ConfigError

_FREEZE = ("train", "freeze")


def freeze(network: nn.Module, patterns: Sequence[str]) -> None:
    """Let training leave layers as they are, the running statistics of their batch norm too.

    Args:
        network: Whose layers.
        patterns: Their names, or those of whole groups of layers; `*` stands for anything.

    Raises:
        ConfigError: A pattern fits no layer, or no layer is left to train.
    """
    modules = dict(network.named_modules())
    for number, pattern in enumerate(patterns):
        chosen = [module for name, module in modules.items() if name and fnmatchcase(name, pattern)]
        if not chosen:
            layers = [name for name, module in modules.items() if [*module.parameters(False)]]
            raise ConfigError(
                f"`train.freeze` names `{pattern}`, and there is no such layer",
                path=(*_FREEZE, number),
                suggestion=f"layers: {', '.join(layers)}",
            )
        for module in chosen:
            _freeze(module)
    if patterns and not any(parameter.requires_grad for parameter in network.parameters()):
        raise ConfigError("`train.freeze` leaves nothing to train", path=_FREEZE)


def _freeze(module: nn.Module) -> None:
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    for part in module.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            part.eval()
            part.train = MethodType(_stay, part)  # type: ignore[method-assign]


def _stay(module: nn.Module, mode: bool = True) -> nn.Module:  # noqa: ARG001 - as nn.Module.train
    """Take the place of `train`: the running statistics serve, and stay."""
    return module
