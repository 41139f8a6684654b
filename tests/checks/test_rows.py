"""What counting rows shows: copies between parts, constants, missing values, rare classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dlcli.checks.finding import Finding
from dlcli.checks.leak import check_leaks
from dlcli.checks.rows import check_rows
from tests.checks.made import begun, classes, table, write_table


def found(folder: Path, data: str = "", *more: tuple[str, list[object]]) -> dict[str, Finding]:
    values, targets = classes()
    write_table(folder, values, targets, *more)
    prepared, _ = begun(folder, table(data))
    return {finding.name: finding for finding in check_rows(prepared)}


def test_a_sound_table_has_nothing_wrong(tmp_path: Path) -> None:
    assert {finding.status for finding in found(tmp_path).values()} == {"ok"}


def copies(folder: Path, *, copied: int, twins: int) -> Finding:
    """Check 150 training rows, the last of them twins, and 30 val rows, some of them copied."""
    values, targets = classes(180)
    values[150 - twins : 150] = values[:twins]
    targets[150 - twins : 150] = targets[:twins]
    values[150 : 150 + copied] = values[twins : twins + copied]
    targets[150 : 150 + copied] = targets[twins : twins + copied]
    write_table(folder, values, targets, ("part", ["train"] * 150 + ["val"] * 30))
    prepared, _ = begun(folder, table(", split: {column: part}"))
    return {finding.name: finding for finding in check_rows(prepared)}["duplicates"]


@pytest.mark.parametrize(
    ("copied", "twins", "status"),
    [(30, 0, "warning"), (5, 0, "warning"), (1, 0, "ok"), (0, 0, "ok"), (8, 40, "ok")],
)
def test_copied_rows_are_told_from_rows_that_are_alike_by_chance(
    copied: int, twins: int, status: str, tmp_path: Path
) -> None:
    finding = copies(tmp_path, copied=copied, twins=twins)
    assert finding.status == status
    if status == "warning":
        assert f"{copied} of 30 val rows are training rows too" in finding.message


def test_a_constant_target_is_no_column_to_leave_out(tmp_path: Path) -> None:
    values, _ = classes()
    write_table(tmp_path, values, [3.5] * len(values), ("same", [7] * len(values)))
    for drop, remedy in {
        ", drop: [same]": "rows in which the target differs, or another `data.target`",
        "": "rows in which the target differs, or another `data.target`; leave such columns out",
    }.items():
        prepared, made = begun(tmp_path, table(f", types: {{y: numeric}}{drop}"))
        finding = next(one for one in check_rows(prepared) if one.name == "constant")
        assert (finding.status, finding.remedy) == ("warning", remedy)
        leak = check_leaks(prepared.examples["train"], made.learner.preprocessor.spec, classes=0)
        assert leak is not None
        assert leak.status == "ok"


def test_a_constant_column_is_named(tmp_path: Path) -> None:
    finding = found(tmp_path, "", ("same", [7] * 200))["constant"]
    assert finding.status == "warning"
    assert "drop: [same]" in finding.message


def test_missing_values_are_counted(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    cells = [None if random.random() < 0.1 else n % 9 for n in range(200)]
    rare = [n % 4 if n % 5 == 0 else None for n in range(200)]
    words = [None if n % 4 == 0 else "uv"[n % 2] for n in range(200)]
    some = found(tmp_path, "", ("some", cells), ("word", words))["missing"]
    assert some.status == "ok"
    assert "`some` " in some.message
    assert "`word` 2" in some.message  # about 25 % of the training rows
    most = found(tmp_path, "", ("rare", rare))["missing"]
    assert most.status == "warning"
    assert "`rare` 8" in most.message
    assert most.remedy.startswith("`data.drop: [rare]`")


def test_a_rare_class_is_named(tmp_path: Path) -> None:
    values, targets = classes()
    targets[:3] = ["odd"] * 3
    write_table(tmp_path, values, targets)
    prepared, _ = begun(tmp_path, table())
    finding = {finding.name: finding for finding in check_rows(prepared)}["classes"]
    assert finding.status == "warning"
    assert "`odd`" in finding.message


def test_what_preparing_warned_of_is_told_once(tmp_path: Path) -> None:
    values, targets = classes()
    write_table(tmp_path, values, targets, ("twin", targets), ("same", [1] * 200))
    prepared, _ = begun(tmp_path, table())
    findings = list(check_rows(prepared))
    warned = [finding for finding in findings if finding.status == "warning"]
    assert [finding.name for finding in warned] == ["constant", "preparation"]
    assert "input `twin` equals the target" in warned[1].message
