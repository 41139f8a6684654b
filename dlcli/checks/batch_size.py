"""The batch size that `data.batch_size: auto` stands for: the largest power of two that fits."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor

from dlcli.build import Learner
from dlcli.checks.trial import trial
from dlcli.config.config import Config
from dlcli.data.examples import Examples
from dlcli.errors import MachineError

MOST = 4096
"""Rows of a step, however much memory there is: larger ones hardly train faster."""
FEWEST_STEPS = 16
"""Of an epoch: fewer would leave an optimizer too little to do."""
_SHARE = 0.25
"""Of free main memory that a step may take."""
_BACKWARD = 3.0
"""Times the values kept for backward that forward and backward take: outputs, gradients, copies."""


def fitting_batch_size(
    config: Config, learner: Learner, train: Examples, *, free: int | None
) -> tuple[int, str]:
    """Return the largest power of two that fits, and what bounds it, in words.

    On CUDA steps of more and more rows are tried on a copy. On a CPU, where more than there is
    would be taken from other programs, the values that a step keeps are counted.

    Args:
        config: The config.
        learner: Its network is copied, and stays as it is.
        train: The training part.
        free: Bytes of main memory; None where the machine does not tell.

    Raises:
        MachineError: Not even one row fits, or not the parts into which `train.accumulate` cuts.
    """
    most, why = _bound(len(train), parts=config.train.accumulate)
    if learner.device.type == "cuda":
        fitting = _tried(config, learner, train, most)
    else:
        fitting = most if free is None else _counted(learner, train, most, free)
    if fitting < config.train.accumulate:
        raise MachineError(
            f"out of memory: a batch of {max(fitting, 1)} rows is all that fits, and "
            f"`train.accumulate` cuts it into {config.train.accumulate}",
            path=("data", "batch_size"),
            suggestion="a smaller model, or a smaller `train.accumulate`",
        )
    return fitting, why if fitting == most else "memory holds no more"


def _bound(rows: int, *, parts: int = 1) -> tuple[int, str]:
    """Return the largest power of two that leaves an epoch steps enough, and why not more.

    It is no fewer rows than the parts into which a step is to be cut.
    """
    enough = max(1, rows // FEWEST_STEPS)
    most, why = MOST, "larger ones hardly train faster"
    if enough < MOST:
        most = 1 << (enough.bit_length() - 1)
        why = f"an epoch of {rows:,} rows keeps {FEWEST_STEPS} steps"
    if most < parts:
        return 1 << (parts - 1).bit_length(), f"`train.accumulate` cuts it into {parts:,} parts"
    return most, why


def _tried(config: Config, learner: Learner, train: Examples, most: int) -> int:
    """Return the largest power of two with which a step works on CUDA; 0 where none does."""
    fitting, rows = 0, 1
    while rows <= most:
        try:
            _step(config, learner, train, rows)
        except (torch.OutOfMemoryError, MachineError):
            torch.cuda.empty_cache()
            break
        fitting, rows = rows, 2 * rows
    torch.cuda.empty_cache()
    return fitting


def _step(config: Config, learner: Learner, train: Examples, rows: int) -> None:
    trainer = trial(config, learner, train, batch_size=rows)
    parts = trainer.state.parts
    next(trainer.steps(train, None, epochs=1))
    torch.cuda.synchronize(learner.device)
    if trainer.state.parts > parts:  # the step was rescued: cut into more parts
        raise MachineError("it does not fit")


def _counted(learner: Learner, train: Examples, most: int, free: int) -> int:
    """Return the largest power of two whose values take no more than a share of free memory."""
    per_row = _BACKWARD * bytes_per_row(learner, train)
    fitting = most
    while fitting > 1 and fitting * per_row > _SHARE * free:
        fitting //= 2
    return fitting if fitting * per_row <= free else 0


def bytes_per_row(learner: Learner, train: Examples) -> float:
    """Return the bytes that a forward pass keeps for its backward pass, for one more row."""
    few, many = min(2, len(train)), min(8, len(train))
    bytes_few, bytes_many = _kept(learner, train, few), _kept(learner, train, many)
    if many == few:
        return bytes_many / many
    return max(bytes_many - bytes_few, 0) / (many - few)


def _kept(learner: Learner, train: Examples, rows: int) -> int:
    """Return the bytes that autograd keeps of a forward pass, weights aside."""
    network = deepcopy(learner.network).train()  # batch norm moves its statistics
    own = {p.untyped_storage().data_ptr() for p in (*network.parameters(), *network.buffers())}
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    batch = train.take(torch.arange(rows, device=train.targets.device))
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        outputs = network(dict(batch.inputs))
        loss = learner.loss(outputs, batch.targets)
    del loss
    return sum(kept.values())
