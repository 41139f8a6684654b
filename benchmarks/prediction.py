"""The model with which all programs predict: dlcli trains it, and its weights are written out."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from benchmarks.programs import Setting, train


def write_trained(setting: Setting) -> None:
    """Train the MLP of MNIST for an epoch; put checkpoint and weights beside the data.

    Raises:
        FailedError: The training failed.
    """
    with tempfile.TemporaryDirectory() as place:
        _, told = train("mnist-mlp", Path(place), replace(setting, epochs=1))
        target = setting.data / "mnist-mlp.safetensors"
        shutil.copyfile(told["checkpoint"], target)
    np.savez(setting.data / "weights.npz", *weights_of(target))


def weights_of(checkpoint: Path) -> list[np.ndarray]:
    """Return a trained MLP's weight (out, in) and bias (out,) for each layer in turn."""
    tensors = load_file(checkpoint)
    start, end = "model/", ".weight"
    layers = sorted(
        name.removesuffix(end) for name in tensors if name.startswith(start) and name.endswith(end)
    )
    return [tensors[f"{layer}.{kind}"] for layer in layers for kind in ("weight", "bias")]
