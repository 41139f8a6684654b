"""What a checkpoint says of its model, beside the weights; knows nothing of predicting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor, nn

from dlcli import __version__, checkpoint
from dlcli.build import Learner
from dlcli.selftest import generated_inputs
from dlcli.training.trainer import tensors_of

_MOST_OUTPUTS = 4096
"""Of a self-test: so many numbers of JSON in a checkpoint."""


def describe(
    config: Mapping[str, Any], learner: Learner, *, class_counts: Tensor | None
) -> dict[str, Any]:
    """Return what a checkpoint must hold, beside the weights, to predict without config and data.

    Args:
        config: The resolved config as plain data, references to the environment unexpanded.
        learner: The model as built.
        class_counts: Rows of each class (K,) in the training part; None for numbers.
    """
    return {
        "versions": versions(),
        "config": dict(config),
        "task": learner.task.name,
        "preprocessor": learner.preprocessor.state(),
        "class_counts": None if class_counts is None else class_counts.tolist(),
    }


def versions() -> dict[str, str]:
    """Return the versions that a checkpoint names."""
    return {"dlcli": __version__, "torch": torch.__version__}


@dataclass(frozen=True)
class SelfTest:
    """A network's outputs for rows that are the same everywhere; see `dlcli.selftest`.

    Attributes:
        network: What is tested.
        inputs: The rows, on its device.
    """

    network: nn.Module
    inputs: dict[str, Tensor]

    @classmethod
    def of(cls, learner: Learner) -> Self:
        """Return the test of a learner's network."""
        inputs = generated_inputs(learner.preprocessor.spec)
        return cls(learner.network, {name: b.to(learner.device) for name, b in inputs.items()})

    def outputs(self) -> list[float]:
        """Return the outputs, flat.

        Of many, as where each step tells one of many tokens, every so many-th is taken.
        """
        was_training = self.network.training
        self.network.eval()
        with torch.inference_mode():
            # clones: own code may write to its inputs
            outputs = self.network({name: block.clone() for name, block in self.inputs.items()})
        self.network.train(was_training)
        every = -(-outputs.numel() // _MOST_OUTPUTS)
        flat: list[float] = outputs.flatten()[::every].double().tolist()
        return flat


def weights_of(loaded: checkpoint.Loaded) -> dict[str, Tensor]:
    """Return the weights that a checkpoint predicts with, and the buffers, by name."""
    weights = tensors_of(loaded.tensors, "model")
    averages = tensors_of(loaded.tensors, "average")
    return weights | {name: value for name, value in averages.items() if name in weights}
