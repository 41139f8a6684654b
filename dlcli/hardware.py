"""On which device to compute, and with how many threads."""

from __future__ import annotations

from functools import cache

import torch

from dlcli.build import Learner
from dlcli.config.config import Config
from dlcli.errors import ConfigError, MachineError
from dlcli.models.work import multiplications
from dlcli.selftest import generated_inputs

_WORK_OF_A_THREAD = 5_000_000
"""Multiplications of a forward pass that a thread needs to gain more than it costs.

Measured with perceptrons, LSTMs and convolutional networks on two idle cores (torch 2.15): a second
thread took a step to 0.55-0.82 of its time from 5 to 500 million upward, and to 1.02 at half one.
"""


def choose_device(name: str) -> torch.device:
    """Return the device of a name; `auto` is CUDA where there is one.

    Raises:
        ConfigError: The name is no device.
        MachineError: This machine has no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ConfigError(
            f"`{name}` is no device", path=("train", "device"), suggestion="auto, cpu, cuda, cuda:1"
        ) from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise MachineError(
            f"no device `{name}`: this machine offers {torch.cuda.device_count()} CUDA devices",
            suggestion="device: auto or cpu",
        )
    if device.type not in {"cpu", "cuda"}:
        raise MachineError(f"dlcli does not compute on `{name}`", suggestion="auto, cpu or cuda")
    return device


def choose_threads(config: Config, learner: Learner, *, rows: int | None = None) -> int:
    """Return how many processor threads to use: as many as have work, up to torch's own choice.

    Args:
        config: May say how many.
        learner: What computes.
        rows: At a time; a training batch unless given.
    """
    if config.train.threads:
        return config.train.threads
    row = generated_inputs(learner.preprocessor.spec, rows=1)
    row = {name: block.to(learner.device) for name, block in row.items()}
    work = multiplications(learner.network, row) * (rows or config.data.rows_per_step)
    return max(1, min(torch.get_num_threads(), work // _WORK_OF_A_THREAD))


@cache
def default_threads() -> int:
    """Return torch's own number of threads; first asked before it is changed."""
    return torch.get_num_threads()
