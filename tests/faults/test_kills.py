"""A few of the experiments of `kills`, which by hand makes hundreds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.kills import run_experiments, summed_up


@pytest.mark.slow
@pytest.mark.parametrize("is_orderly", [False, True], ids=["kills", "signals"])
def test_a_training_stopped_at_random_moments_ends_as_if_it_had_not_been(
    is_orderly: bool, tmp_path: Path
) -> None:
    stops = 4 if is_orderly else 6
    found = run_experiments(tmp_path, stops=stops, seed=1, is_orderly=is_orderly)
    summary = summed_up(found, 0)
    assert summary["faults"] == []
    assert summary["as_if_never_stopped"] == len(found)
    assert summary["most_lost_steps"] <= 1
