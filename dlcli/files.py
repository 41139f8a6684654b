"""Write files whole or not at all, and strict JSON; knows no run, no checkpoint and no torch."""

from __future__ import annotations

import errno
import json
import math
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO, TypeAlias, Union

from dlcli.errors import MachineError

JSON: TypeAlias = Union[Mapping[str, "JSON"], Sequence["JSON"], str, int, float, bool, None]  # noqa: UP007
"""Plain data: what JSON can say. Tuples are written as lists."""

PART = ".part"
"""How a temporary name ends; it starts with a dot."""


@contextmanager
def replacing(
    path: Path, *, size: int | None = None, name: Path | None = None
) -> Iterator[BinaryIO]:
    """Yield a binary file that takes the place of `path` when the block ends without an error.

    The bytes go to a temporary name in the same folder, are flushed to the disk and renamed, and
    the folder is flushed: at every instant `path` is the whole old file or the whole new one. A
    failure leaves no temporary file. A device or pipe is written in place.

    Args:
        path: The file to write; a link is followed.
        size: Bytes that will be written, told to the user when the disk is full.
        name: How messages call the file; its path unless given.

    Raises:
        MachineError: For any OSError in the block.
    """
    with disk_errors(name or path, size=size):
        path = path.resolve()
        if path.exists() and not path.is_file():  # renaming onto /dev/null would delete it
            with path.open("wb") as file:
                yield file
            return
        part = path.with_name(f".{token_hex(8)}{PART}")
        with removed_after(part):
            with part.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        sync_folder(path.parent)


@contextmanager
def removed_after(part: Path) -> Iterator[None]:
    """When the block ends, however it ends, remove a temporary file that is still there."""
    try:
        yield
    finally:
        with suppress(OSError):  # where the disk refuses that too, its first error is told
            part.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a whole file; see `replacing`."""
    with replacing(path, size=len(content)) as file:
        file.write(content)


def write_text(path: Path, text: str) -> None:
    """Write a whole file as UTF-8; see `replacing`."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: JSON) -> None:
    """Write a whole file of indented strict JSON; see `replacing` and `strict_json`."""
    write_text(path, strict_json(value, indent=2) + "\n")


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries to the disk, so that a rename outlives a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def disk_errors(path: Path, *, verb: str = "write", size: int | None = None) -> Iterator[None]:
    """Turn any OSError in the block into a MachineError about `path`.

    Args:
        path: The file or folder that the block works on.
        verb: What the block does to it, for the message: `read`, `write`, `create`.
        size: Bytes that it writes, if known.
    """
    try:
        yield
    except OSError as error:
        reason, remedy = _REASONS.get(error.errno or 0, (error.strerror or str(error), ""))
        if error.errno in _FULL:
            reason += _space(path, size)
        raise MachineError(f"cannot {verb} `{path}`: {reason}", suggestion=remedy) from error


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_ROOM = "free some space, or write to another disk"
_OTHER_FOLDER = "choose a folder that you may write to"
_REASONS = {
    errno.ENOSPC: ("the disk is full", _ROOM),
    errno.EDQUOT: ("your disk quota is used up", _ROOM),
    errno.EFBIG: ("the file would be larger than is allowed here", "see `ulimit -f`"),
    errno.EACCES: ("permission denied", "change the permission, or choose another place"),
    errno.EPERM: ("permission denied", "change the permission, or choose another place"),
    errno.EROFS: ("the file system is read-only", _OTHER_FOLDER),
    errno.EISDIR: ("it is a folder", "name a file"),
    errno.ENOENT: ("there is no such file or folder", "create its folder first"),
    errno.ENOTDIR: ("part of the path is a file, not a folder", "choose another place"),
    errno.EEXIST: ("a file of that name stands there", "choose another place"),
}


def _space(path: Path, size: int | None) -> str:
    """Return ` (N bytes needed, M free)` as far as known."""
    facts = [] if size is None else [f"{size:,} bytes needed"]
    folder = next((parent for parent in path.absolute().parents if parent.exists()), None)
    if folder is not None:
        facts.append(f"{shutil.disk_usage(folder).free:,} free")
    return f" ({', '.join(facts)})" if facts else ""


def canonical_json(value: JSON) -> str:
    """Return the one JSON text of a value: sorted keys, no spaces, ASCII only.

    Equal values give equal texts, and `json.loads` gives the value back: floats exactly, tuples as
    lists.

    Raises:
        ValueError: A number is NaN or infinite.
        TypeError: The value is not plain data, or a key is not a text.
    """
    _check_keys(value)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _check_keys(value: JSON) -> None:
    """Refuse keys that JSON would silently turn into texts."""
    if isinstance(value, Mapping):
        for key, member in value.items():
            if not isinstance(key, str):
                raise TypeError(f"a key must be a text, not {key!r}")
            _check_keys(member)
    elif isinstance(value, list | tuple):
        for member in value:
            _check_keys(member)


def strict_json(value: JSON, *, indent: int | None = None) -> str:
    """Return JSON to be read by people and other programs: `null` for NaN and infinities."""
    text = json.dumps(_finite(value), indent=indent, ensure_ascii=False, allow_nan=False)
    # A file name that is not UTF-8 holds lone surrogates; escaped, they are JSON again.
    return text.encode(errors="backslashreplace").decode()


def _finite(value: JSON) -> JSON:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(member) for member in value]
    return value


def relative(path: Path) -> str:
    """Return a path as a person here would type it: relative, unless that climbs."""
    try:
        shown = os.path.relpath(path)
    except FileNotFoundError:  # the working directory was deleted
        return str(path)
    return str(path) if shown.startswith("..") else shown
