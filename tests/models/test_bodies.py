"""The laws of training and prediction for every architecture beside the fully connected ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import islice

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlcli.build import component
from dlcli.config.loss import CrossEntropyOptions, MSEOptions
from dlcli.config.model import (
    CNNOptions,
    GRUOptions,
    LSTMOptions,
    MatrixFactorizationOptions,
    ModelOptions,
    RNNOptions,
    TorchvisionModelOptions,
    TransformerOptions,
)
from dlcli.config.optimizer import AdamWOptions, OptimizerOptions, SGDOptions
from dlcli.config.options import components
from dlcli.data.examples import ResidentExamples
from dlcli.data.spec import CATEGORIES, NUMBERS, DataSpec, Field, Window
from dlcli.errors import ConfigError
from dlcli.models.features import Features, Shape
from dlcli.models.network import build_network
from dlcli.models.normalization import BatchNorm
from dlcli.models.recurrent import reverse
from dlcli.models.transformer import Block
from dlcli.training.evaluation import Evaluation
from dlcli.training.randomness import epoch_order, seed_epoch
from dlcli.training.state import State
from dlcli.training.trainer import Trainer
from tests.labels import label

SEED, ROWS, CLASSES = 5, 22, 3
ADAMW = AdamWOptions(lr=1e-2)
CLASS = (Field("y", "category", size=CLASSES),)
NUMBER = (Field("y", "number", (1,)),)


@dataclass(frozen=True)
class Kind:
    """Data of one kind.

    Attributes:
        spec: Their fields.
        draw: Rows and a generator to input blocks.
    """

    spec: DataSpec
    draw: Callable[[int, torch.Generator], dict[str, Tensor]]


def draw_image(rows: int, generator: torch.Generator) -> dict[str, Tensor]:
    size = (rows, 2, 9, 8)
    return {"image": torch.randint(0, 256, size, generator=generator, dtype=torch.uint8)}


def draw_window(rows: int, generator: torch.Generator) -> dict[str, Tensor]:
    return {NUMBERS: torch.randn(rows, 7, 3, generator=generator)}


def draw_texts(rows: int, generator: torch.Generator) -> dict[str, Tensor]:
    """Texts of 0 to 12 tokens and a number beside them."""
    tokens = torch.randint(1, 20, (rows, 12), generator=generator)
    lengths = torch.arange(rows) % 13
    tokens[torch.arange(12) >= lengths[:, None]] = 0
    return {"text": tokens, NUMBERS: torch.randn(rows, 1, generator=generator)}


def draw_steps(rows: int, generator: torch.Generator) -> dict[str, Tensor]:
    steps = torch.randn(rows, 10, 4, generator=generator)
    is_step = torch.arange(10) < (1 + torch.arange(rows) % 10)[:, None]
    steps[:, :, -1] = is_step
    return {"steps": steps * is_step.unsqueeze(2)}


def draw_ids(rows: int, generator: torch.Generator) -> dict[str, Tensor]:
    columns = [torch.randint(0, size, (rows,), generator=generator) for size in (6, 9)]
    return {CATEGORIES: torch.stack(columns, 1)}


IMAGE = Kind(
    DataSpec((Field("image", "image", (2, 9, 8), mean=(9.0, 8.0), std=(50.0, 60.0)),), CLASS),
    draw_image,
)
WINDOW = Kind(
    DataSpec(tuple(Field(n, "number", (1,)) for n in "abc"), CLASS, Window(7, 1)), draw_window
)
TEXTS = Kind(
    DataSpec((Field("text", "tokens", (12,), 20, 5), Field("a", "number", (1,))), CLASS), draw_texts
)
STEPS = Kind(DataSpec((Field("steps", "steps", (10, 4)),), CLASS), draw_steps)
IDS = Kind(
    DataSpec((Field("u", "category", size=6), Field("i", "category", size=9)), NUMBER), draw_ids
)
SMALL = {"hidden_size": 6}
HEADS = {"d_model": 8, "nhead": 2}
ON_SEQUENCES: list[ModelOptions] = [
    RNNOptions(**SMALL, num_layers=2, bidirectional=True, pooling="mean"),
    LSTMOptions(**SMALL),
    LSTMOptions(**SMALL, num_layers=2, bidirectional=True, pooling="attention"),
    GRUOptions(**SMALL, bidirectional=True),
    GRUOptions(**SMALL, num_layers=2, pooling="max"),
    TransformerOptions(**HEADS, dropout=0, num_layers=1),
    TransformerOptions(
        **HEADS, dropout=0, num_layers=1, norm_first=False, positions="learned", pooling="attention"
    ),
    TransformerOptions(**HEADS, dropout=0, num_layers=1, pooling="last", dim_feedforward=5),
    CNNOptions(channels=[4, 5], normalization="none"),
    CNNOptions(
        channels=[4, 5],
        depth=2,
        residual=True,
        stride=2,
        pooling="max",
        activation="tanh",
        normalization="none",
    ),
    CNNOptions(channels=[4], kernel_size=4, padding=0, pool=3, normalization="none"),
]
ON_IMAGES: list[ModelOptions] = [
    CNNOptions(channels=[4, 5], normalization="none"),
    CNNOptions(channels=[4, 5, 5, 5], depth=2, residual=True, normalization="none", pooling="max"),
    CNNOptions(
        channels=[4],
        kernel_size=5,
        stride=2,
        padding=1,
        pool=1,
        pooling="flatten",
        normalization="none",
    ),
]
WITH_STATISTICS: list[tuple[ModelOptions, Kind]] = [
    (CNNOptions(channels=[4, 5]), IMAGE),
    (CNNOptions(channels=[4, 5], residual=True), TEXTS),
    (CNNOptions(channels=[4, 5], stride=2), STEPS),
    (TorchvisionModelOptions(architecture="shufflenet_v2_x0_5"), IMAGE),
]
WITHOUT_STATISTICS: list[tuple[ModelOptions, Kind]] = [
    *((options, kind) for kind in (WINDOW, TEXTS, STEPS) for options in ON_SEQUENCES),
    *((options, IMAGE) for options in [*ON_IMAGES, *ON_SEQUENCES[1:6:2]]),
    (MatrixFactorizationOptions(embedding_size=4), IDS),
]
CASES = WITHOUT_STATISTICS + WITH_STATISTICS
IDS_OF = {id(kind): name for name, kind in globals().items() if isinstance(kind, Kind)}


def named(case: object) -> str:
    return IDS_OF[id(case)].lower() if isinstance(case, Kind) else label(case)


def build(options: ModelOptions, kind: Kind) -> nn.Module:
    outputs = () if kind is IDS else (CLASSES,)
    spec = DataSpec(kind.spec.inputs, kind.spec.targets, kind.spec.window)
    torch.manual_seed(SEED)
    return build_network(spec, outputs, partial(component(options), options), options)


def examples_of(kind: Kind, dtype: torch.dtype = torch.float32) -> ResidentExamples:
    generator = torch.Generator().manual_seed(1)
    inputs = kind.draw(ROWS, generator)
    inputs = {n: x.to(dtype) if x.is_floating_point() else x for n, x in inputs.items()}
    if kind is IDS:
        return ResidentExamples(inputs, torch.randn(ROWS, generator=generator, dtype=dtype))
    return ResidentExamples(inputs, torch.randint(CLASSES, (ROWS,), generator=generator))


def trainer_of(
    options: ModelOptions,
    kind: Kind,
    *,
    optimizer: OptimizerOptions = ADAMW,
    dtype: torch.dtype = torch.float32,
    parts: int = 1,
) -> Trainer:
    network = build(options, kind).to(dtype)
    loss_options = MSEOptions() if kind is IDS else CrossEntropyOptions()
    shape, names = ((), ()) if kind is IDS else ((CLASSES,), ("a", "b", "c"))
    loss = component(loss_options)(loss_options, shape=shape, classes=names)
    return Trainer(
        model=network,
        optimizer=component(optimizer)(optimizer, dict(network.named_parameters())),
        schedule=lambda _step, _history: 1.0,
        evaluation=Evaluation(loss, dict, loss.link, lambda targets: targets),
        seed=SEED,
        batch_size=8,
        state=State(parts=parts),
    )


def run(trainer: Trainer, examples: ResidentExamples, epochs: int = 2) -> dict[str, Tensor]:
    for _step in trainer.steps(examples, None, epochs=epochs):
        pass
    return {name: tensor.clone() for name, tensor in trainer.tensors().items()}


def test_every_architecture_and_option_has_its_laws() -> None:
    tested = {options.name for options, _ in CASES} | {"linear", "mlp"}
    assert tested == set(components(ModelOptions))
    tried = [
        *(case[0] for case in CASES + WRITTEN_OUT + LAW_2),
        TorchvisionModelOptions(weights="w"),
    ]
    given = {(o.name, key) for o in tried for key in o.model_dump(exclude_defaults=True)}
    for name in tested - {"linear", "mlp"}:
        options = set(components(ModelOptions)[name].model_fields) - {"name"}
        assert {(name, option) for option in options} <= given


class ByHand(nn.Module):
    """A recurrent classifier as one writes it; `take` gives what the head sees."""

    def __init__(self, layers: nn.Module, width: int, take, dropout: float = 0.0) -> None:
        super().__init__()
        self.layers, self.take = layers, take
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, CLASSES)

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        return self.head(self.dropout(self.take(self.layers(inputs[NUMBERS])[0])))


class ConvolvedByHand(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(2, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(),
            nn.MaxPool2d(2), nn.Conv2d(4, 5, 3, padding=1, bias=False), nn.BatchNorm2d(5),
            nn.ReLU(), nn.MaxPool2d(2),
        )  # fmt: skip
        self.dropout, self.head = nn.Dropout(0.2), nn.Linear(5, CLASSES)

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        mean, std = torch.tensor([9.0, 8.0]), torch.tensor([50.0, 60.0])
        pixels = (inputs["image"].float() - mean[:, None, None]) / std[:, None, None]
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        return self.head(self.dropout(self.layers(pixels).mean((2, 3))))


class FactorizedByHand(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.users = nn.Embedding(6, 4, padding_idx=0)
        self.items = nn.Embedding(9, 4, padding_idx=0)
        self.user_bias = nn.Embedding(6, 1, padding_idx=0)
        self.item_bias = nn.Embedding(9, 1, padding_idx=0)
        self.mean = nn.Parameter(torch.zeros(()))
        for table in (self.users, self.items):
            table.weight.data *= 0.1
        for table in (self.user_bias, self.item_bias):
            table.weight.data.zero_()

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        users, items = inputs[CATEGORIES].T
        scores = self.mean + (self.users(users) * self.items(items)).sum(1)
        return scores + self.user_bias(users).squeeze(1) + self.item_bias(items).squeeze(1)


def last(values: Tensor) -> Tensor:
    return values[:, -1]


def ends(values: Tensor) -> Tensor:
    return torch.cat([values[:, -1, :6], values[:, 0, 6:]], 1)


WRITTEN_OUT = [
    (LSTMOptions(**SMALL), WINDOW, lambda: ByHand(nn.LSTM(3, 6, batch_first=True), 6, last)),
    (
        LSTMOptions(**SMALL, bidirectional=True),
        WINDOW,
        lambda: ByHand(nn.LSTM(3, 6, batch_first=True, bidirectional=True), 12, ends),
    ),
    (
        GRUOptions(**SMALL, num_layers=2, pooling="max", dropout=0.3),
        WINDOW,
        lambda: ByHand(
            nn.GRU(3, 6, 2, batch_first=True, dropout=0.3), 6, lambda values: values.amax(1), 0.3
        ),
    ),
    (
        RNNOptions(**SMALL, nonlinearity="relu", pooling="mean"),
        WINDOW,
        lambda: ByHand(
            nn.RNN(3, 6, nonlinearity="relu", batch_first=True), 6, lambda values: values.mean(1)
        ),
    ),
    (CNNOptions(channels=[4, 5], dropout=0.2), IMAGE, ConvolvedByHand),
    (MatrixFactorizationOptions(embedding_size=4), IDS, FactorizedByHand),
]


@pytest.mark.parametrize(("options", "kind", "written_out"), WRITTEN_OUT, ids=named)
def test_law_1_training_equals_a_hand_written_loop_bitwise(options, kind, written_out) -> None:
    examples = examples_of(kind)
    trainer = trainer_of(options, kind, optimizer=SGDOptions(lr=0.1))
    run(trainer, examples)

    torch.manual_seed(SEED)
    model = written_out()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for epoch in range(2):
        order = epoch_order(SEED, epoch, ROWS)
        seed_epoch(SEED, epoch, 0)
        for start in range(0, ROWS, 8):
            batch = examples.take(order[start : start + 8])
            optimizer.zero_grad()
            measure = F.mse_loss if kind is IDS else F.cross_entropy
            measure(model(batch.inputs), batch.targets).backward()
            optimizer.step()

    for own, expected in zip(trainer.model.parameters(), model.parameters(), strict=True):
        assert torch.equal(own, expected)


LAW_2 = [
    (GRUOptions(**SMALL, num_layers=2, dropout=0.3), TEXTS),
    (LSTMOptions(**SMALL, bidirectional=True, dropout=0.3), STEPS),
    (RNNOptions(**SMALL, dropout=0.3), WINDOW),
    (TransformerOptions(**HEADS, activation="relu"), TEXTS),
    (CNNOptions(channels=[4, 5], dropout=0.3), IMAGE),
    (CNNOptions(channels=[4, 5], dropout=0.3), TEXTS),
    (MatrixFactorizationOptions(dropout=0.3), IDS),
]


@pytest.mark.parametrize("stop", [1, 3, 4])
@pytest.mark.parametrize(("options", "kind"), LAW_2, ids=named)
def test_law_2_resume_at_any_step_equals_uninterrupted_bitwise(options, kind, stop) -> None:
    examples = examples_of(kind)
    expected = run(trainer_of(options, kind), examples)

    first = trainer_of(options, kind)
    for _step in islice(first.steps(examples, None, epochs=2), stop):
        pass
    saved = {name: tensor.clone() for name, tensor in first.tensors().items()}
    state = State.from_data(first.state.to_data(), saved["history/values"])
    second = trainer_of(options, kind)
    second.state = state
    second.load(saved)
    resumed = run(second, examples)

    assert resumed.keys() == expected.keys()
    assert all(torch.equal(resumed[name], expected[name]) for name in expected)


@pytest.mark.parametrize(("options", "kind"), WITHOUT_STATISTICS, ids=named)
def test_law_3_parts_of_a_batch_add_up_to_the_batch(options, kind) -> None:
    examples = examples_of(kind, torch.float64)
    own = {"optimizer": SGDOptions(lr=0.1), "dtype": torch.float64}
    whole = run(trainer_of(options, kind, **own), examples, epochs=1)
    cut = run(trainer_of(options, kind, **own, parts=4), examples, epochs=1)
    for name in whole:
        if name.startswith(("model/", "totals/")):
            torch.testing.assert_close(cut[name], whole[name], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("options", "kind"), CASES, ids=named)
def test_law_4_a_prediction_does_not_depend_on_its_batch_mates(options, kind) -> None:
    network = build(options, kind)
    inputs = kind.draw(ROWS, torch.Generator().manual_seed(2))
    for _ in range(2):  # move the running statistics off their start
        network(inputs)
    network.eval()
    together = network(inputs)
    for rows in ([0], [1], [3], [2, 21], list(range(5)), list(reversed(range(ROWS)))):
        alone = network({name: block[rows] for name, block in inputs.items()})
        torch.testing.assert_close(alone, together[rows], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("options", "kind"), CASES, ids=named)
def test_every_parameter_gets_a_gradient(options, kind) -> None:
    network = build(options, kind)
    outputs = network(kind.draw(ROWS, torch.Generator().manual_seed(2)))
    (outputs * torch.randn_like(outputs)).sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


@pytest.mark.parametrize(("options", "kind"), CASES, ids=named)
def test_a_lone_row_can_be_trained_on(options, kind) -> None:
    network = build(options, kind)
    network(kind.draw(1, torch.Generator())).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


PADDED = [*ON_SEQUENCES, CNNOptions(channels=[4, 5], residual=True, stride=2)]


@pytest.mark.parametrize("options", PADDED, ids=label)
def test_training_does_not_depend_on_padding(options) -> None:
    """Features and gradients are the same where two more steps of noise follow each end."""
    torch.manual_seed(SEED)
    body = component(options)(options, Shape("sequence", (12, 3), varies=True)).double()
    values = torch.randn(6, 10, 3, dtype=torch.float64)
    lengths = torch.tensor([10, 7, 1, 3, 10, 2])
    found = []
    for longer in (values, torch.cat([values, torch.randn(6, 2, 3).double()], 1)):
        noise = torch.where(
            (torch.arange(longer.shape[1]) < lengths[:, None]).unsqueeze(2), longer, torch.rand(())
        ).double()
        body.zero_grad()
        out, steps = body(Features(noise, lengths))
        real = torch.arange(out.shape[1]) < steps[:, None]
        out[real].square().sum().backward()
        grads = [p.grad.clone() for p in body.parameters() if p.grad is not None]
        found.append((out[real].detach(), *grads))
    for first, second in zip(*found, strict=True):
        torch.testing.assert_close(first, second, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    "options",
    [RNNOptions(**SMALL), LSTMOptions(**SMALL), GRUOptions(**SMALL), TransformerOptions(**HEADS)],
    ids=label,
)
def test_no_step_of_running_text_sees_a_later_one(options) -> None:
    body = component(options)(options, Shape("sequence", (9, 3), is_causal=True)).eval()
    values = torch.randn(2, 9, 3)
    changed = values.clone()
    changed[:, 6:] = 7.0
    before, after = (body(Features(each)).values[:, :6] for each in (values, changed))
    torch.testing.assert_close(before, after)
    assert not torch.equal(
        body(Features(values)).values[:, 6], body(Features(changed)).values[:, 6]
    )


@pytest.mark.parametrize("options", [GRUOptions(num_layers=2, bidirectional=True),
                                     LSTMOptions(bidirectional=True)], ids=label)  # fmt: skip
def test_reading_padding_equals_packing(options) -> None:
    torch.manual_seed(SEED)
    body = component(options)(options, Shape("sequence", (9, 5), varies=True))
    torch.manual_seed(SEED)
    kind = {"gru": nn.GRU, "lstm": nn.LSTM}[options.name]
    packed = kind(5, 128, options.num_layers, batch_first=True, bidirectional=True)
    values, lengths = torch.randn(4, 9, 5), torch.tensor([9, 3, 1, 6])
    given = nn.utils.rnn.pack_padded_sequence(values, lengths, True, enforce_sorted=False)
    expected, _ = nn.utils.rnn.pad_packed_sequence(packed(given)[0], batch_first=True)
    found = body(Features(values, lengths)).values
    for row, length in enumerate(lengths.tolist()):
        torch.testing.assert_close(found[row, :length], expected[row, :length])


def test_a_reversed_sequence_keeps_its_padding_at_the_end() -> None:
    values = torch.arange(8.0).view(2, 4, 1)
    assert reverse(values, None)[:, :, 0].tolist() == [[3, 2, 1, 0], [7, 6, 5, 4]]
    found = reverse(values, torch.tensor([4, 2]))
    assert found[:, :, 0].tolist() == [[3, 2, 1, 0], [5, 4, 6, 7]]


@pytest.mark.parametrize("norm_first", [True, False])
def test_a_block_computes_what_torchs_encoder_layer_does(norm_first: bool) -> None:
    options = TransformerOptions(d_model=8, nhead=2, dropout=0.0, norm_first=norm_first)
    block = Block(options, is_causal=False)
    reference = nn.TransformerEncoderLayer(
        8, 2, 32, 0.0, "gelu", batch_first=True, norm_first=norm_first
    )
    reference.load_state_dict(
        {
            "self_attn.in_proj_weight": block.attention.queries_keys_values.weight,
            "self_attn.in_proj_bias": block.attention.queries_keys_values.bias,
            "self_attn.out_proj.weight": block.attention.outputs.weight,
            "self_attn.out_proj.bias": block.attention.outputs.bias,
            "linear1.weight": block.feedforward[0].weight,
            "linear1.bias": block.feedforward[0].bias,
            "linear2.weight": block.feedforward[3].weight,
            "linear2.bias": block.feedforward[3].bias,
            **{f"norm{n + 1}.{k}": v for n, norm in enumerate(block.norms)
               for k, v in norm.state_dict().items()},
        }
    )  # fmt: skip
    values = torch.randn(3, 6, 8)
    is_step = torch.arange(6) < torch.tensor([[6], [2], [4]])
    found = block(values, is_step[:, None, None])
    expected = reference(values, src_key_padding_mask=~is_step)
    torch.testing.assert_close(found[is_step], expected[is_step])
    torch.testing.assert_close(block(values, None), reference(values))


def test_ids_that_training_did_not_show_add_nothing() -> None:
    trainer = trainer_of(MatrixFactorizationOptions(embedding_size=4), IDS)
    run(trainer, examples_of(IDS))
    model, body = trainer.model.eval(), trainer.model.body
    codes = torch.tensor([[0, 0], [0, 3], [2, 0]])
    found = model({CATEGORIES: codes})
    items, users = body.biases[1].weight[3, 0], body.biases[0].weight[2, 0]
    assert torch.equal(found, torch.stack([body.mean, body.mean + items, body.mean + users]))


def test_factors_tell_one_number_and_no_classes() -> None:
    options = MatrixFactorizationOptions()
    with pytest.raises(ConfigError, match="tells one number of an example"):
        build_network(IDS.spec, (3,), partial(component(options), options), options)


def test_masked_batch_norm_is_the_batch_norm_of_the_steps() -> None:
    own, reference = BatchNorm(3), nn.BatchNorm1d(3)
    values, lengths = torch.randn(4, 3, 6) * 3 + 1, torch.tensor([6, 1, 4, 2])
    is_step = torch.arange(6) < lengths[:, None]
    found = own(values, is_step.unsqueeze(1)).transpose(1, 2)[is_step]
    torch.testing.assert_close(found, reference(values.transpose(1, 2)[is_step]))
    for name, expected in reference.state_dict().items():
        torch.testing.assert_close(own.state_dict()[name], expected)


def test_a_lone_step_is_normalised_by_the_running_figures_and_leaves_them() -> None:
    norm, values = BatchNorm(3), torch.randn(1, 3, 6)
    norm(torch.randn(5, 3, 6) * 3 + 1, torch.ones(5, 1, 6, dtype=torch.bool))
    before = {name: norm.state_dict()[name].clone() for name in ("running_mean", "running_var")}
    found = norm(values, torch.arange(6).view(1, 1, 6) < 1)[:, :, 0]
    torch.testing.assert_close(found, norm.eval()(values)[:, :, 0])
    for name, expected in before.items():
        assert torch.equal(norm.state_dict()[name], expected)


@pytest.mark.parametrize(
    ("options", "shape", "key", "message"),
    [
        (
            CNNOptions(channels=[4, 4], kernel_size=7, padding=0),
            Shape("image", (1, 16, 9)),
            "channels",
            "stage 2 of `channels` sees 5 x 1 pixels, too few for `kernel_size: 7`",
        ),
        (
            CNNOptions(pooling="flatten"),
            Shape("sequence", (9, 4), varies=True),
            "pooling",
            "`pooling: flatten` needs sequences of one length",
        ),
    ],
)
def test_shapes_that_do_not_fit_are_told(options, shape, key, message) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        component(options)(options, shape)
    assert caught.value.faults[0].path == ("model", key)


@pytest.mark.parametrize(
    ("options", "given", "message"),
    [
        (CNNOptions, {"residual": True, "kernel_size": 4}, "`kernel_size` has to be odd"),
        (CNNOptions, {"residual": True, "padding": 1}, "`padding` null"),
        (TransformerOptions, {"d_model": 10, "nhead": 4}, "`nhead: 4` equal parts"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options, given, message) -> None:
    with pytest.raises(ValueError, match=message):
        options(**given)
