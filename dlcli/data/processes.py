"""A function over many items in forked processes, results in order; knows not what it computes."""

from __future__ import annotations

import gc
import os
import pickle
import signal
import struct
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeVar

from dlcli.errors import MachineError

Item = TypeVar("Item")
Result = TypeVar("Result")

_LENGTH = struct.Struct("q")


def each_in_processes(
    function: Callable[[Item], Result], items: Sequence[Item]
) -> Iterator[Result]:
    """Yield a function's result for each item, in order, computed on all processors.

    Forked processes take the items in turn, each ahead of its reader by what a pipe holds. They
    share nothing but the pipe: one that nobody reads any more ends, so they go with a parent that
    is killed. Elsewhere than on Linux, where libraries do not bear forking, this process does it.

    Args:
        function: Does without threads, torch's among them; its results and errors can be pickled.
        items: To be computed.

    Raises:
        MachineError: One of the processes was killed.
        Exception: What the function raised.
    """
    count = min(len(os.sched_getaffinity(0)), len(items)) if sys.platform == "linux" else 1
    if count <= 1:
        yield from map(function, items)
        return
    workers: list[_Worker] = []
    try:
        for number in range(count):
            workers.append(_forked(function, items[number::count], workers))
        for place in range(len(items)):
            yield workers[place % count].result()
    finally:
        for worker in workers:
            worker.end()


@dataclass(frozen=True)
class _Worker:
    """A process, and where its results come from."""

    process: int
    results: BinaryIO

    def result(self) -> Any:
        """Wait for the next result; raise instead what the function raised."""
        head = self.results.read(_LENGTH.size)
        if len(head) < _LENGTH.size:
            raise MachineError(
                "a process that prepared data was killed, for want of memory as it seems",
                suggestion="free memory, or begin again",
            )
        is_sound, value = pickle.loads(self.results.read(*_LENGTH.unpack(head)))
        if not is_sound:
            raise value
        return value

    def end(self) -> None:
        """End the process, which has nothing to lose."""
        self.results.close()
        os.kill(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)


def _forked(
    function: Callable[[Item], Result], items: Sequence[Item], others: Sequence[_Worker]
) -> _Worker:
    """Begin a process that computes these items."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking where threads are
        process = os.fork()
    if process == 0:
        try:
            os.close(reader)
            for other in others:  # or theirs would seem to be read when the parent is gone
                other.results.close()
            _work(function, items, writer)
        finally:
            os._exit(0)
    os.close(writer)
    return _Worker(process, os.fdopen(reader, "rb"))


def _work(function: Callable[[Item], Result], items: Sequence[Item], writer: int) -> None:
    """Write each item's result, or what was raised, until all are done or nobody reads."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all; the parent acts on it
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    gc.freeze()  # looking through the parent's objects would copy their pages
    with os.fdopen(writer, "wb") as pipe:
        for item in items:
            try:
                told = pickle.dumps((True, function(item)), protocol=5)
            except Exception as error:  # the parent raises it
                told = pickle.dumps((False, error))
            pipe.write(_LENGTH.pack(len(told)))
            pipe.write(told)
            pipe.flush()
