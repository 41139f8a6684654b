"""The model of docs/scaling.md: its formula, and that the page shows what its commands print."""

from __future__ import annotations

import re
import shlex

import pytest

from benchmarks.exchange import Link, Work, exchange_seconds, main, step_seconds
from tests.command_line import REPOSITORY

PAGE = (REPOSITORY / "docs" / "scaling.md").read_text()
LINK = Link(latency=0.001, bandwidth=1e6)


def test_alone_there_is_nothing_to_exchange() -> None:
    assert exchange_seconds(1e9, 1, LINK) == 0
    assert step_seconds(Work("a", 1000, 2.0), 1, LINK) == 2.0


def test_each_of_four_sends_six_quarters() -> None:
    assert exchange_seconds(4e6, 4, LINK) == pytest.approx(6 * (0.001 + 1.0))


def test_backward_hides_all_but_the_last_piece() -> None:
    large = Work("a", 100_000_000, 3000.0)
    last = exchange_seconds(25e6, 2, LINK)
    assert step_seconds(large, 2, LINK) == pytest.approx(1500 + last)


@pytest.mark.parametrize("command", re.findall(r"benchmarks\.exchange (--.*)", PAGE))
def test_the_page_shows_what_the_command_prints(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    main(shlex.split(command))
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + 3 * 3
    assert "\n".join(rows) in PAGE
