"""Memory grows with the tensors of the data and with nothing else; the limits are those promised.

Peaks are of whole processes, in bytes over a bare `import torch`: the resident set, and the
anonymous pages alone. `python -m benchmarks.memory` shows them for one and four million rows.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from benchmarks.memory import (
    Peak,
    measure_prediction,
    measure_torch,
    measure_training,
    measure_windows,
    series_bytes,
    tensor_bytes,
    write_series,
    write_table,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peaks come from /proc"),
]

FEW, MANY = 500_000, 2_000_000
MB = 10**6


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("memory")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def torch(folder) -> Peak:
    return measure_torch(folder)


def assert_within(peak: Peak, base: Peak, limit: float) -> None:
    assert peak.resident - base.resident <= limit
    assert peak.anonymous - base.anonymous <= limit


def test_memory_grows_by_the_tensors_in_training_and_not_at_all_in_prediction(folder, torch):
    tables = [write_table(folder / f"{rows}.csv", rows, target="class") for rows in (FEW, MANY)]
    sizes = [tensor_bytes(rows, target="class") for rows in (FEW, MANY)]

    few, many = (measure_training(path, target="class") for path in tables)
    predicted_few, predicted_many = (measure_prediction(path) for path in tables)

    assert_within(few, torch, 200 * MB + 2.5 * sizes[0])
    assert_within(many, torch, 200 * MB + 2.5 * sizes[1])
    assert_within(many, few, 2 * (sizes[1] - sizes[0]))
    # The resident set counts pages of torch's libraries too, by chance 50 MB more or less.
    assert predicted_many.anonymous - predicted_few.anonymous <= 50 * MB


def test_rows_from_the_cache_take_no_memory_but_for_drawing_the_parts(folder, torch):
    """Which are drawn once: from the second time on not even that."""
    tables = [
        write_table(folder / f"m{rows}.parquet", rows, target="class") for rows in (FEW, MANY)
    ]
    few, many = (measure_training(path, target="class", cache="always") for path in tables)
    again = measure_training(tables[1], target="class", cache="always")
    assert many.anonymous - few.anonymous <= 60 * (MANY - FEW)
    assert again.anonymous - torch.anonymous <= 250 * MB  # `roc_auc` keeps every score


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_many_processors_take_no_memory_of_their_own(folder, torch, ending):
    path = write_table(folder / f"numbers.{ending}", FEW, target="number")

    trained = measure_training(path, target="number", processors=64)

    assert_within(trained, torch, 200 * MB + 2.5 * tensor_bytes(FEW, target="number"))


def test_windows_take_at_most_three_times_the_series_itself(folder):
    few = measure_windows(write_series(folder / "few.csv", 4_000))
    many = measure_windows(write_series(folder / "many.csv", 1_000_000))

    assert_within(many, few, 3 * series_bytes(1_000_000))
