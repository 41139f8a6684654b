"""Measurements become the page of results."""

from __future__ import annotations

from pathlib import Path
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.measurement import Measurement, append, read
from benchmarks.table import details, growth, overview, page, ratio, startup, whole_overview

SECONDS = st.floats(0.01, 100)


def measured(program: str, *seconds: float, work: str = "digits") -> list[Measurement]:
    """One measurement a round: 1,000 rows in so many seconds, in a process of a second more."""
    return [
        Measurement(work, program, number, seconds=s, rows=1000, score=0.9, whole_seconds=s + 1)
        for number, s in enumerate(seconds, 1)
    ]


def cells(table: str, row: str) -> dict[str, str]:
    """Return the row of a table that begins so, by column."""
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    (found,) = [line for line in lines if line[0] == row]
    return dict(zip(lines[0], found, strict=True))


def test_the_ratio_is_the_median_of_the_rounds_ratios() -> None:
    ours, theirs = measured("dlcli", 1, 10, 2), measured("plain", 8, 20, 2)

    found = ratio(ours, theirs, lambda m: m.rate)

    assert found == 2  # of 8, 2 and 1
    assert median(m.rate for m in ours) / median(m.rate for m in theirs) == 4


@given(st.lists(st.tuples(SECONDS, SECONDS, SECONDS), min_size=1, max_size=7))
def test_a_machine_that_slows_both_in_a_round_changes_no_ratio(
    rounds: list[tuple[float, float, float]],
) -> None:
    ours, theirs, slower = zip(*rounds, strict=True)

    quiet = ratio(measured("a", *ours), measured("b", *theirs), lambda m: m.seconds)
    busy = ratio(
        measured("a", *(s * k for s, k in zip(ours, slower, strict=True))),
        measured("b", *(s * k for s, k in zip(theirs, slower, strict=True))),
        lambda m: m.seconds,
    )

    assert busy == pytest.approx(quiet)


def test_only_rounds_that_both_took_part_in_count() -> None:
    once = measured("keras", 1, 1, 6)[2:]

    assert ratio(measured("dlcli", 1, 2, 3), once, lambda m: m.rate) == 2
    assert ratio(measured("dlcli", 1), once, lambda m: m.rate) is None


def test_overview_is_against_the_plain_loop() -> None:
    runs = [
        *measured("dlcli", 1, 2, 4),
        *measured("plain", 4, 4, 4),
        *measured("dlcli", 1, work="adult"),
        *measured("pandas", 3, work="adult"),
    ]

    table = overview(runs)

    assert cells(table, "digits") == {
        "work": "digits",
        "dlcli": "2.00",
        "plain loop": "1.00",
        "plain loop, pandas": "",
    }
    assert cells(table, "adult")["dlcli"] == "3.00"
    assert cells(whole_overview(runs), "digits")["plain loop"] == "5.00"


def test_details_are_medians_with_dlcli_over_each() -> None:
    table = details([*measured("plain", 4, 8, 6), *measured("dlcli", 1, 2, 3)])

    assert cells(table, "plain loop") == {
        "program": "plain loop",
        "seconds": "6.000",
        "least to most": "4.000 to 8.000",
        "rows/s": "167",
        "dlcli's rate / its": "4.00",
        "whole process, s": "7.00",
        "dlcli's / its": "0.40",
        "processor, s": "0.00",
        "peak, MB": "0",
        "own pages, MB": "0",
        "score": "0.9000",
    }


def test_a_program_that_could_not_run_leaves_its_row_empty_and_says_why() -> None:
    failed = Measurement("digits", "keras", 1, failure="no environment `torch`")

    text = page([*measured("dlcli", 1), failed], ["Machine: one."])

    assert set(cells(details([*measured("dlcli", 1), failed]), "Keras (torch)").values()) == {
        "Keras (torch)",
        "",
    }
    assert "- Keras (torch): no environment `torch`" in text


def test_growth_is_over_the_smallest_table() -> None:
    small, large = (
        Measurement("linear", f"{rows} rows", 1, seconds=seconds, rows=rows)
        for rows, seconds in ((100, 1e-4), (1000, 2e-3))
    )

    assert cells(growth([small, large]), "1000 rows")["over the smallest table's"] == "2.00"
    assert cells(growth([small, large]), "100 rows")["µs a row"] == "1.000"


def test_measurements_are_kept_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "kept.jsonl"
    first, second = measured("dlcli", 1.5, 2.25)

    append(path, [first])
    append(path, [second])

    assert read(path) == [first, second]
    assert read(tmp_path / "none.jsonl") == []


def test_startup_is_over_bare_python_and_over_the_import_of_torch() -> None:
    seconds = {"python -c pass": (0.1, 0.2), "import torch": (1.0, 4.0), "dlcli --help": (0.2, 1.2)}
    found = [
        Measurement("startup", name, number, whole_seconds=s)
        for name, each in seconds.items()
        for number, s in enumerate(each, 1)
    ]
    failed = Measurement("startup", "five faults", 1, failure="exit code 1")

    table = startup([*found, failed])

    assert cells(table, "`dlcli --help`") == {
        "command": "`dlcli --help`",
        "seconds": "0.700",
        "over `python -c pass`": "4.00",  # of 2 and 6
        "over `import torch`": "0.25",
    }
    assert cells(table, "`five faults`")["seconds"] == ""
    assert "- five faults: exit code 1" in page([*found, failed], [])
