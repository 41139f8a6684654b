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
from contextlib import suppress
from dataclasses import dataclass
from traceback import format_exc
from typing import Any, BinaryIO, NoReturn, TypeVar

from dlcli.errors import MachineError

Item = TypeVar("Item")
Result = TypeVar("Result")

_LENGTH = struct.Struct("q")
_MOST = 16
"""Beginning a process takes 10 ms, and more where the parent holds much; one reads for all."""
_CAN_FORK = sys.platform == "linux"
_INTERRUPTIONS = {signal.SIGINT, signal.SIGTERM}


def each_in_processes(
    function: Callable[[Item], Result], items: Sequence[Item], *, most: int
) -> Iterator[Result]:
    """Yield a function's result for each item, in order, computed by processes side by side.

    Forked processes take the items in turn, each ahead of its reader by what a pipe holds. They
    share nothing but the pipe: one that nobody reads any more ends, so they go with a parent that
    is killed. Where there can be none, as elsewhere than on Linux, whose libraries do not bear
    forking, this process does it all.

    Args:
        function: Does without threads, torch's among them; its results can be pickled.
        items: To be computed.
        most: Processes at most; there are no more than processors.

    Raises:
        MachineError: One of the processes was killed.
        Exception: What the function raised, with a note of where.
    """
    workers = _begun(function, items, min(most, len(items), _MOST)) if _CAN_FORK else []
    if not workers:
        yield from map(function, items)
        return
    try:
        for place in range(len(items)):
            yield workers[place % len(workers)].result()
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
        is_sound, value = pickle.loads(self._read(*_LENGTH.unpack(self._read(_LENGTH.size))))
        if not is_sound:
            raise value
        return value

    def _read(self, size: int) -> bytes:
        found = self.results.read(size)
        if len(found) < size:
            raise MachineError(
                "a process that prepared data was killed, for want of memory as it seems",
                suggestion="free memory, or begin again",
            )
        return found

    def end(self) -> None:
        """End the process, which has nothing to lose."""
        self.results.close()
        with suppress(ProcessLookupError, ChildProcessError):  # where nobody waits for children
            os.kill(self.process, signal.SIGKILL)
            os.waitpid(self.process, 0)


def _begun(function: Callable[[Item], Result], items: Sequence[Item], most: int) -> list[_Worker]:
    """Begin processes that take the items in turn; none where one would do, or more are refused."""
    count = min(most, len(os.sched_getaffinity(0)))
    workers: list[_Worker] = []
    try:
        for number in range(count if count > 1 else 0):
            workers.append(_forked(function, items[number::count], workers))
    except OSError:
        while workers:
            workers.pop().end()
    return workers


def _forked(
    function: Callable[[Item], Result], items: Sequence[Item], others: Sequence[_Worker]
) -> _Worker:
    """Begin a process that computes these items."""
    ends = os.pipe()
    reader, writer = os.fdopen(ends[0], "rb"), os.fdopen(ends[1], "wb")
    with writer:
        # An interruption in between would unwind the new process as if it were this one.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _INTERRUPTIONS)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # of forking where threads are
                process = os.fork()
            if process == 0:
                _work(function, items, writer, [reader, *(worker.results for worker in others)])
        except OSError:
            reader.close()
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return _Worker(process, reader)


def _work(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    pipe: BinaryIO,
    readers: Sequence[BinaryIO],
) -> NoReturn:
    """Write each item's result, or what was raised, until all are done or nobody reads; end."""
    try:
        for reader in readers:  # or a pipe would seem to be read when the parent is gone
            reader.close()
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all; the parent acts on it
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _INTERRUPTIONS)
        gc.freeze()  # looking through the parent's objects would copy their pages
        for item in items:
            try:
                told = pickle.dumps((True, function(item)), protocol=5)
            except Exception as error:  # the parent raises it
                told = _pickled(error)
            pipe.write(_LENGTH.pack(len(told)))
            pipe.write(told)
            pipe.flush()
    finally:
        os._exit(0)


def _pickled(error: Exception) -> bytes:
    """Return an error as the parent can raise it, with where it was raised."""
    error.add_note(format_exc())
    try:
        told = pickle.dumps((False, error))
        pickle.loads(told)
    except Exception:  # it is made in a way of its own
        told = pickle.dumps((False, RuntimeError(format_exc())))
    return told
