"""Runs a function in several processes that train together, as a launcher would start them."""

from __future__ import annotations

import pickle
import socket
import traceback
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.command_line import REPOSITORY, started

_CALL = """\
import sys
sys.path.insert(0, {repository!r})
from tests.ranks import work
work({place!r}, {file!r})
sys.exit(0)
"""


def in_ranks(place: str, count: int) -> list[Any]:
    """Return what a function gives in each of so many ranks.

    Args:
        place: `module:function`; the function takes a `Distribution`.
        count: How many ranks.
    """
    with TemporaryDirectory() as folder, ExitStack() as stack:
        files = [Path(folder, str(rank)) for rank in range(count)]
        ranks = [
            stack.enter_context(
                started(
                    folder=REPOSITORY,
                    environment=of_rank,
                    before=_CALL.format(repository=str(REPOSITORY), place=place, file=str(file)),
                )
            )
            for file, of_rank in zip(files, places(count), strict=True)
        ]
        ends = [rank.wait() for rank in ranks]
        assert [end.returncode for end in ends] == [0] * count, ends[0].stderr + ends[-1].stderr
        return [pickle.loads(file.read_bytes()) for file in files]


def places(count: int) -> list[dict[str, str]]:
    """Return the variables by which a launcher tells each of so many processes its place."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return [
        {
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
            "WORLD_SIZE": str(count),
            "LOCAL_WORLD_SIZE": str(count),
        }
        for rank in range(count)
    ]


def work(place: str, file: str) -> None:
    """Call a function as one of several ranks, and write down what it gives."""
    from dlcli.ranks import joined

    module, _, name = place.partition(":")
    function = getattr(import_module(module), name)
    try:
        with joined() as distribution:
            Path(file).write_bytes(pickle.dumps(function(distribution)))
    except Exception:
        traceback.print_exc()
        raise
