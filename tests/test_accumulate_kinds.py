"""Law 3 for every kind of data: the parts of a batch add up to the batch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor

from dlcli.build import build_learner, build_trainer, open_sources
from dlcli.config.config import Config
from dlcli.config.read import read_config
from dlcli.data.augment.examples import augmented
from dlcli.data.examples import Examples
from dlcli.data.prepare import Prepared, prepare
from dlcli.data.spec import PADDING, Batch
from dlcli.training.randomness import Order
from dlcli.training.state import State
from tests.kinds import KINDS

SGD = "optimizer={name: sgd, lr: 0.1}"
PLAIN = {"cnn": ["model.normalization=none"], "mlp": ["model.normalization=none"]}


@dataclass(frozen=True)
class Exact:
    """Examples in float64."""

    examples: Examples

    def __len__(self) -> int:
        return len(self.examples)

    def take(self, index: Tensor) -> Batch:
        batch = self.examples.take(index)
        blocks = {name: exact(block) for name, block in batch.inputs.items()}
        return Batch(blocks, exact(batch.targets))

    def order(self, seed: int, epoch: int) -> Order:
        return self.examples.order(seed, epoch)

    def for_epoch(self, seed: int, epoch: int) -> Exact:
        return Exact(self.examples.for_epoch(seed, epoch))


def exact(tensor: Tensor) -> Tensor:
    return tensor.double() if tensor.is_floating_point() else tensor


def prepared_of(name: str, folder: Path) -> tuple[Config, Prepared]:
    """A kind's config without dropout and batch norm, and its data."""
    path = folder / KINDS[name].write_config(folder)
    model = KINDS[name].model.split(",")[0].removeprefix("name: ")
    config = read_config(path, ["model.dropout=0", SGD, *PLAIN.get(model, [])]).config
    return config, prepare(open_sources(config, folder), config.data, task=None)


def trained(config: Config, prepared: Prepared, part: str, parts: int) -> dict[str, Tensor]:
    learner = build_learner(
        config,
        task_name=prepared.task,
        preprocessor=prepared.preprocessor,
        class_counts=prepared.class_counts,
        device=torch.device("cpu"),
    )
    learner.network.double()
    train = prepared.examples[part]
    if part == "train":
        train = augmented(prepared.examples, config.data, prepared.preprocessor.spec)["train"]
    trainer = build_trainer(config, learner, train, state=State(parts=parts))
    for _step in trainer.steps(Exact(train), None, epochs=2):
        pass
    return {name: tensor.clone() for name, tensor in trainer.tensors().items()}


@pytest.mark.parametrize(
    ("name", "part"), [*((n, "train") for n in KINDS), ("running text", "val")]
)
def test_law_3_parts_of_a_batch_add_up_to_the_batch(name: str, part: str, tmp_path: Path) -> None:
    config, prepared = prepared_of(name, tmp_path)
    whole = trained(config, prepared, part, 1)
    cut = trained(config, prepared, part, 3)
    for key in whole:
        if key.startswith(("model/", "totals/")):
            torch.testing.assert_close(cut[key], whole[key], rtol=1e-10, atol=1e-12)


def test_these_kinds_have_targets_of_every_shape(tmp_path: Path) -> None:
    shapes = {}
    for name in ("series of several targets", "running text", "picture folder"):
        config, prepared = prepared_of(name, tmp_path / name)
        examples = augmented(prepared.examples, config.data, prepared.preprocessor.spec)
        targets = examples["train"].for_epoch(0, 0).take(torch.arange(8)).targets
        shapes[name] = tuple(targets.shape)
    assert shapes == {
        "series of several targets": (8, 4, 2),
        "running text": (8, 8),
        "picture folder": (8, 2),
    }
    val = prepared_of("running text", tmp_path / "text")[1].examples["val"]
    told = val.slice(0, len(val)).targets != PADDING
    assert len(set(told.sum(1).tolist())) > 1
