"""Inputs and targets of a size that networks do not learn are named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dlcli.checks.scale import check_scale
from tests.checks.made import begun, table, write_table


@pytest.mark.parametrize(
    ("factor", "data", "named"),
    [
        (1e4, ", scaling: none", "`b` 1"),
        (1e4, "", ""),
        (1.0, ", scaling: none", ""),
        (1e-5, ", scaling: none", "`b` "),
    ],
)
def test_inputs(factor: float, data: str, named: str, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    values = random.normal(size=(100, 3)) * [1, factor, 1]
    write_table(tmp_path, values, values.sum(1).tolist())
    prepared, _ = begun(tmp_path, table(data))
    spec = prepared.preprocessor.spec
    (finding,) = check_scale(prepared.examples["train"], spec, scales_targets=True)
    assert finding.status == ("warning" if named else "ok")
    assert named in finding.message


def test_targets(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(100, 3))
    write_table(tmp_path, values, (3000 + values.sum(1)).tolist())
    for scaling, names in {
        "none": ["input scale", "target scale"],
        "auto": ["input scale"],
    }.items():
        prepared, _ = begun(tmp_path, table(f", target_scaling: {scaling}"))
        spec = prepared.preprocessor.spec
        findings = list(check_scale(prepared.examples["train"], spec, scales_targets=True))
        assert [finding.name for finding in findings] == names
    assert findings[0].status == "ok"
