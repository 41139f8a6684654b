"""What is said while a command works, and where."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import torch

from dlcli.progress import Talk, TrainingProgress, epoch_line, number
from dlcli.training.state import EpochReport
from dlcli.training.trainer import Step

REPORT = EpochReport(3, 30, 0.01, {"loss": 0.51234}, {"loss": 12345.678, "accuracy": None})


class Terminal(io.StringIO):
    """A stream that says that a person watches."""

    def isatty(self) -> bool:
        return True


def steps(epochs: int) -> list[Step]:
    """Return two steps of 50 rows for each epoch."""
    loss = torch.tensor(0.5)
    return [
        Step(
            epoch,
            batch,
            2,
            50,
            loss,
            None if batch == 1 else EpochReport(epoch, 1, 1, {"loss": 1}, None),
        )
        for epoch in range(1, epochs + 1)
        for batch in (1, 2)
    ]


def test_an_epoch_is_one_line_with_every_score() -> None:
    line = "epoch   3/100  train loss 0.5123  val loss 1.235e+04  val accuracy -"
    assert epoch_line(REPORT, 100) == line


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.5, "0.5000"),
        (999.94, "999.9400"),
        (1000, "1000"),
        (1e-4, "0.0001"),
        (-2, "-2.0000"),
        (None, "-"),
    ],
)
def test_numbers_are_short(value: float | None, text: str) -> None:
    assert number(value) == text


def test_off_a_terminal_every_epoch_is_a_plain_line() -> None:
    stream = io.StringIO()
    talk = Talk(stream=stream)
    with TrainingProgress(talk, epochs=200, rows=100) as progress:
        for step in steps(200):
            progress.show(step)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 200
    assert all(line.isprintable() for line in lines)


def test_on_a_terminal_a_bar_runs_and_few_lines_scroll_by(tmp_path: Path) -> None:
    stream = Terminal()
    talk = Talk(stream=stream)
    with (tmp_path / "log").open("w") as log, talk.logging_to(log):
        with TrainingProgress(talk, epochs=200, rows=100, done=5000) as progress:
            for step in steps(200)[100:]:
                progress.show(step)
        assert talk.bar is None
    shown = stream.getvalue()
    assert "rows/s" in shown
    assert "100%" in shown or "20.0k/20.0k" in shown or "5.00k" in shown
    assert 5 <= shown.count("epoch") <= 25
    assert (tmp_path / "log").read_text().count("epoch") == 150


def test_what_was_said_before_the_log_opens_is_in_it_and_quiet_still_logs(tmp_path: Path) -> None:
    stream = io.StringIO()
    talk = Talk(is_quiet=True, stream=stream)
    talk.say("before")
    with (tmp_path / "log").open("w") as log, talk.logging_to(log):
        talk.warn("careful")
        talk.warn("careful")
    assert (tmp_path / "log").read_text() == "before\nwarning: careful\n"
    assert talk.warnings == ["careful"]
    assert stream.getvalue() == ""


def test_a_file_from_a_stranger_cannot_steer_the_terminal() -> None:
    stream = io.StringIO()
    Talk(stream=stream).warn("column `a\x1b[31mred\x07`")
    assert stream.getvalue() == "warning: column `a\\x1b[31mred\\x07`\n"
