"""`train.precision: medium`: where it holds, and how far it may lead."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from dlcli.data.spec import Batch
from dlcli.run import read_facts
from dlcli.training.medium import FLOAT32_ERROR, MediumPrecision, product_error
from tests.command_line import as_json
from tests.training.test_numerics import CPU, altered
from tests.training.test_trainer import draw_examples, make_trainer, run

BFLOAT16_ERROR = 2.0**-8
"""Two factors rounded to 8 bits each, the sum of their products in float32."""


class Noting(nn.Module):
    """Notes in which precision each forward and backward pass multiplies."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.noted: list[tuple[bool, str]] = []

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        self._note()
        outputs: Tensor = self.model(inputs)
        if outputs.requires_grad:
            outputs.register_hook(lambda _: self._note())
        return outputs

    def _note(self) -> None:
        self.noted.append((self.training, torch.get_float32_matmul_precision()))


def test_it_holds_for_forward_and_backward_of_training_alone() -> None:
    trainer = make_trainer()
    trainer.model = Noting(trainer.model)
    run(altered(trainer, precision=MediumPrecision(CPU)), draw_examples(), epochs=1)
    assert set(trainer.model.noted) == {(True, "medium"), (False, "highest")}
    assert sum(is_training for is_training, _ in trainer.model.noted) == 2 * 4
    assert torch.get_float32_matmul_precision() == "highest"


def test_it_holds_where_gradients_are_written_out() -> None:
    trainer = make_trainer()
    noted = []

    def whole(batch: Batch) -> Tensor:
        noted.append(torch.get_float32_matmul_precision())
        loss = trainer.evaluation.loss(trainer.model(batch.inputs), batch.targets)
        loss.backward()
        return loss.detach()

    run(altered(trainer, precision=MediumPrecision(CPU), whole=whole), draw_examples(), epochs=1)
    assert noted == ["medium"] * 4


def test_an_error_within_leaves_the_process_as_it_was() -> None:
    with pytest.raises(ZeroDivisionError), MediumPrecision(CPU).forward():
        _ = 1 / 0
    assert torch.get_float32_matmul_precision() == "highest"


def test_products_are_no_further_off_than_those_of_bfloat16() -> None:
    assert 0 < product_error(CPU) < BFLOAT16_ERROR


@pytest.mark.parametrize("shape", [(128, 784, 256), (64, 1024, 1024)])
def test_gradients_of_a_layer_stay_near_those_of_float32(shape: tuple[int, int, int]) -> None:
    rows, before, after = shape
    torch.manual_seed(0)
    inputs, layer = torch.randn(rows, before), nn.Linear(before, after)
    found = {}
    for name, precision in (("highest", None), ("medium", MediumPrecision(CPU))):
        layer.zero_grad()
        if precision is None:
            layer(inputs).square().mean().backward()
        else:
            with precision.forward():
                loss = layer(inputs).square().mean()
            precision.backward(loss)
        found[name] = layer.weight.grad
    off = (found["medium"] - found["highest"]).norm() / found["highest"].norm()
    assert off < 2 * BFLOAT16_ERROR


def test_the_run_says_how_far_off_products_are(tmp_path: Path) -> None:
    (tmp_path / "iris.yaml").write_text(
        "data: iris\nmodel: linear\ntrain: {epochs: 2, precision: medium}\n"
    )
    done = as_json("train", "iris.yaml", folder=tmp_path)
    error = read_facts(tmp_path / done["run_dir"])["product_error"]
    assert error == product_error(CPU)
    warned = [line for line in done["warnings"] if "precision: medium" in line]
    assert len(warned) == (error < FLOAT32_ERROR)
