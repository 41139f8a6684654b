"""Train, evaluate and use PyTorch models from one YAML file."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from dlcli.trained import TrainedModel

__version__ = "0.1.0"


def load(checkpoint: str | Path, *, device: str = "cpu", trust_code: bool = False) -> TrainedModel:
    """Open a trained model: `dlcli.load("latest").predict([{"x": 3.0}])`.

    Args:
        checkpoint: A checkpoint file, a run directory (its best), a run's name, or `latest`.
        device: Where to compute: `auto`, `cpu`, `cuda` or `cuda:N`.
        trust_code: Whether own code that the checkpoint holds may run.

    Raises:
        CheckpointError: There is no such checkpoint, or it is damaged.
        ConfigError: It needs code that it holds, which is not trusted.
    """
    from dlcli.run import find_checkpoint
    from dlcli.trained import open_trained

    return open_trained(find_checkpoint(str(checkpoint)), device=device, trust_code=trust_code)
