"""The laws of the training loop where several processes share it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dlcli.training.distributed import SingleProcess, stretch
from tests.ranks import in_ranks
from tests.training import rank_cases
from tests.training.test_trainer import LAW_3

LEFT = [
    pytest.param(("essential", 2), id="2 ranks"),
    *(
        pytest.param((name, count), id=f"{name}, {count} ranks", marks=pytest.mark.slow)
        for name in ("everything", "everything_sharded")
        for count in (2, 3)
    ),
]


@pytest.fixture(scope="module", params=LEFT)
def left(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    """What is left behind on each rank; of shared models rank 0 has all of it."""
    name, count = request.param
    ranks = in_ranks(f"tests.training.rank_cases:{name}", count)
    return ranks[:1] if name == "everything_sharded" else ranks


@pytest.fixture(scope="module")
def alone() -> dict[str, Any]:
    """What one process leaves behind."""
    process = SingleProcess()
    return rank_cases.law_3(process, LAW_3) | rank_cases.optimizers(process)


@given(st.integers(0, 100), st.integers(1, 9))
def test_every_row_is_one_ranks(rows: int, ranks: int) -> None:
    shares = [range(rows)[stretch(rows, rank, ranks)] for rank in range(ranks)]
    assert [row for share in shares for row in share] == list(range(rows))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_law_3_ranks_do_what_one_process_does(
    left: list[dict[str, Any]], alone: dict[str, Any]
) -> None:
    for rank in left:
        for case, found in rank["law 3"].items():
            expected = alone[case]
            for name in expected:
                if not name.startswith(("generator/", "history/")):
                    close = torch.allclose(found[name], expected[name], rtol=1e-10, atol=1e-12)
                    assert close, f"{case}: {name}"


def test_law_2_resuming_at_any_step_is_bitwise(left: list[dict[str, Any]]) -> None:
    for rank in left:
        whole = rank["law 2"].pop("whole")
        assert {"generator/cpu", "generator/cpu.1", "average/steps"} <= whole.keys()
        for resumed in rank["law 2"].values():
            assert resumed.keys() == whole.keys()
            assert all(torch.equal(resumed[name], whole[name]) for name in whole)


def test_law_7_what_is_not_finite_on_one_rank_stops_all(left: list[dict[str, Any]]) -> None:
    for rank in left:
        assert rank["law 7"].keys() == {"at once", "late"}
        for told, is_untouched in rank["law 7"].values():
            assert "at step 1 (epoch 1, batch 1)" in told
            assert "input `numbers` of row 31 of the batch is not finite" in told
            assert is_untouched


def test_a_poll_is_heard_by_all_a_step_later(left: list[dict[str, Any]]) -> None:
    for rank in left:
        assert rank["poll"] == [(0, 0), (0, 0), (15, 1), (0, 2), (0, 3)]


def test_one_process_hears_of_its_own_flags_at_once() -> None:
    assert rank_cases.poll(SingleProcess()) == [(0, 0), (15, 1), (0, 2), (0, 3), (0, 0)]


def test_scores_are_those_of_one_process_bitwise(left: list[dict[str, Any]]) -> None:
    first = left[0]["scores"]
    assert first["history"][-1]["val"] == first["alone"]
    for rank in left:
        assert rank["scores"]["history"] == first["history"]
        for name, tensor in first["weights"].items():
            assert torch.equal(rank["scores"]["weights"][name], tensor)
    assert torch.equal(first["weights"]["idle"], torch.ones(2))
