"""Imports dlcli once, then runs each command line in a fork of itself; see `command_line`.

Reads orders from stdin, a line of JSON each, and answers each with a number: a new process's, or
the exit code of one to wait for.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from contextlib import suppress
from typing import Any

import matplotlib.figure  # noqa: F401 - what a command imports late is there when it is forked

import dlcli.commands.evaluate
import dlcli.commands.predict
import dlcli.commands.resume
import dlcli.commands.train  # noqa: F401
from dlcli.__main__ import main


def serve() -> None:
    """Answer orders until stdin ends."""
    for line in sys.stdin:
        order = json.loads(line)
        answer = _exit_code(order["wait"]) if "wait" in order else _start(order)
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


def _exit_code(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _start(order: dict[str, Any]) -> int:
    if order["environment"]:  # one of several ranks, which all need it
        import torch._dynamo  # noqa: F401
    pid = os.fork()
    if pid == 0:
        _obey(order)
    with suppress(PermissionError, ProcessLookupError):  # it was faster, or is over already
        os.setpgid(pid, pid)
    return pid


def _obey(order: dict[str, Any]) -> None:
    """Become the process of a command line; never returns."""
    code = 70
    try:
        os.setpgid(0, 0)
        os.chdir(order["folder"])
        os.environ.update(order["environment"])
        for number, name in enumerate(("stdin", "stdout", "stderr")):
            flags = os.O_WRONLY | os.O_CREAT if number else os.O_RDONLY
            os.dup2(os.open(f"{order['place']}/{name}", flags), number)
        sys.stdin = open(0, closefd=False)  # noqa: SIM115 - the server's has read ahead
        sys.argv = ["dlcli", *order["words"]]
        if order["size"] is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (order["size"], order["size"]))
        exec(order["before"], {})
        main()
    except SystemExit as leaving:
        code = int(leaving.code or 0)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


serve()
