"""Inputs that are the same everywhere, and how far outputs for them may differ; knows no model.

A checkpoint holds the outputs for these inputs. Computed again where it is loaded, they show
whether the model still computes what it did.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
import torch
from torch import Tensor

from dlcli.data.spec import CATEGORIES, KNOWN, NUMBERS, UNKNOWN, DataSpec, Field
from dlcli.errors import CheckpointError

WARN_ABOVE = 1e-5
"""Relative error that other hardware or another torch may well cause."""
REFUSE_ABOVE = 1e-2
"""Relative error of a model that computes something else."""

_SMALLEST_SCALE = 1e-2
"""Outputs below this are compared as if the largest were this: they are rounding, not signal."""


def generated_inputs(spec: DataSpec, *, rows: int = 8, seed: int = 0) -> dict[str, Tensor]:
    """Return inputs by block that depend on nothing but the arguments.

    They come from PCG64's raw integers, whose sequence numpy guarantees, and leave the global
    generators alone.

    Args:
        spec: The fields to fill; see `DataSpec.blocks`.
        rows: Number of rows, N.
        seed: Another one gives other inputs.

    Returns:
        `numbers` (N, sum of widths) float32 from -2 to 2, `categories` (N, count) int64 below each
        field's size, each image (N, C, H, W) uint8, each text (N, T) int64 without padding, steps
        (N, T, F + 1) float32 as many as there can be, and each sound (N, S) int16. With a window,
        its `past` rows are the second dimension, and `known` (N, horizon, width) is there too.
    """
    generator = np.random.PCG64(seed)
    leading = (rows, spec.window.past) if spec.window else (rows,)
    inputs = {}
    for name, fields in spec.blocks.items():
        columns = [_draw(generator, field, leading) for field in fields]
        if name in {NUMBERS, CATEGORIES}:
            columns = [np.concatenate([one.reshape(*leading, -1) for one in columns], axis=-1)]
        inputs[name] = torch.from_numpy(columns[0])
    if spec.window and spec.known_columns:
        known = Field(KNOWN, "number", (len(spec.known_columns),))
        inputs[KNOWN] = torch.from_numpy(_draw(generator, known, (rows, spec.window.horizon)))
    return inputs


def _draw(generator: np.random.PCG64, field: Field, leading: tuple[int, ...]) -> np.ndarray:
    """Return one field's values (*leading, *shape)."""
    shape = (*leading, *field.shape)
    raw = generator.random_raw(prod(shape)).reshape(shape)
    if field.kind in ("number", "steps"):
        values = ((raw >> 40) * 2.0**-22 - 2).astype(np.float32)  # 24 bits: exact in float32
        if field.kind == "steps":
            values[..., -1] = 1
        return values
    if field.kind == "category":
        return (raw % max(field.size, 1)).astype(np.int64)
    if field.kind == "tokens":
        return (UNKNOWN + raw % (field.size - UNKNOWN)).astype(np.int64)
    return (raw >> 48).astype(np.int16) if field.kind == "sound" else (raw >> 56).astype(np.uint8)


def compare(outputs: Sequence[float], expected: Sequence[float]) -> str:
    """Check the outputs of a loaded model against those in its checkpoint.

    Returns:
        A warning if they differ by more than `WARN_ABOVE`, else nothing.

    Raises:
        CheckpointError: They differ by more than `REFUSE_ABOVE`.
    """
    error = relative_error(outputs, expected)
    if error > REFUSE_ABOVE:
        raise CheckpointError(
            f"the checkpoint's self-test fails: its outputs differ by {error:.1g} (relative) from "
            f"those when it was written; at most {REFUSE_ABOVE:g} is accepted",
            suggestion="use the versions of dlcli and torch that wrote it",
        )
    if error > WARN_ABOVE:
        return f"the checkpoint's self-test differs by {error:.1g} (relative) on this machine"
    return ""


def relative_error(outputs: Sequence[float], expected: Sequence[float]) -> float:
    """Return the largest difference over the largest expected output.

    Infinite where the lengths differ, or where only one of two values is finite.
    """
    if len(outputs) != len(expected):
        return float("inf")
    found, wanted = np.asarray(outputs, float), np.asarray(expected, float)  # None becomes NaN
    is_finite = np.isfinite(wanted)
    if not np.array_equal(np.isfinite(found), is_finite):
        return float("inf")
    found, wanted = found[is_finite], wanted[is_finite]
    scale = max(np.abs(wanted).max(initial=0.0), _SMALLEST_SCALE)
    return float(np.abs(found - wanted).max(initial=0.0) / scale)
