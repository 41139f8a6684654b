"""Batches sent from where the rows are stored are those taken where all of them are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from dlcli.data.augment.draws import UNIFORM, Draws
from dlcli.data.staging import StagedExamples, placed
from tests.data.augment.cases import pictures
from tests.training.test_trainer import draw_examples, make_trainer, run

ELSEWHERE = torch.device("meta")


class Copies:
    """Sends copies, and counts how often."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        self.count += 1
        return [tensor.clone() for tensor in tensors]


def elsewhere(tensors: Sequence[Tensor]) -> list[Tensor]:
    return [tensor.to(ELSEWHERE) for tensor in tensors]


def test_training_on_sent_batches_is_bitwise_training_on_stored_rows() -> None:
    expected = run(make_trainer(dropout=0.2), draw_examples())
    copies = Copies()
    found = run(make_trainer(dropout=0.2), StagedExamples(draw_examples(), copies))
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert copies.count == 3 * (4 + 1)  # four batches of training and one of val in an epoch


def test_varied_pictures_are_the_same_where_batches_are_sent() -> None:
    plain = pictures(crop=2, horizontal_flip=0.5, mixup=0.4)
    sent = replace(plain, examples=StagedExamples(plain.examples, Copies()))
    index = torch.tensor([3, 1, 30])
    one, other = (each.for_epoch(5, 1).take(index) for each in (plain, sent))
    assert torch.equal(one.targets, other.targets)
    assert all(torch.equal(one.inputs[name], other.inputs[name]) for name in one.inputs)


class Noting:
    """Varies nothing, and notes where the draws are that it is given."""

    columns: Mapping[str, float] = {"a column": UNIFORM}
    noise = 3

    def __init__(self) -> None:
        self.places: list[torch.device] = []

    def __call__(self, inputs: dict[str, Tensor], draws: Draws) -> dict[str, Tensor]:
        self.places += [draws.table.device, draws.noise.device]
        return inputs


def test_batches_meet_their_draws_where_they_are_sent() -> None:
    plain, noting = pictures(crop=2), Noting()
    stored = StagedExamples(plain.examples, elsewhere)
    replace(plain, examples=stored, variation=noting).for_epoch(5, 1).take(torch.arange(4))
    assert noting.places == [ELSEWHERE, ELSEWHERE]


def test_numbers_and_draws_stay_where_the_rows_are_stored() -> None:
    plain = pictures(crop=2, horizontal_flip=0.5, mixup=0.4)
    sent = replace(plain, examples=StagedExamples(plain.examples, elsewhere)).for_epoch(5, 1)
    order = sent.order(5, 1).to(ELSEWHERE)
    assert [len(order[start : start + 16]) for start in (0, 16, 32)] == [16, 16, 8]
    batch = sent.take(order[:16])
    assert batch.targets.device == ELSEWHERE
    assert {block.device for block in batch.inputs.values()} == {ELSEWHERE}
    assert sent.draws is not None
    assert sent.draws.table.device.type == "cpu"
    assert sent.slice(0, 3).targets.device == ELSEWHERE


def test_on_a_processor_rows_stay_as_they_are() -> None:
    examples = draw_examples()
    assert placed(examples, torch.device("cpu")).targets is examples.targets
