"""Where this process stands among those that a launcher such as torchrun started; no torch."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from dlcli.errors import DlcliError, InterruptedRunError, ToldError, UsageError

_SECONDS = 15.0
"""In which rank 0 tells of a failure that is everyone's."""


@dataclass(frozen=True)
class Place:
    """One process of a launch.

    Attributes:
        rank: Its number over all machines, from 0; rank 0 talks and writes.
        world_size: How many there are.
        local_rank: Its number on its own machine, from 0.
        local_size: How many are there.
    """

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0
    local_size: int = 1

    @classmethod
    def of(cls, environment: Mapping[str, str] | None = None) -> Place:
        """Read what a launcher says in the environment: the process's own unless given.

        https://docs.pytorch.org/docs/stable/elastic/run.html#environment-variables
        """
        said = os.environ if environment is None else environment
        if not {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"} <= said.keys():
            return cls()
        try:
            rank, world_size = int(said["RANK"]), int(said["WORLD_SIZE"])
            local_rank = int(said.get("LOCAL_RANK", rank))
            return cls(rank, world_size, local_rank, int(said.get("LOCAL_WORLD_SIZE", world_size)))
        except ValueError as error:
            raise UsageError(
                "the launcher's RANK, WORLD_SIZE, LOCAL_RANK or LOCAL_WORLD_SIZE is no number",
                suggestion="start dlcli by torchrun, or without these variables",
            ) from error

    @property
    def is_alone(self) -> bool:
        """Whether it is the only one."""
        return self.world_size == 1

    @property
    def talks(self) -> bool:
        """Whether it shows what the others keep to themselves."""
        return self.rank == 0

    @property
    def program(self) -> str:
        """How a person starts dlcli like this again."""
        if self.is_alone:
            return "dlcli"
        return f"torchrun --nproc-per-node {self.local_size} -m dlcli"

    def leaves_to_others(self, failure: DlcliError) -> bool:
        """Say whether another process tells of the failure with which this one ends.

        What fails before the processes have met, a fault in the config say, fails in all of them.
        So this one waits for rank 0 to tell it, and to be ended by the launcher; if it is not,
        the failure is its own.
        """
        if self.talks:
            if not self.is_alone:
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
            return False
        if isinstance(failure, ToldError | InterruptedRunError):
            return True
        if failure.kind != "bug":
            time.sleep(_SECONDS)
        return False


def settle(place: Place, words: list[str]) -> list[str]:
    """Make a process that is not alone behave as one of several.

    Rank 0 takes SIGTERM, by which torchrun ends a job whose other process failed, for an error
    like any other, so that it can tell of that failure. The other ranks fall silent.

    Args:
        place: Which of them it is.
        words: Its command line.

    Returns:
        The command line to go on with.

    Raises:
        UsageError: It is no training.
    """
    if place.is_alone:
        return words
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # DistributedDataParallel's advice
    if place.talks:
        signal.signal(signal.SIGTERM, _terminate)
    else:
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
        warnings.simplefilter("ignore")
    if words[:1] != ["train"]:
        raise UsageError(
            f"torchrun started {place.world_size} processes; only `dlcli train` shares its work",
            suggestion="run other commands without torchrun",
        )
    return words if place.talks else [*words, "--quiet"]


def _terminate(number: int, frame: FrameType | None) -> None:
    """Stop, unless a failure is on its way out already; after an import, which may swallow it."""
    if sys.exception() is not None:
        return
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            threading.Timer(0.1, os.kill, (os.getpid(), number)).start()
            return
        frame = frame.f_back
    raise InterruptedRunError("interrupted", number)
