"""What only a CUDA device can show: that the host does not wait, and that nothing else changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import torch

from dlcli.build import component
from dlcli.config.model import CNNOptions
from dlcli.config.optimizer import OptimizerOptions
from dlcli.config.options import components
from dlcli.data.examples import Examples, ResidentExamples
from dlcli.data.spec import DataSpec, Field
from dlcli.data.staging import Sender, StagedExamples, placed
from dlcli.models.cnn import CNN
from dlcli.models.head import Head
from dlcli.models.network import Network
from dlcli.models.stems import ImageStem
from dlcli.training.averaging import ExponentialAverage
from dlcli.training.clipping import Clipping
from dlcli.training.medium import product_error
from dlcli.training.precision import Autocast, FullPrecision, Precision, ScaledAutocast
from dlcli.training.trainer import Trainer
from tests.data.augment.cases import pictures
from tests.training.test_numerics import altered
from tests.training.test_trainer import draw_examples, make_trainer, run

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
CUDA = torch.device("cuda")
PRECISIONS: dict[str, Callable[[], Precision]] = {
    "fp32": lambda: FullPrecision(CUDA),
    "bf16": lambda: Autocast(CUDA, torch.bfloat16),
    "fp16": lambda: ScaledAutocast(CUDA),
}


@contextmanager
def no_waiting() -> Iterator[None]:
    """Make an error of everything by which the host waits for the device."""
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def on_cuda(trainer: Trainer, **options: object) -> Trainer:
    """Return a trainer anew whose model is on the device, with a new optimizer."""
    trainer.model.to(CUDA)
    chosen = components(OptimizerOptions)["adamw"]()
    named = dict(trainer.model.named_parameters())
    trainer.optimizer = component(chosen)(chosen, named)
    return altered(trainer, **options)


def stored(examples: ResidentExamples, is_staged: bool) -> Examples:
    if is_staged:
        return StagedExamples(examples, Sender(CUDA))
    return placed(examples, CUDA)


@pytest.mark.parametrize("is_staged", [False, True])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_law_9_the_host_waits_only_where_an_epoch_begins_and_ends(
    precision: str, is_staged: bool
) -> None:
    single = make_trainer(dropout=0.2, batch_size=5)
    model = single.model.to(CUDA)
    trainer = on_cuda(
        single,
        precision=PRECISIONS[precision](),
        averaging=ExponentialAverage(model, 0.9),
        clipping=Clipping(value=0.2, norm=0.5),
    )
    steps = trainer.steps(stored(draw_examples(), is_staged), None, epochs=2)
    for step in steps:
        while step.batch < step.batches - 1:  # the last step ends with a report
            with no_waiting():
                step = next(steps)


def test_law_9_holds_for_varied_pictures_and_convolutions() -> None:
    field = Field("x", "image", (3, 7, 9), mean=(100.0,) * 3, std=(50.0,) * 3)
    spec = DataSpec((field,), (Field("y", "category", size=3),))
    stem = ImageStem(spec)
    body = CNN(CNNOptions(channels=[4, 8]), stem.out)
    single = make_trainer(batch_size=5)
    single.model = Network(stem, body, Head(body.out, single.evaluation.loss.outputs))
    trainer = on_cuda(single, precision=Autocast(CUDA, torch.bfloat16))
    examples = pictures(crop=2, horizontal_flip=0.5).to(CUDA)
    steps = trainer.steps(examples, None, epochs=1)
    next(steps)
    with no_waiting():
        for _ in range(4):
            next(steps)


def test_sent_batches_train_bitwise_as_rows_on_the_device() -> None:
    left = [
        run(on_cuda(make_trainer(dropout=0.2)), stored(draw_examples(), is_staged))
        for is_staged in (False, True)
    ]
    assert all(torch.equal(left[0][name], left[1][name]) for name in left[0])


def test_rows_that_do_not_fit_are_sent_batch_by_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    examples = draw_examples()
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (examples.nbytes, examples.nbytes))
    assert isinstance(placed(examples, CUDA), StagedExamples)


def test_medium_products_are_those_of_tf32() -> None:
    if torch.cuda.get_device_capability() < (8, 0):
        pytest.skip("TF32 begins with Ampere")
    assert 1e-5 < product_error(CUDA) < 2.0**-10
