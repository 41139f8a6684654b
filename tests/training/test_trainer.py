"""The laws of the training loop, each against a hand-written loop or an uninterrupted training."""

from __future__ import annotations

from itertools import islice

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlcli.build import component, layerwise
from dlcli.config.loss import LossOptions
from dlcli.config.model import MLPOptions
from dlcli.config.optimizer import OptimizerOptions
from dlcli.config.options import components
from dlcli.data.examples import ResidentExamples
from dlcli.data.spec import NUMBERS, DataSpec, Field
from dlcli.errors import DivergedError
from dlcli.models.head import Head
from dlcli.models.mlp import MLP
from dlcli.models.network import Network
from dlcli.models.stems import VectorStem
from dlcli.training.averaging import ExponentialAverage
from dlcli.training.clipping import Clipping
from dlcli.training.evaluation import Evaluation
from dlcli.training.randomness import epoch_order, seed_epoch
from dlcli.training.state import State
from dlcli.training.trainer import Trainer
from tests.torch_optimizers import torch_classes

ROWS, FEATURES, CLASSES, SEED = 50, 6, 3, 7
SPEC = DataSpec((Field("x", "number", (FEATURES,)),), (Field("y", "category", size=CLASSES),))
CLASS_LOSSES = [n for n, o in components(LossOptions).items() if "classification" in o.tasks]
NUMBER_LOSSES = [n for n, o in components(LossOptions).items() if "regression" in o.tasks]


def draw_examples(loss: str = "cross_entropy", dtype: torch.dtype = torch.float32):
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(ROWS, FEATURES, generator=generator, dtype=dtype)
    if loss in NUMBER_LOSSES:
        targets = torch.rand(ROWS, generator=generator, dtype=dtype)
    else:
        classes = 2 if loss == "bce" else CLASSES
        targets = torch.randint(classes, (ROWS,), generator=generator)
    return ResidentExamples({NUMBERS: inputs}, targets)


def make_loss(name: str, **options: object):
    chosen = components(LossOptions)[name](**options)
    shape = () if name in NUMBER_LOSSES else (2,) if name == "bce" else (CLASSES,)
    names = tuple("abc"[: sum(shape)])
    counts = torch.tensor([10, 30, 10][: sum(shape)])
    return component(chosen)(chosen, shape=shape, classes=names, class_counts=counts)


def make_trainer(
    *,
    optimizer: OptimizerOptions | None = None,
    loss: str = "cross_entropy",
    loss_options: dict[str, object] | None = None,
    dropout: float = 0.0,
    batch_size: int = 16,
    parts: int = 1,
    dtype: torch.dtype = torch.float32,
    is_layerwise: bool = False,
) -> Trainer:
    torch.manual_seed(SEED)
    judged = make_loss(loss, **(loss_options or {}))
    stem = VectorStem(SPEC)
    body = MLP(MLPOptions(hidden_sizes=[8, 8], dropout=dropout), stem.out)
    network = Network(stem, body, Head(body.out, judged.outputs)).to(dtype)
    chosen = optimizer or components(OptimizerOptions)["adamw"]()
    return Trainer(
        model=network,
        optimizer=component(chosen)(chosen, dict(network.named_parameters())),
        schedule=lambda step, _history: 1 / (1 + step),
        evaluation=Evaluation(judged, dict, judged.link, lambda targets: targets),
        seed=SEED,
        batch_size=batch_size,
        state=State(parts=parts),
        whole=layerwise(network, judged) if is_layerwise else None,
    )


def run(trainer: Trainer, examples: ResidentExamples, epochs: int = 3) -> dict[str, Tensor]:
    for _step in trainer.steps(examples, examples, epochs=epochs):
        pass
    return {name: tensor.clone() for name, tensor in trainer.tensors().items()}


@pytest.mark.parametrize("is_layerwise", [False, True])
@pytest.mark.parametrize("name", components(OptimizerOptions))
def test_law_1_training_equals_a_hand_written_loop_bitwise(name, is_layerwise):
    options = components(OptimizerOptions)[name]()
    examples = draw_examples()
    trainer = make_trainer(optimizer=options, dropout=0.2, is_layerwise=is_layerwise)
    ours = run(trainer, examples)

    torch.manual_seed(SEED)
    model = nn.Sequential(
        nn.Sequential(nn.Linear(FEATURES, 8), nn.ReLU(), nn.Dropout(0.2)),
        nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Dropout(0.2)),
        nn.Linear(8, CLASSES),
    )
    optimizers = torch_classes(options, model)
    step = 0
    for epoch in range(3):
        order = epoch_order(SEED, epoch, ROWS)
        seed_epoch(SEED, epoch, 0)
        for start in range(0, ROWS, 16):
            index = order[start : start + 16]
            model.zero_grad()
            loss = F.cross_entropy(model(examples.inputs[NUMBERS][index]), examples.targets[index])
            loss.backward()
            for theirs in optimizers:
                theirs.param_groups[0]["lr"] = options.lr * (1 / (1 + step))
                theirs.step()
            step += 1

    weights = [tensor for key, tensor in ours.items() if key.startswith("model/")]
    for mine, yours in zip(weights, model.parameters(), strict=True):
        assert torch.equal(mine, yours)


def test_layer_by_layer_nothing_differs_where_weights_are_averaged_and_gradients_cut():
    """Averages are lent to the model between epochs, whose weights the layers hold on to."""
    examples, found = draw_examples(), []
    for is_layerwise in (False, True):
        trainer = make_trainer(dropout=0.2, is_layerwise=is_layerwise)
        trainer.averaging = ExponentialAverage(trainer.model, 0.9)
        trainer.clipping = Clipping(norm=0.1)
        found.append(run(trainer, examples))
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])


def test_a_schedule_counts_by_the_epochs_of_today():
    """As after a resume with another batch size, or with more rows: it goes on where it was."""
    trainer = make_trainer(batch_size=16)  # 4 steps an epoch
    trainer.state = State(epoch=2, step=999)
    asked: list[int] = []
    trainer.schedule = lambda step, _history: asked.append(step) or 1.0
    run(trainer, draw_examples(), epochs=4)
    assert asked == [8, 9, 10, 11, 12, 13, 14, 15]


@pytest.mark.parametrize("is_layerwise", [False, True])
@pytest.mark.parametrize("stop", range(1, 12))
def test_law_2_resume_at_any_step_equals_uninterrupted_bitwise(stop, is_layerwise):
    examples = draw_examples()
    whole = make_trainer(dropout=0.3, is_layerwise=is_layerwise)
    expected = run(whole, examples)

    first = make_trainer(dropout=0.3, is_layerwise=is_layerwise)
    for _step in islice(first.steps(examples, examples, epochs=3), stop):
        pass
    saved = {name: tensor.clone() for name, tensor in first.tensors().items()}
    state = State.from_data(first.state.to_data(), saved["history/values"])
    torch.manual_seed(12345)  # another process has drawn other numbers
    second = make_trainer(dropout=0.3, is_layerwise=is_layerwise)
    second.state = state
    second.load(saved)
    resumed = run(second, examples)

    assert resumed.keys() == expected.keys()
    assert all(torch.equal(resumed[name], expected[name]) for name in expected)
    assert second.state == whole.state


def test_law_2_needs_every_group_of_tensors():
    groups = {name.split("/")[0] for name in make_trainer().tensors()}
    assert groups == {"model", "optimizer", "generator", "totals", "history"}


LAW_3 = [(name, {}) for name in CLASS_LOSSES + NUMBER_LOSSES] + [
    ("cross_entropy", {"class_weights": "balanced"}),
    ("cross_entropy", {"class_weights": {"a": 3.0, "b": 0.5}}),
    ("cross_entropy", {"label_smoothing": 0.1}),
]


@pytest.mark.parametrize(("loss", "options"), LAW_3)
def test_law_3_parts_of_a_batch_add_up_to_the_batch(loss, options):
    examples = draw_examples(loss, torch.float64)
    plain = {"name": "sgd", "lr": 0.1}
    sgd = components(OptimizerOptions)["sgd"](**plain)
    spelled = {"loss": loss, "loss_options": options, "dtype": torch.float64, "optimizer": sgd}

    whole = run(make_trainer(**spelled), examples, epochs=2)
    cut = run(make_trainer(**spelled, parts=4), examples, epochs=2)

    for name in whole:
        if name.startswith(("model/", "totals/")):
            torch.testing.assert_close(cut[name], whole[name], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("batch_size", [1, 7, 50, 1000])
def test_law_5_scores_do_not_depend_on_the_batching(batch_size):
    examples = draw_examples(dtype=torch.float64)
    trainer = make_trainer(dtype=torch.float64)
    evaluation = trainer.evaluation
    together = evaluation.scores(trainer.model, examples)["loss"]

    cut = Evaluation(
        evaluation.loss, dict, evaluation.answers, evaluation.truths, batch_size=batch_size
    )

    assert cut.scores(trainer.model, examples)["loss"] == pytest.approx(together, rel=1e-12)


def test_law_7_an_input_that_is_not_finite_stops_before_the_update():
    examples = draw_examples()
    examples.inputs[NUMBERS][31, 2] = float("nan")
    trainer = make_trainer(batch_size=ROWS)
    before = {name: tensor.clone() for name, tensor in trainer.model.state_dict().items()}

    with pytest.raises(DivergedError, match=r"at step 1 \(epoch 1, batch 1\).*input `numbers`"):
        run(trainer, examples)

    after = trainer.model.state_dict()
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_law_7_names_the_layer_whose_gradient_overflows():
    class Steep(torch.autograd.Function):
        @staticmethod
        def forward(_context, values):
            return values.clone()

        @staticmethod
        def backward(_context, gradient):
            return gradient * float("inf")

    trainer = make_trainer()
    head = trainer.model.head.linear
    head.register_forward_hook(lambda _module, _inputs, outputs: Steep.apply(outputs))

    with pytest.raises(DivergedError, match=r"the loss is finite, the gradient of `head\.linear"):
        run(trainer, draw_examples())


def test_law_7_a_learning_rate_that_blows_up_stops_with_finite_weights():
    sgd = components(OptimizerOptions)["sgd"](lr=1e6)
    trainer = make_trainer(optimizer=sgd, loss="mse")
    trainer.schedule = lambda _step, _history: 1.0

    with pytest.raises(DivergedError, match=r"no update was made with it"):
        run(trainer, draw_examples("mse"), epochs=50)

    assert all(bool(p.isfinite().all()) for p in trainer.model.parameters())


def test_the_last_step_of_an_epoch_carries_its_report_and_no_other_does():
    trainer = make_trainer()
    steps = list(trainer.steps(draw_examples(), None, epochs=2))
    assert [step.report is not None for step in steps] == [False, False, False, True] * 2
    assert [step.rows for step in steps[:4]] == [16, 16, 16, 2]
    assert steps[-1].report is trainer.state.history[-1]


def test_every_epoch_visits_every_row_once_in_an_order_of_its_own():
    orders = [epoch_order(SEED, epoch, ROWS) for epoch in range(3)]
    assert all(torch.equal(order.sort().values, torch.arange(ROWS)) for order in orders)
    assert not torch.equal(orders[0], orders[1])
    assert torch.equal(orders[2], epoch_order(SEED, 2, ROWS))
