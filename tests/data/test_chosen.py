"""Some of the examples, of every kind, are those examples as they are stored."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from dlcli.data.chosen import chosen, first_batches
from dlcli.training.randomness import epoch_order
from tests.checks.made import begun
from tests.kinds import KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_chosen_examples_are_those_that_were_stored(kind: str, tmp_path: Path) -> None:
    config = KINDS[kind].write_config(tmp_path)
    _, made = begun(tmp_path, (tmp_path / config).read_text())
    train = made.examples["train"]
    index = torch.tensor([len(train) - 1, 0, 2, 1])
    part = chosen(train, index)
    assert len(part) == 4
    expected = train.take(index.sort().values)
    for epoch in range(2):
        found = part.for_epoch(0, epoch).take(torch.arange(4))
        assert torch.equal(found.targets, expected.targets)
        assert all(torch.equal(block, expected.inputs[n]) for n, block in found.inputs.items())


def test_the_first_batches_are_those_of_the_first_epoch(tmp_path: Path) -> None:
    _, made = begun(tmp_path, "data: {name: iris, batch_size: 8}\nmodel: linear\n", "seed=3")
    train = made.examples["train"]
    parts = first_batches(made.examples, 2, batch_size=8, seed=3)
    order = epoch_order(3, 0, len(train))[:16]
    assert parts["val"] is parts["train"]
    expected = train.take(order.sort().values)
    assert torch.equal(parts["train"].slice(0, 16).inputs["numbers"], expected.inputs["numbers"])
    assert len(first_batches(made.examples, 99, batch_size=8, seed=3)["train"]) == len(train)
