"""Every error a user can cause, each with its exit code; knows no file, terminal or tensor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

KeyPath = tuple[str | int, ...]
"""Where a value stands in a config: ``("optimizer", "lr")``, ``("metrics", 0)``."""


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong, where it stands and how to mend it.

    Attributes:
        message: What was found and what was expected, without the place.
        path: Key path in the config, if the fault concerns one.
        suggestion: The most likely remedy, short: "did you mean `lr`?".
        note: What is accepted there, one line.
        file: The file, or `command line: KEY=VALUE` for an override.
        line: Line in the file, 1-based; 0 where unknown.
        column: Column in the line, 1-based; 0 where unknown.
        source: The text of that line.
        length: Width of the marked text in characters.
    """

    message: str
    path: KeyPath = ()
    suggestion: str = ""
    note: str = ""
    file: str = ""
    line: int = 0
    column: int = 0
    source: str = ""
    length: int = 1


class DlcliError(Exception):
    """A failure with a cause that the user can mend: shown as one message, never as a traceback.

    Args:
        faults: What is wrong; a bare text is one fault.
        suggestion: The remedy of a bare text.
        path: The config key that a bare text concerns.
    """

    code = 1
    kind = "error"
    runs: Sequence[Mapping[str, Any]] = ()
    """Results of runs that were complete before one of several failed, what `--json` prints."""

    def __init__(
        self, faults: str | Sequence[Fault], *, suggestion: str = "", path: KeyPath = ()
    ) -> None:
        if isinstance(faults, str):
            faults = [Fault(faults, path=path, suggestion=suggestion)]
        self.faults = tuple(faults)
        super().__init__("\n".join(fault.message for fault in self.faults))


class UsageError(DlcliError):
    """The command line itself is wrong."""

    code, kind = 2, "usage"


class ConfigError(DlcliError):
    """Editing the config mends it."""

    code, kind = 3, "config"


class DataError(DlcliError):
    """Editing the data mends it, or a data file is missing."""

    code, kind = 4, "data"


class DivergedError(DlcliError):
    """The loss or a gradient stopped being finite."""

    code, kind = 5, "diverged"


class CheckpointError(DlcliError):
    """A checkpoint or run is missing, damaged, incompatible or busy."""

    code, kind = 6, "checkpoint"


class NewerError(CheckpointError):
    """A checkpoint is whole, but was written by a newer program."""


class MachineError(DlcliError):
    """The machine refuses: memory, disk, permission, device."""

    code, kind = 7, "machine"


class LostRankError(MachineError):
    """Another process of the same training is gone."""


class ToldError(DlcliError):
    """A failure that another process of the same training tells; it has that failure's code."""


def is_out_of_memory(error: Exception) -> bool:
    """Say whether an error is that of memory, of Python or of torch, on any device."""
    words = ("allocate memory", "out of memory")  # of torch, which raises RuntimeErrors
    is_torchs = isinstance(error, RuntimeError) and any(word in str(error) for word in words)
    return is_torchs or isinstance(error, MemoryError)


def out_of_memory() -> MachineError:
    """Return the error of a machine whose memory is too small."""
    return MachineError("out of memory", suggestion="lower `data.batch_size`, or a smaller model")


class ExtraError(DlcliError):
    """A package of an optional extra is not installed."""

    code, kind = 8, "extra"


class OwnCodeError(DlcliError):
    """Code of the user's, named in the config, does what it must not."""

    kind = "code"


class InterruptedRunError(DlcliError):
    """A signal stopped the run after it was saved; the exit code names the signal.

    Args:
        message: What was saved, and the command to go on.
        signal_number: 2 for Ctrl-C (exit 130), 15 for SIGTERM (exit 143).
    """

    kind = "interrupted"

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.code = 128 + signal_number
