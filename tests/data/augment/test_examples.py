"""The laws of augmentation: what becomes of a row depends on seed, epoch and row alone."""

from __future__ import annotations

from itertools import islice

import pytest
import torch
from torch import Tensor

from dlcli.build import component
from dlcli.config.loss import LossOptions
from dlcli.config.model import MLPOptions
from dlcli.config.optimizer import OptimizerOptions
from dlcli.config.options import components
from dlcli.data.augment.examples import AugmentedExamples, augmented
from dlcli.data.examples import ResidentExamples
from dlcli.data.spec import DataSpec, Field
from dlcli.errors import ConfigError
from dlcli.models.network import build_network
from dlcli.training.evaluation import Evaluation
from dlcli.training.state import State
from dlcli.training.trainer import Trainer
from tests.data.augment import cases
from tests.data.augment.cases import CLASS, CLASSES, NUMBER, PICTURE, ROWS, pictures, sounds

MOVES = {"crop": 2, "horizontal_flip": 0.5, "vertical_flip": 0.2}
EVERYTHING = MOVES | {
    "rotation": 15.0, "scale": 0.1, "shear": 5.0, "brightness": 0.2, "contrast": 0.2,
    "saturation": 0.2, "erase": 0.5, "mixup": 0.4, "cutmix": 1.0,
}  # fmt: skip
SOUNDS = {"shift": 0.2, "gain": 6.0, "noise": 0.1, "time_mask": 4, "frequency_mask": 4}
KINDS = pytest.mark.parametrize(
    ("make", "options"),
    [(pictures, MOVES), (pictures, EVERYTHING), (sounds, SOUNDS)],
    ids=["moves", "pictures", "sounds"],
)


def tensors(examples: AugmentedExamples, index: Tensor) -> dict[str, Tensor]:
    batch = examples.take(index)
    return batch.inputs | {"targets": batch.targets}


@KINDS
@pytest.mark.parametrize("size", [1, 7, ROWS])
def test_a_row_becomes_the_same_in_any_batch_and_order(make, options, size):
    epoch = make(**options).for_epoch(3, 5)
    together = tensors(epoch, torch.arange(ROWS))
    order = torch.randperm(ROWS, generator=torch.Generator().manual_seed(0))
    again = make(**options).for_epoch(3, 5)
    for index in order.split(size):
        for name, tensor in tensors(again, index).items():
            torch.testing.assert_close(tensor, together[name][index], rtol=1e-6, atol=1e-3)


@KINDS
@pytest.mark.parametrize(("seed", "epoch"), [(3, 6), (4, 5)])
def test_another_epoch_or_seed_varies_otherwise(make, options, seed, epoch):
    train, index = make(**options), torch.arange(ROWS)
    one = tensors(train.for_epoch(3, 5), index)["x"]
    assert torch.equal(tensors(train.for_epoch(3, 5), index)["x"], one)
    assert not torch.equal(tensors(train.for_epoch(seed, epoch), index)["x"].to(one.dtype), one)


@KINDS
def test_all_but_the_batches_of_an_epoch_are_as_stored(make, options):
    train, index = make(**options), torch.arange(5, 25)
    epoch = train.for_epoch(3, 5)
    for batch in (train.take(index), train.slice(5, 25), epoch.slice(5, 25)):
        assert list(batch.inputs) == ["x"]
        assert torch.equal(batch.inputs["x"], train.examples.take(index).inputs["x"])
        assert torch.equal(batch.targets, train.examples.targets[index])
    assert epoch.targets is train.examples.targets
    assert (len(epoch), epoch.nbytes) == (ROWS, train.examples.nbytes)


@KINDS
def test_an_epoch_moves_to_a_device_whole(make, options):
    epoch = make(**options).for_epoch(3, 5)
    assert epoch.draws is not None
    moved = epoch.to("meta")
    assert moved.draws is not None
    assert {moved.targets.device.type, moved.draws.table.device.type} == {"meta"}


@KINDS
def test_no_step_waits_for_the_device(make, options):
    """Tensors without values: whatever read one back would fail."""
    epoch = make(**options).for_epoch(3, 5).to("meta")
    batch = epoch.take(torch.arange(8, device="meta"))
    assert len(batch) == 8


@pytest.mark.parametrize("part", ["val", "test"])
def test_only_the_training_part_is_varied(part):
    train = pictures(**MOVES)
    parts = {"train": train.examples, part: train.examples}
    options = cases.Pictures(augment={"crop": 1})
    found = augmented(parts, options, DataSpec((PICTURE,), (CLASS,)))
    assert found[part] is train.examples
    assert found["train"] is not train.examples


def test_nothing_switched_on_leaves_the_examples_alone():
    parts = {"train": pictures(**MOVES).examples}
    options = cases.Pictures(augment={"erase_size": 0.1})
    assert augmented(parts, options, DataSpec((PICTURE,), (CLASS,))) == parts


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (pictures, {"crop": 7}, "`crop` is 7, and a side of the pictures in pixels is 7"),
        (sounds, {"time_mask": 11}, "`time_mask` is 11, and a sound's length in frames is 11"),
    ],
)
def test_what_might_leave_nothing_is_refused(make, options, message):
    with pytest.raises(ConfigError, match=message) as caught:
        make(**options)
    (fault,) = caught.value.faults
    assert fault.path == ("data", "augment", *options)
    assert fault.suggestion == f"at most {next(iter(options.values())) - 1}"


def test_pictures_beside_other_inputs_are_not_mixed():
    spec = DataSpec((PICTURE, Field("age", "number", (1,))), (CLASS,))
    options = cases.Pictures(augment={"cutmix": 1.0})
    with pytest.raises(ConfigError, match=r"`cutmix` mixes pictures, .* beside them: age"):
        augmented({"train": pictures(**MOVES).examples}, options, spec)


def make_trainer(
    target: Field, *, parts: int = 1, dtype: torch.dtype = torch.float32, **loss: object
) -> Trainer:
    torch.manual_seed(0)
    name = "cross_entropy" if target.kind == "category" else "mse"
    shape = (CLASSES,) if target.kind == "category" else ()
    options = components(LossOptions)[name](**loss)
    judged = component(options)(options, shape=shape, classes=tuple("abc"), class_counts=None)
    mlp = MLPOptions(hidden_sizes=[8])
    network = build_network(
        DataSpec((PICTURE,), (target,)), shape, lambda out: component(mlp)(mlp, out), mlp
    ).to(dtype)
    sgd = components(OptimizerOptions)["sgd"](lr=0.01)
    return Trainer(
        model=network,
        optimizer=component(sgd)(sgd, dict(network.named_parameters())),
        schedule=lambda _step, _history: 1.0,
        evaluation=Evaluation(judged, dict, judged.link, lambda targets: targets),
        seed=7,
        batch_size=16,
        state=State(parts=parts),
    )


def run(trainer: Trainer, examples: AugmentedExamples) -> dict[str, Tensor]:
    for _step in trainer.steps(examples, examples, epochs=2):
        pass
    return {name: tensor.clone() for name, tensor in trainer.tensors().items()}


@pytest.mark.parametrize("stop", range(1, 6))
def test_law_2_resume_at_any_step_equals_uninterrupted_bitwise(stop):
    expected = run(make_trainer(CLASS), pictures(**EVERYTHING))

    first = make_trainer(CLASS)
    train = pictures(**EVERYTHING)
    for _step in islice(first.steps(train, train, epochs=2), stop):
        pass
    saved = {name: tensor.clone() for name, tensor in first.tensors().items()}
    second = make_trainer(CLASS)
    second.state = State.from_data(first.state.to_data(), saved["history/values"])
    second.load(saved)
    resumed = run(second, pictures(**EVERYTHING))

    assert all(torch.equal(resumed[name], expected[name]) for name in expected)


@pytest.mark.parametrize("parts", [2, 3, 16])
@pytest.mark.parametrize(
    ("target", "loss"), [(CLASS, {}), (CLASS, {"label_smoothing": 0.1}), (NUMBER, {})]
)
def test_law_3_parts_of_a_batch_add_up_to_the_batch(target, loss, parts):
    exact = {"dtype": torch.float64, **loss}
    whole = run(make_trainer(target, **exact), pictures(target, **EVERYTHING))
    cut = run(make_trainer(target, **exact, parts=parts), pictures(target, **EVERYTHING))
    for name in whole:
        if name.startswith(("model/", "totals/")):
            torch.testing.assert_close(cut[name], whole[name], rtol=1e-10, atol=1e-12)


def test_a_training_differs_from_one_that_is_not_augmented():
    augmented_run = run(make_trainer(CLASS), pictures(**MOVES))
    plain: ResidentExamples = pictures(**MOVES).examples
    trainer = make_trainer(CLASS)
    plain_run = run(trainer, plain)
    weights = [name for name in plain_run if name.startswith("model/")]
    assert not all(torch.equal(plain_run[name], augmented_run[name]) for name in weights)
