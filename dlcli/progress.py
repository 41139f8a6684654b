"""What the terminal shows while a command works: sentences, warnings and the training bar."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn, Self, TextIO

from dlcli.files import disk_errors
from dlcli.messages import printable
from dlcli.training.state import EpochReport
from dlcli.training.trainer import Step

if TYPE_CHECKING:
    from tqdm import tqdm

_LINES_ON_A_TERMINAL = 20


class Talk:
    """Says things on stderr and in the run's log, and remembers the warnings.

    Args:
        is_quiet: Keep stderr silent; the log is written all the same.
        is_verbose: Say what only some want to know.
        stream: Where to talk; stderr unless given.
    """

    def __init__(
        self, *, is_quiet: bool = False, is_verbose: bool = False, stream: TextIO | None = None
    ) -> None:
        self.is_quiet = is_quiet
        self.is_verbose = is_verbose
        self.stream = stream or sys.stderr
        self.warnings: list[str] = []
        self.log: TextIO | None = None
        self._unlogged: list[str] = []
        self.bar: tqdm[NoReturn] | None = None

    @property
    def is_terminal(self) -> bool:
        """Whether a person watches."""
        return not self.is_quiet and self.stream.isatty()

    def say(self, text: str) -> None:
        """Print a line and log it; what could steer the terminal is shown as escapes."""
        text = printable(text)
        self.note(text)
        if self.is_quiet:
            return
        if self.bar is None:
            print(text, file=self.stream, flush=True)
        else:
            self.bar.write(text, file=self.stream)

    def detail(self, text: str) -> None:
        """Log a line, and print it for those who asked for more."""
        (self.say if self.is_verbose else self.note)(printable(text))

    def warn(self, text: str) -> None:
        """Say a warning, once each."""
        if text not in self.warnings:
            self.warnings.append(text)
            self.say(f"warning: {text}")

    def note(self, text: str) -> None:
        """Write a line to the log alone; lines from before the log opens are kept for it."""
        if self.log is None:
            self._unlogged.append(text)
        else:
            with disk_errors(Path(self.log.name)):
                print(text, file=self.log, flush=True)

    @contextmanager
    def logging_to(self, log: TextIO) -> Iterator[None]:
        """Send everything said so far, and until the context ends, to a log as well."""
        self.log = log
        while self._unlogged:
            self.note(self._unlogged.pop(0))
        try:
            yield
        finally:
            self.log = None


class TrainingProgress:
    """A bar with throughput and time left on a terminal; elsewhere one line an epoch.

    Args:
        talk: Where to show it.
        epochs: Epochs in all.
        rows: Rows of an epoch.
        done: Rows already trained on, of earlier sittings.
    """

    def __init__(self, talk: Talk, *, epochs: int, rows: int, done: int = 0) -> None:
        self.talk = talk
        self.epochs = epochs
        self._every = -(-epochs // _LINES_ON_A_TERMINAL) if talk.is_terminal else 1
        self._total, self._done = epochs * rows, done

    def __enter__(self) -> Self:
        if self.talk.is_terminal:
            from tqdm import tqdm

            self.talk.bar = tqdm(
                total=self._total,
                initial=self._done,
                unit=" rows",
                unit_scale=True,
                leave=False,
                dynamic_ncols=True,
                file=self.talk.stream,
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.talk.bar is not None:
            self.talk.bar.close()
            self.talk.bar = None

    def show(self, step: Step) -> None:
        """Show a step, and its epoch's report if it ends one."""
        if self.talk.bar is not None:
            self.talk.bar.update(step.rows)
        if step.report is not None:
            line = epoch_line(step.report, self.epochs)
            if step.epoch % self._every == 0 or step.epoch == self.epochs:
                self.talk.say(line)
            else:
                self.talk.note(line)


def epoch_line(report: EpochReport, epochs: int) -> str:
    """Return one line on an epoch: its number, and every score of it."""
    width = len(str(epochs))
    scores = [f"train loss {number(report.train['loss'])}"]
    if report.val is not None:
        scores += [f"val {name} {number(value)}" for name, value in report.val.items()]
    return f"epoch {report.epoch:{width}}/{epochs}  " + "  ".join(scores)


def number(value: float | None) -> str:
    """Return a score in four significant digits; a dash where it is undefined."""
    if value is None:
        return "-"
    return f"{value:.4f}" if 1e-3 <= abs(value) < 1e3 else f"{value:.4g}"
