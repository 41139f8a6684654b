"""What can be wrong with a scheduler is told from the config alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlcli.config.config import Config
from dlcli.config.read import read_config
from dlcli.errors import ConfigError


def read(folder: Path, scheduler: str) -> Config:
    path = folder / "c.yaml"
    path.write_text(f"data: iris\nmodel: mlp\noptimizer: {{lr: 0.01}}\nscheduler: {scheduler}\n")
    return read_config(path).config


FAULTS = [
    ("step", "missing key `step_size` in `scheduler`"),
    ("{name: step, step_size: 0}", "`scheduler.step_size`: expected a whole number from 1"),
    ("multistep", "missing key `milestones` in `scheduler`"),
    ("{name: multistep, milestones: []}", "expected a list of one or more whole numbers"),
    (
        "{name: multistep, milestones: [3, 10, 10]}",
        "`scheduler.milestones`: each epoch must be later than the one before: 10, 10",
    ),
    ("{name: multistep, milestones: [9, 3]}", "must be later than the one before: 9, 3"),
    ("{name: multistep, milestones: [0, 3]}", "expected a whole number from 1"),
    ("{name: exponential, gamma: 1.5}", "expected a number above 0 and up to 1, found `1.5`"),
    ("{name: polynomial, power: 0}", "`scheduler.power`: expected a number above 0"),
    ("{name: cosine, T_mult: 2}", "`scheduler`: `T_mult` needs `T_0`"),
    ("{name: cosine, T_0: 0}", "`scheduler.T_0`: expected a whole number from 1"),
    ("{name: one_cycle, pct_start: 1.2}", "expected a number from 0 to 1, found `1.2`"),
    ("{name: one_cycle, div_factor: 0.5}", "expected a number from 1, found `0.5`"),
    (
        "{name: one_cycle, three_phase: true, pct_start: 0.6}",
        "`scheduler`: `pct_start` is at most 0.5 with `three_phase: true`",
    ),
    ("{name: one_cycle, anneal_strategy: cosine}", "expected `cos` or `linear`"),
    ("{name: reduce_on_plateau, factor: 1}", "expected a number above 0 and below 1, found `1`"),
    ("{name: reduce_on_plateau, patience: -1}", "expected a whole number from 0"),
    (
        "{name: reduce_on_plateau, threshold: 1.0}",
        "`scheduler`: `threshold` is a share below 1 unless `threshold_mode: abs`",
    ),
    (
        "{name: reduce_on_plateau, min_lr: 0.1}",
        "`scheduler.min_lr`: 0.1 is above the learning rate itself, `optimizer.lr` 0.01",
    ),
]


@pytest.mark.parametrize(("scheduler", "message"), FAULTS)
def test_a_fault_is_told_at_its_line(tmp_path: Path, scheduler: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, scheduler)
    (fault,) = caught.value.faults
    assert caught.value.code == 3
    assert message in fault.message
    assert fault.line == 4


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("StepLR", "step"),
        ("MultiStepLR", "multistep"),
        ("ExponentialLR", "exponential"),
        ("LinearLR", "linear"),
        ("PolynomialLR", "polynomial"),
        ("CosineAnnealingLR", "cosine"),
        ("CosineAnnealingWarmRestarts", "cosine"),
        ("OneCycleLR", "one_cycle"),
        ("ReduceLROnPlateau", "reduce_on_plateau"),
    ],
)
def test_torchs_names_are_understood(tmp_path: Path, name: str, meant: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, name)
    assert caught.value.faults[0].suggestion == f"did you mean `{meant}`?"


def test_a_threshold_that_is_a_difference_may_be_large(tmp_path: Path) -> None:
    config = read(tmp_path, "{name: reduce_on_plateau, threshold: 5, threshold_mode: abs}")
    assert config.scheduler.model_dump()["threshold"] == 5
