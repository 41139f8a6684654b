"""Some of the examples, as they are stored: neither varied nor begun elsewhere in each epoch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from torch import Tensor

from dlcli.data.examples import Examples, ResidentExamples, WindowExamples
from dlcli.training.randomness import epoch_order


def chosen(examples: Examples, index: Tensor) -> Examples:
    """Return the examples with these numbers, in ascending order.

    Args:
        examples: Of one part, outside of epochs.
        index: (N,) int64, each number once.
    """
    index = index.sort().values.to(examples.targets.device)
    if isinstance(examples, WindowExamples):
        return replace(examples.of(index), is_jittered=False)
    batch = examples.take(index)
    return ResidentExamples(batch.inputs, batch.targets)


def first_batches(
    parts: Mapping[str, Examples], count: int, *, batch_size: int, seed: int
) -> dict[str, Examples]:
    """Return the rows of the first batches of the first epoch, as both train and val part.

    Args:
        parts: Of which `train` is looked at.
        count: Number of batches.
        batch_size: Rows of each.
        seed: Of the training: draws the order.
    """
    train = parts["train"]
    rows = chosen(train, epoch_order(seed, 0, len(train))[: count * batch_size])
    return {"train": rows, "val": rows}
