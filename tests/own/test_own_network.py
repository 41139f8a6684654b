"""A network of the user's behind every kind of data: its shapes, its batches, its faults."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import dlcli
from dlcli.build import component
from dlcli.commands.generate import continuation
from dlcli.commands.train import train_config
from dlcli.config.model import ModelOptions
from dlcli.config.read import read_config
from dlcli.data.spec import NUMBERS, DataSpec, Field
from dlcli.errors import ConfigError, OwnCodeError
from dlcli.models.network import build_network
from dlcli.trained import TrainedModel
from tests.kinds import KINDS, SERIES, Kind, write_series
from tests.own.made import made

NETS = """\
import math
import torch
from torch import nn


class Flat(nn.Module):
    def __init__(self, *, inputs, outputs):
        super().__init__()
        self.inputs = inputs
        self.out = nn.Sequential(
            nn.Flatten(),
            nn.Linear(math.prod(inputs), 8),
            nn.Tanh(),
            nn.Linear(8, math.prod(outputs)),
        )

    def forward(self, values):
        assert values.shape[1:] == self.inputs
        return self.out(values)


class Vector(Flat):
    takes = "vector"


class Pairs(nn.Module):
    takes = "ids"

    def __init__(self, *, inputs, outputs):
        super().__init__()
        assert outputs == ()
        self.tables = nn.ModuleList(nn.Embedding(size, 4) for size in inputs)

    def forward(self, ids):
        left, right = (table(ids[:, n]) for n, table in enumerate(self.tables))
        return (left * right).sum(1)


class Recurrent(nn.Module):
    def __init__(self, *, inputs, outputs):
        super().__init__()
        self.read = nn.GRU(inputs[1], 6, batch_first=True)
        self.out = nn.Linear(6, math.prod(outputs))

    def forward(self, values, lengths):
        states, _ = self.read(values)
        return self.out(states[torch.arange(len(values)), lengths - 1])


class Steps(nn.Module):
    def __init__(self, *, inputs, outputs):
        super().__init__()
        self.read = nn.GRU(inputs[1], 6, batch_first=True)
        self.out = nn.Linear(6, outputs[0])

    def forward(self, values):
        return self.out(self.read(values)[0])


class Ahead(nn.Module):
    def __init__(self, *, inputs, outputs, known):
        super().__init__()
        self.known = known
        self.past = nn.Linear(inputs[1], 1)
        self.out = nn.Linear(inputs[0] + math.prod(known), math.prod(outputs))

    def forward(self, values, known):
        assert known.shape[1:] == self.known
        return self.out(torch.cat([self.past(values).flatten(1), known.flatten(1)], 1))
"""
FORMS = {
    "picture folder": ["Flat", "Vector"],
    "sounds": ["Flat"],
    "texts": ["Flat", "Vector", "Recurrent"],
    "series": ["Flat", "Ahead"],
    "series of several targets": ["Flat"],
    "sequences": ["Flat", "Recurrent"],
    "ratings": ["Pairs", "Flat"],
    "running text": ["Steps"],
}
CASES = [(kind, net) for kind, nets in FORMS.items() for net in nets]


def trained(kind: Kind, net: str, folder: Path) -> TrainedModel:
    """Train an epoch on a kind of data and open what that gives."""
    config = folder / kind.write_config(folder, epochs=1)
    (folder / "nets.py").write_text(NETS)
    model = f"model={folder / 'nets.py'}:{net}"
    read = read_config(config, [model], trust_code=True)
    done = train_config(read, runs_dir=folder / "runs", is_quiet=True)
    return dlcli.load(done.data["checkpoint"], trust_code=True)


@pytest.mark.parametrize(("kind", "net"), CASES)
def test_law_4_a_prediction_does_not_depend_on_its_batch_mates(
    kind: str, net: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if net == "Ahead":
        known = Kind(f"{SERIES}, target: load, known: [wind]", "mlp", write_series, "", ())
        model = trained(known, net, tmp_path)
        assert isinstance(model.learner.network, nn.Module)
        return
    model = trained(KINDS[kind], net, tmp_path)
    records = KINDS[kind].records
    if kind == "running text":
        assert len("".join(continuation(model, "the c", length=20))) == 20
        return
    together = model.predict(records)
    if not kind.startswith("series"):
        alone = [model.predict([record])[0] for record in records]
        assert together == (pytest.approx(alone, rel=1e-5) if kind == "ratings" else alone)


# the network alone

FIELDS = (Field("x", "number", (6,)),)
SPEC = DataSpec(FIELDS, (Field("y", "category", size=3),))


def built(text: str, outputs: tuple[int, ...] = (3,), spec: DataSpec = SPEC) -> nn.Module:
    options = made(ModelOptions, text)
    return build_network(spec, outputs, partial(component(options), options), options)


def net(forward: str = "pass", init: str = "pass", *, more: str = "") -> str:
    return f"""
class X(nn.Module):
    def __init__(self, *, inputs, outputs{more}):
        super().__init__()
        self.layer = nn.Linear(6, 3)
        {init}
    def forward(self, values):
        {forward}
"""


EXTRA = f"""{net("pass")}
    def get_extra_state(self):
        return 5
    def set_extra_state(self, state):
        pass
"""


def run(network: nn.Module, rows: int = 5) -> Tensor:
    outputs: Tensor = network({NUMBERS: torch.ones(rows, 6)})
    return outputs


@pytest.mark.parametrize(
    ("outputs", "gives"),
    [((), "(5, 1)"), ((), "(5,)"), ((3,), "(5, 3)"), ((2, 3), "(5, 6)"), ((2, 3), "(5, 2, 3)")],
)
def test_outputs_may_come_flat(outputs: tuple[int, ...], gives: str) -> None:
    assert run(built(net(f"return torch.zeros{gives}"), outputs)).shape == (5, *outputs)


@pytest.mark.parametrize(
    ("forward", "said"),
    [
        ("return self.layer(values)[:, :2]", "gives outputs of shape (5, 2), expected (5, 3)"),
        ("return self.layer(values)[:4]", "gives outputs of shape (4, 3), expected (5, 3)"),
        ("return self.layer(values).mean()", "gives outputs of shape (), expected (5, 3)"),
        ("return self.layer(values).argmax(1)", "gives torch.int64, expected a tensor of floating"),
        ("return values, 1", "gives tuple, expected a tensor of floating point numbers"),
        ("pass", "gives NoneType, expected a tensor of floating point numbers"),
    ],
)
def test_a_wrong_output_is_one_clear_line(forward: str, said: str) -> None:
    network = built(net(forward))
    with pytest.raises(OwnCodeError) as caught:
        run(network)
    (fault,) = caught.value.faults
    assert said in fault.message
    assert (fault.file, fault.line, fault.source) == ("x.py", 5, "class X(nn.Module):")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("class X:\n def __init__(self, *, inputs, outputs): pass", "is no torch.nn.Module"),
        (net("pass", "self.layer = nn.LazyLinear(3)"), "has lazy layers"),
        (net("pass", "self.layer = nn.ReLU()"), "has no parameters: there is nothing to train"),
        (net("pass", "for p in self.parameters(): p.requires_grad_(False)"), "no parameters"),
        (EXTRA, "keeps `net._extra_state`, which is no tensor"),
    ],
)
def test_a_module_that_cannot_be_trained_or_saved_is_refused(text: str, said: str) -> None:
    with pytest.raises(OwnCodeError, match=said):
        built(text)


def test_its_parameters_bear_its_own_names() -> None:
    names = [name for name, _ in built(net("return self.layer(values)")).named_parameters()]
    assert names == ["net.layer.weight", "net.layer.bias"]


def test_a_seed_draws_what_it_draws_for_the_same_layers_by_hand() -> None:
    torch.manual_seed(3)
    network = built(net("return self.layer(values)"))
    torch.manual_seed(3)
    assert torch.equal(next(network.parameters()), nn.Linear(6, 3).weight)


def test_padding_is_zeros_as_far_as_the_longest_sequence_can_be() -> None:
    """Beside the text stands a number, which the stem repeats in every step."""
    text = Field("t", "tokens", (5,), size=6, embedding_size=2)
    spec = DataSpec((text, Field("x", "number", (1,))), SPEC.targets)
    network = built(
        """
class X(nn.Module):
    def __init__(self, *, inputs, outputs):
        super().__init__()
        self.layer = nn.Linear(15, 3)
    def forward(self, values):
        return self.layer(values.flatten(1))
""",
        spec=spec,
    )
    codes, numbers = torch.tensor([[2, 3, 4, 0, 0], [5, 0, 0, 0, 0]]), torch.tensor([[1.0], [2.0]])
    together = network({"t": codes, NUMBERS: numbers})
    for row in (0, 1):
        alone = network({"t": codes[row : row + 1], NUMBERS: numbers[row : row + 1]})
        torch.testing.assert_close(alone[0], together[row])


def test_columns_known_ahead_are_not_lost_in_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    known = Kind(f"{SERIES}, target: load, known: [wind]", "mlp", write_series, "", ())
    with pytest.raises(ConfigError, match=r"nets.py:Flat` does not take `known`"):
        trained(known, "Flat", tmp_path)
