"""A shell whose `dlcli` and `python` are forked from a process that has imported dlcli.

Run as `shell.py ADDRESS dlcli|python WORDS...` this file hands the command, its folder, environment
and streams to that process; as `shell.py ADDRESS` it is that process.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import CompletedProcess
from typing import NoReturn

_ME = Path(__file__)
_LOST = 70  # exit code of a command whose process ended without a word
_ORDER_SIZE = 1 << 20


@contextmanager
def warm_shell(folder: Path, environment: dict[str, str]) -> Iterator[dict[str, str]]:
    """Start the process, yield an environment in which a shell finds the two commands.

    Args:
        folder: An empty folder; its path must be short, for a socket lies in it.
        environment: What the commands otherwise see.
    """
    address = folder / "socket"
    for name in ("dlcli", "python"):
        shim = folder / name
        shim.write_text(f'#!/bin/sh\nexec {sys.executable} -IS {_ME} {address} {name} "$@"\n')
        shim.chmod(0o755)
    server = subprocess.Popen(
        [sys.executable, str(_ME), str(address)], stdout=subprocess.PIPE, env=environment
    )
    assert server.stdout is not None
    with server:
        assert server.stdout.read(1), "the process of the commands did not start"
        try:
            yield {**environment, "PATH": f"{folder}:{environment['PATH']}"}
        finally:
            server.terminate()


def run_in_shell(text: str, *, folder: Path, environment: dict[str, str]) -> CompletedProcess[str]:
    """Run commands in bash, stopping at the first that fails; stderr goes where stdout goes."""
    return subprocess.run(
        ["bash", "-ec", text],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )


def _ask(address: str, words: list[str]) -> int:
    """Hand a command over, pass signals on to its process, and return its exit code."""
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(address)
        order = {"words": words, "folder": os.getcwd(), "environment": dict(os.environ)}  # noqa: PTH109
        socket.send_fds(server, [json.dumps(order).encode()], [0, 1, 2])
        answers = server.makefile()
        process = int(answers.readline())

        def pass_on(number: int, _frame: object) -> None:
            signal.signal(number, signal.SIG_IGN)  # `timeout` signals twice: child and group
            os.kill(process, number)

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, pass_on)
        return int(answers.readline() or _LOST)


def _serve(address: str) -> NoReturn:
    """Fork for every command that comes."""
    # What a command imports is there when it is forked.
    import dlcli.commands.evaluate
    import dlcli.commands.init
    import dlcli.commands.list
    import dlcli.commands.predict
    import dlcli.commands.train  # noqa: F401

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(address)
        server.listen()
        os.write(1, b".")
        while True:
            client, _ = server.accept()
            if os.fork() == 0:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                signal.signal(signal.SIGINT, signal.default_int_handler)
                _obey(client)
            client.close()


def _obey(client: socket.socket) -> NoReturn:
    """Become the process of a command."""
    code = 1
    try:
        data, streams, _, _ = socket.recv_fds(client, _ORDER_SIZE, 3)
        client.sendall(f"{os.getpid()}\n".encode())
        order = json.loads(data)
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        os.chdir(order["folder"])
        os.environ.clear()
        os.environ.update(order["environment"])
        program, *words = order["words"]
        sys.argv = [program, *words]
        _run(program, words)
        code = 0
    except SystemExit as leaving:
        code = int(leaving.code or 0)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        client.sendall(f"{code}\n".encode())
        os._exit(code)


def _run(program: str, words: list[str]) -> None:
    if program == "dlcli":
        from dlcli.__main__ import main

        main()
    else:
        import runpy

        runpy.run_path(words[0], run_name="__main__")


if __name__ == "__main__":
    if len(sys.argv) > 2:
        sys.exit(_ask(sys.argv[1], sys.argv[2:]))
    _serve(sys.argv[1])
