"""Where predictions go: a file that is whole or not there, or stdout."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import BinaryIO

from dlcli.errors import MachineError
from dlcli.files import replacing
from dlcli.report.predictions import Predictions, open_writer


def write_predictions(
    batches: Iterable[Predictions], output: Path | None, output_format: str
) -> None:
    """Write predictions in one of `FORMATS`, to stdout unless there is an output.

    Raises:
        MachineError: The output's folder is missing.
    """
    with _opened(output, is_at_once=output_format == "json") as stream:
        writer = open_writer(output_format, stream)
        for predictions in batches:
            writer.write(predictions)
        writer.finish()


def write_texts(texts: Iterable[Iterable[str]], output: Path | None) -> None:
    """Write texts piece by piece, each as soon as there is one, with an empty line between two.

    A last newline is added to a text that has none.

    Raises:
        MachineError: The output's folder is missing.
    """
    with _opened(output) as stream:
        for number, pieces in enumerate(texts):
            if number:
                stream.write(b"\n")
            last = ""
            for piece in pieces:
                stream.write(piece.encode())
                stream.flush()
                last = piece or last
            if not last.endswith("\n"):
                stream.write(b"\n")


def _opened(output: Path | None, *, is_at_once: bool = False) -> AbstractContextManager[BinaryIO]:
    if output is None:
        return _at_once() if is_at_once else _stdout()
    if not output.parent.is_dir():
        raise MachineError(f"there is no folder {output.parent} to write {output.name} in")
    return replacing(output)


def _stdout() -> BinaryIO:
    """Open stdout anew: under PYTHONUNBUFFERED its own buffer may write less than it is given."""
    return open(sys.stdout.fileno(), "wb", closefd=False)


@contextmanager
def _at_once() -> Iterator[BinaryIO]:
    """Yield a file that goes to stdout if nothing fails: half a JSON array is none."""
    with tempfile.TemporaryFile() as file:
        yield file
        file.seek(0)
        with _stdout() as stdout:
            shutil.copyfileobj(file, stdout)
