"""A check of how large the numbers are that a network is given."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import torch
from torch import Tensor

from dlcli.checks.finding import Finding, sound, warning
from dlcli.data.examples import Examples, ResidentExamples, WindowExamples
from dlcli.data.spec import NUMBERS, DataSpec

_LARGE = 30.0
"""Root mean square of an input: torch's layers are begun for inputs about 1."""
_SMALL = 1e-3
"""Deviation of an input that is not constant: its weight would have to grow a thousandfold."""
_LARGE_TARGET = 100.0
_SHOWN = 4


def check_scale(train: Examples, spec: DataSpec, *, scales_targets: bool) -> Iterator[Finding]:
    """Yield whether inputs, and the targets of a regression, are of a size that networks learn.

    Args:
        train: The training part, as it is given to the network.
        spec: Its fields.
        scales_targets: The targets are numbers that a scaling would reach.
    """
    if not isinstance(train, ResidentExamples | WindowExamples):
        return
    if NUMBERS in spec.blocks:
        yield _inputs(train.inputs[NUMBERS], spec)
    if scales_targets:
        size = float(train.targets.double().square().mean().sqrt())
        if size > _LARGE_TARGET:
            yield warning(
                "target scale",
                f"the targets are {size:.3g} in the mean (root mean square), and outputs begin "
                "near 0: the first steps are huge, or too small to arrive",
                "`data.target_scaling: standard` (predictions stay in your units)",
            )


def _inputs(values: Tensor, spec: DataSpec) -> Finding:
    """Judge numbers (N, F) or rows of windows (R, F) column by column."""
    values = values.double().flatten(0, -2)
    size, spread = values.square().mean(0).sqrt(), values.std(0, unbiased=False)
    names = [f.name for f in spec.blocks[NUMBERS] for _ in range(prod(f.shape))]
    large = _worst(names, size, size > _LARGE, largest=True)
    small = _worst(names, spread, (spread < _SMALL) & (spread > 0), largest=False)
    if large:
        return warning(
            "input scale",
            f"inputs are not normalised: root mean square of {large}; a network begins with "
            "weights made for inputs about 1",
            "`data.scaling: standard`",
        )
    if small:
        return warning(
            "input scale",
            f"inputs hardly differ from row to row: deviation of {small}",
            "`data.scaling: standard`",
        )
    return sound("input scale", f"root mean square of numbers at most {float(size.max()):.3g}")


def _worst(names: list[str], values: Tensor, mask: Tensor, *, largest: bool) -> str:
    """Return the masked columns that are farthest out, with their values, in words."""
    found = torch.nonzero(mask).flatten().tolist()
    found.sort(key=lambda i: float(values[i]), reverse=largest)
    told = ", ".join(f"`{names[i]}` {float(values[i]):.3g}" for i in found[:_SHOWN])
    return f"{told} and {len(found) - _SHOWN} more" if len(found) > _SHOWN else told
