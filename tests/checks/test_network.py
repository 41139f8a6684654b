"""What a network shows before its first step."""

from __future__ import annotations

from math import log
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from dlcli.build import Learner
from dlcli.checks.finding import Finding
from dlcli.checks.network import check_network, first_loss, frozen_layers, outputs_of, squashed
from dlcli.commands.check import _drawn_anew
from dlcli.data.spec import Batch
from dlcli.errors import ConfigError
from tests.checks.made import begun, classes, table, with_network, write_table


@pytest.fixture
def learner(tmp_path: Path) -> Learner:
    values, targets = classes()
    write_table(tmp_path, values, targets)
    _, training = begun(tmp_path, table())
    return training.learner


@pytest.fixture
def probe() -> Batch:
    generator = torch.Generator().manual_seed(0)
    inputs = {"numbers": torch.randn(64, 3, generator=generator)}
    return Batch(inputs, torch.randint(0, 3, (64,), generator=generator))


class Own(nn.Module):
    """Layers over the block of numbers."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        outputs: torch.Tensor = self.layers(inputs["numbers"])
        return outputs


def by_name(learner: Learner, probe: Batch) -> dict[str, Finding]:
    return {finding.name: finding for finding in check_network(learner, probe, None)}


def test_a_sound_network_has_nothing_wrong(learner: Learner, probe: Batch) -> None:
    before = {name: value.clone() for name, value in learner.network.state_dict().items()}
    findings = by_name(learner, probe)
    assert {finding.status for finding in findings.values()} == {"ok"}
    assert findings["shapes"].message.startswith("numbers (N, 3) -> (N, 3); 115 trained")
    after = learner.network.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_outputs_of_another_shape_are_refused(learner: Learner, probe: Batch) -> None:
    wrong = with_network(learner, Own(nn.Linear(3, 4)))
    with pytest.raises(ConfigError, match=r"\(64, 4\).* takes \(64, 3\)"):
        by_name(wrong, probe)


@pytest.mark.parametrize(
    ("end", "status"),
    [(nn.Softmax(1), "warning"), (nn.Identity(), "ok"), (nn.LogSoftmax(1), "ok")],
)
def test_a_softmax_before_cross_entropy(
    end: nn.Module, status: str, learner: Learner, probe: Batch
) -> None:
    network = Own(nn.Linear(3, 3), end)
    before = network.layers[0].weight.clone()
    finding = squashed(with_network(learner, network), probe)
    assert torch.equal(network.layers[0].weight, before)
    assert finding.status == status
    assert (status == "ok") == ("softmax" not in finding.message)


@pytest.mark.parametrize(("end", "status"), [(nn.Sigmoid(), "warning"), (nn.Identity(), "ok")])
def test_a_sigmoid_before_bce(end: nn.Module, status: str, tmp_path: Path, probe: Batch) -> None:
    values, targets = classes()
    write_table(tmp_path, values, [target == "x" for target in targets])
    _, training = begun(tmp_path, table(rest="model: linear\nloss: bce\n"))
    flat = Own(nn.Linear(3, 1), nn.Flatten(0), end)
    nn.init.normal_(flat.layers[0].weight, std=0.01)  # in 0..1 by chance, were it not stretched
    nn.init.constant_(flat.layers[0].bias, 0.5)
    finding = squashed(with_network(training.learner, flat), probe)
    assert finding.status == status
    assert (status == "ok") == ("sigmoid" not in finding.message)


def test_the_loss_of_chance_is_ln_k(learner: Learner, probe: Batch) -> None:
    finding = first_loss(learner, probe, outputs_of(learner.network, probe.inputs))
    assert f"all 0 {log(3):.4f} (ln 3)" in finding.message


def test_the_loss_of_chance_is_the_variance(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(100, 3))
    write_table(tmp_path, values, (50 + 9 * values.sum(1)).tolist())
    _, training = begun(tmp_path, table())
    train = training.examples["train"]
    probe = train.slice(0, len(train))
    outputs = outputs_of(training.learner.network, probe.inputs)
    assert "all 0 1.0000" in first_loss(training.learner, probe, outputs).message


def test_a_first_loss_far_above_chance_is_named(learner: Learner, probe: Batch) -> None:
    finding = first_loss(learner, probe, 100 * outputs_of(learner.network, probe.inputs))
    assert finding.status == "warning"


@pytest.mark.parametrize(
    ("frozen", "status", "named"),
    [
        ("[head]", "warning", "output layer `head.linear` is frozen at random weights"),
        ("[body]", "warning", "frozen at random weights: `body.layers.0.0`"),
    ],
)
def test_layers_frozen_as_they_were_drawn(
    frozen: str, status: str, named: str, tmp_path: Path, probe: Batch
) -> None:
    write_table(tmp_path, *classes())
    prepared, training = begun(tmp_path, table(), f"train.freeze={frozen}")
    fresh = _drawn_anew(prepared, training)
    assert fresh is not None
    finding = frozen_layers(training.learner.network, fresh, probe)
    assert finding.status == status
    assert named in finding.message
    with torch.no_grad():  # as if a checkpoint had given other ones
        for parameter in training.learner.network.parameters():
            parameter += 1
    assert frozen_layers(training.learner.network, fresh, probe).status == "ok"


def test_dead_units_are_named(learner: Learner, probe: Batch) -> None:
    dead = Own(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 3))
    nn.init.constant_(dead.layers[0].bias, -1e6)
    finding = by_name(with_network(learner, dead), probe)["dead units"]
    assert finding.status == "warning"
    assert "`layers.1`" in finding.message
