"""Inputs that alone tell the target are named, and no others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dlcli.checks.finding import Finding
from dlcli.checks.leak import check_leaks
from tests.checks.made import begun, classes, table, write_table


def leak(folder: Path) -> Finding | None:
    prepared, training = begun(folder, table())
    spec, count = prepared.preprocessor.spec, len(training.learner.task.classes)
    return check_leaks(prepared.examples["train"], spec, classes=count)


LEAKS = {
    "a code": lambda codes, _: codes + 1,
    "a noisy code": lambda codes, random: codes + 0.05 * random.normal(size=len(codes)),
    "another order": lambda codes, _: np.array([7.0, -3.0, 0.5])[codes],
    "a word": lambda codes, _: np.array(["u", "v", "w"])[codes],
}


@pytest.mark.parametrize("kind", LEAKS)
def test_a_leaked_class_is_named(kind: str, tmp_path: Path) -> None:
    values, targets = classes()
    codes = np.array(["xyz".index(target) for target in targets])
    column = LEAKS[kind](codes, np.random.default_rng(1))
    write_table(tmp_path, values, targets, ("late", column.tolist()))
    finding = leak(tmp_path)
    assert finding is not None
    assert finding.status == "warning"
    assert "`late` (100.0% of the majority class's errors go)" in finding.message
    assert "`a`" not in finding.message
    assert "data.drop: [late]" in finding.remedy


@pytest.mark.parametrize("power", [1, 3])
def test_a_leaked_number_is_named(power: int, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    values = random.normal(size=(200, 3))
    targets = values.sum(1) + random.normal(size=200)
    late = targets**power * 40 + 5 + 0.01 * random.normal(size=200)
    write_table(tmp_path, values, targets.tolist(), ("late", late.tolist()))
    finding = leak(tmp_path)
    assert finding is not None
    assert finding.status == "warning"
    assert "`late`" in finding.message
    assert "variance" in finding.message


def test_inputs_that_tell_together_are_no_leak(tmp_path: Path) -> None:
    values, _ = classes()
    write_table(tmp_path, values, values.sum(1).tolist())
    finding = leak(tmp_path)
    assert finding is not None
    assert finding.status == "ok"


def test_a_single_input_may_tell_everything(tmp_path: Path) -> None:
    _, training = begun(tmp_path, "data: line\nmodel: linear\n")
    spec = training.learner.preprocessor.spec
    assert check_leaks(training.examples["train"], spec, classes=0) is None
