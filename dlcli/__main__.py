"""`dlcli` and `python -m dlcli`: runs a command and turns every failure into an exit code."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command line and leave with its exit code.

    Args:
        arguments: Words after the program's name; those of the process unless given.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = _run(words)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, `head` for one, has left; so do we, without a word
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 141
    sys.exit(code)


def _run(words: list[str]) -> int:
    from typer import Abort, TyperException

    from dlcli.cli import app
    from dlcli.errors import DlcliError, MachineError, UsageError

    is_json, is_debug = "--json" in words, "--debug" in words
    try:
        return int(app()(words, prog_name="dlcli", standalone_mode=False) or 0)
    except (KeyboardInterrupt, Abort):
        print("interrupted", file=sys.stderr)  # noqa: T201
        return 130
    except TyperException as error:
        failure: DlcliError = UsageError(
            error.format_message(), suggestion="`dlcli COMMAND --help` lists what it takes"
        )
    except DlcliError as error:
        if is_debug:
            raise
        failure = error
    except MemoryError:
        failure = MachineError("out of memory", suggestion="lower `data.batch_size`")
    except Exception as error:  # a bug: its traceback is what mends it
        traceback.print_exc()
        failure = DlcliError(f"a bug in dlcli: {error!r}")
        if not is_json:
            return failure.code
    _show(failure, is_json=is_json)
    return failure.code


def _show(error: Exception, *, is_json: bool) -> None:
    from dlcli.errors import DlcliError
    from dlcli.messages import as_json, render

    assert isinstance(error, DlcliError)
    print(render(error), file=sys.stderr)  # noqa: T201
    if is_json:
        print(as_json(error))  # noqa: T201


if __name__ == "__main__":
    main()
