"""Layers that mix the rows of a batch are told from those that do not."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from dlcli.checks.independence import check_independence
from dlcli.data.spec import Batch
from tests.checks.made import begun
from tests.kinds import KINDS

VALUES = torch.randn(16, 6, generator=torch.Generator().manual_seed(0))


class Over(nn.Module):
    """Something done to values (N, 6) between two layers."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.first, self.layer, self.last = nn.Linear(6, 6), layer, nn.Linear(6, 2)

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        outputs: Tensor = self.last(self.layer(self.first(inputs["numbers"])))
        return outputs


class Centred(nn.Module):
    def forward(self, values: Tensor) -> Tensor:
        return values - values.mean(0)


class Turned(nn.Module):
    """A reshape where a transpose was meant."""

    def forward(self, values: Tensor) -> Tensor:
        return values.reshape(6, -1).t()


class InTraining(nn.Module):
    def forward(self, values: Tensor) -> Tensor:
        return values.softmax(0) if self.training else values


@pytest.mark.parametrize(
    ("layer", "modes"),
    [
        (Centred(), "eval and train"),
        (Turned(), "eval and train"),
        (InTraining(), "train"),
        (nn.BatchNorm1d(6), ""),
        (nn.LayerNorm(6), ""),
        (nn.Dropout(0.5), ""),
        (nn.utils.parametrizations.spectral_norm(nn.Linear(6, 6)), ""),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_layers(layer: nn.Module, modes: str) -> None:
    network = Over(layer)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    finding = check_independence(network, Batch({"numbers": VALUES}, VALUES[:, 0]))
    assert finding is not None
    assert finding.status == ("warning" if modes else "ok")
    assert f"(in {modes} mode)" in finding.message or not modes
    after = network.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


class Counting(nn.Module):
    """Changes by being called, whatever it is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, values: Tensor) -> Tensor:
        self.calls += 1
        return values * (1 + self.calls / 100)


def test_a_layer_that_changes_by_itself_mixes_nothing() -> None:
    finding = check_independence(Over(Counting()), Batch({"numbers": VALUES}, VALUES[:, 0]))
    assert finding is not None
    assert finding.status == "ok"


class Longest(nn.Module):
    """Cuts all rows to the longest, so that dropout draws otherwise where that is another one."""

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        tokens = inputs["text"]
        seen = tokens[:, : int((tokens > 0).sum(1).max())]
        return torch.nn.functional.dropout(seen.float(), 0.5, self.training).sum(1, keepdim=True)


def test_longer_padding_mixes_nothing() -> None:
    tokens = torch.tensor([[4, 5, 6, 7], [1, 2, 0, 0], [3, 0, 0, 0]])
    finding = check_independence(Longest(), Batch({"text": tokens}, torch.zeros(3)))
    assert finding is not None
    assert finding.status == "ok"


@pytest.mark.parametrize("kind", KINDS)
def test_no_architecture_mixes_rows(kind: str, tmp_path: Path) -> None:
    config = KINDS[kind].write_config(tmp_path)
    _, training = begun(tmp_path, (tmp_path / config).read_text())
    train = training.examples["train"]
    probe = train.take(torch.arange(min(len(train), 16)))
    finding = check_independence(training.learner.network, probe)
    assert finding is not None
    assert finding.status == "ok", finding


def test_equal_rows_are_not_judged() -> None:
    probe = Batch({"numbers": torch.ones(4, 6)}, torch.zeros(4))
    assert check_independence(Over(Centred()), probe) is None
