"""`dlcli` and `python -m dlcli`: runs a command and turns every failure into an exit code."""

from __future__ import annotations

import atexit
import gc
import os
import signal
import sys
import threading
import traceback
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from dlcli.errors import DlcliError

_OBJECTS_OF_A_START = 500_000
"""Importing torch makes half as many, none is garbage, and to look through them takes 0.1 s."""


def program() -> NoReturn:
    """Run the command line of this process, and end it."""
    try:
        main()
    except SystemExit as leaving:
        _end(int(leaving.code or 0))


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command line and leave with its exit code, by SystemExit.

    Args:
        arguments: Words after the program's name; those of the process unless given.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    with suppress(ValueError):  # outside the main thread there are no signals to take
        signal.signal(signal.SIGINT, _interrupt)
    gc.set_threshold(_OBJECTS_OF_A_START)
    try:
        code = _run(words)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, `head` for one, has left; so do we, without a word
        _discard_output()
        code = 141
    sys.exit(code)


def _end(code: int) -> NoReturn:
    """End the process as it stands: taking apart what torch has built takes 0.2 to 0.5 seconds.

    What others have registered for the end is done. The ordinary end is left to a thread that is
    not done yet, and to a debugger or profiler, which has something to tell.
    """
    working = [one for one in threading.enumerate() if not one.daemon]
    if working == [threading.main_thread()] and not (sys.gettrace() or sys.getprofile()):
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):  # it is closed
                stream.flush()
        os._exit(code)
    sys.exit(code)


def _run(words: list[str]) -> int:
    from typer import TyperException

    from dlcli import cli
    from dlcli.errors import (
        DlcliError,
        InterruptedRunError,
        UsageError,
        is_out_of_memory,
        out_of_memory,
    )
    from dlcli.launch import Place, settle

    is_json, place = "--json" in words, Place()
    try:
        place = Place.of()
        if place.is_alone:  # the processes of a launcher are ended by it
            with suppress(ValueError):
                signal.signal(signal.SIGTERM, _interrupt)
        code = cli.run(settle(place, words))
        return code if place.talks else 0
    except BrokenPipeError:
        raise
    except KeyboardInterrupt as stop:
        number = stop.args[0] if stop.args else signal.SIGINT
        failure: DlcliError = InterruptedRunError("interrupted", number)
    except TyperException as error:
        failure = UsageError(
            error.format_message(), suggestion="`dlcli COMMAND --help` lists what it takes"
        )
    except DlcliError as error:
        if "--debug" in words:
            traceback.print_exc()
        failure = error
    except Exception as error:  # own code's, or a bug: its traceback is what mends it
        failure = out_of_memory() if is_out_of_memory(error) else _unforeseen(error)
        failure.runs = getattr(error, "runs", ())
        if failure.kind == "bug" or "--debug" in words:
            traceback.print_exc()
    if place.leaves_to_others(failure):
        return failure.code
    return _told(failure, is_json=is_json)


def _unforeseen(error: Exception) -> DlcliError:
    """Return an exception of own code with its place there; any other is a bug."""
    from dlcli.errors import DlcliError
    from dlcli.own.module import failure_in

    failure = failure_in(error) or DlcliError(f"a bug in dlcli: {error!r}")
    if failure.kind == DlcliError.kind:
        failure.kind = "bug"
    return failure


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    """Raise KeyboardInterrupt; but during an import, which may swallow it, leave at once."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            os.write(2, b"error[interrupted]: interrupted\n")
            os._exit(128 + number)  # nothing is written yet that would be left in halves
        frame = frame.f_back
    raise KeyboardInterrupt(number)


def _told(failure: DlcliError, *, is_json: bool) -> int:
    """Print a failure and return its exit code."""
    from dlcli.messages import as_json, render

    if failure.runs and not is_json:
        from dlcli.commands.repeat import show_runs

        show_runs(failure.runs)
    print(render(failure), file=sys.stderr)  # noqa: T201
    if is_json:
        print(as_json(failure))  # noqa: T201
    return failure.code


def _discard_output() -> None:
    """Send what is still unwritten nowhere, so that leaving does not fail once more."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(nowhere, stream.fileno())


if __name__ == "__main__":
    program()
