"""Finding and opening data files; knows nothing of what is in them."""

from __future__ import annotations

import codecs
import hashlib
import stat
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path

import numpy as np
import pyarrow as pa

from dlcli.errors import ConfigError, DataError, KeyPath, MachineError

BLOCK_BYTES = 1 << 20
_HEAD_BYTES = 1 << 12
_HASH_BYTES = 8
"""Of a file's sha256: enough to tell which file differs where it is known that one does."""


def find_files(given: str | Sequence[str], folder: Path, path: KeyPath) -> list[Path]:
    """Return the files that a path, a list of paths or a pattern names, patterns sorted by name.

    Args:
        given: As in the config.
        folder: What relative paths start from.
        path: The config key, for messages.

    Raises:
        ConfigError: A pattern is none.
        DataError: A file is missing, or is a folder or a pipe; or a pattern matches none.
    """
    names = [given] if isinstance(given, str) else list(given)
    return [file for name in names for file in _find(name, folder, path)]


def _find(name: str, folder: Path, path: KeyPath) -> list[Path]:
    file = folder / expanded(name)
    if is_file(file, path=path, name=name):
        return [file]
    if any(sign in name for sign in "*?["):
        return _matching(name, folder, path)
    siblings = [other for other in _names_in(file.parent) if other != file.name]
    raise DataError(
        f"no file {name} in {folder}", path=path, suggestion=nearest(file.name, siblings)
    )


def _matching(name: str, folder: Path, path: KeyPath) -> list[Path]:
    given = expanded(name)
    base = Path(given.anchor) if given.is_absolute() else folder
    try:
        found = sorted(
            match for match in base.glob(str(given.relative_to(given.anchor))) if match.is_file()
        )
    except (ValueError, OSError) as error:  # `**` beside other text, a name that is too long
        raise ConfigError(
            f"{name} is no pattern of file names: {error}",
            path=path,
            suggestion="`*` stands for any text, `**/` for any folders",
        ) from error
    if found:
        return found
    raise DataError(f"no file matches {name} in {folder}", path=path)


def _names_in(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in folder.iterdir()]
    except (OSError, ValueError):
        return []


def expanded(name: str | Path) -> Path:
    """Return a path with `~` as the home folder; as it stands where there is no such home."""
    try:
        return Path(name).expanduser()
    except RuntimeError:
        return Path(name)


def is_file(
    file: Path,
    *,
    path: KeyPath = (),
    name: str = "",
    remedy: str = "write what it gives to a file, and name that one",
) -> bool:
    """Say whether there is a file; what is there and is none is refused, without opening it.

    Args:
        file: What to look for. Opening a pipe would wait for its writer, for ever if need be.
        path: The config key, for messages.
        name: The file as the user wrote it.
        remedy: What to do instead of giving a pipe.

    Raises:
        DataError: It is a folder, a pipe or a device.
        MachineError: A folder on the way may not be entered.
    """
    try:
        mode = file.stat().st_mode
    except PermissionError as error:
        raise MachineError(f"{file} cannot be opened: {error}") from error
    except (OSError, ValueError):  # missing, a name that is too long, a null byte in it
        return False
    if stat.S_ISREG(mode):
        return True
    name = name or str(file)
    if stat.S_ISDIR(mode):
        example = f"{name.rstrip('/')}/*.csv"
        hint = f"did you mean `{example}`?" if path else "give a file in it"
        raise DataError(f"{name} is a folder, not a file", path=path, suggestion=hint)
    kind = "pipe" if stat.S_ISFIFO(mode) else "device or socket"
    raise DataError(f"{name} is a {kind}, not a file", path=path, suggestion=remedy)


def nearest(name: str, names: Sequence[str]) -> str:
    """Return `did you mean ...?` for the nearest name, or nothing."""
    lower = {other.lower(): other for other in reversed(names)}
    close = get_close_matches(name.lower(), lower, n=1)
    return f"did you mean `{lower[close[0]]}`?" if close else ""


def fingerprints(files: Sequence[Path], folder: Path) -> tuple[str, dict[str, str]]:
    """Return sha256 over the files' bytes, in order, and what `hashes` returns of them."""
    whole, *own = file_hashes(files)
    return whole, hashes(files, map(bytes.fromhex, own), folder)


def file_hashes(files: Sequence[Path]) -> list[str]:
    """Return sha256 over the files' bytes, in order, then that of each, in hexadecimal digits."""
    whole = hashlib.sha256()
    own = []
    for file in files:
        digest = hashlib.sha256()
        with file.open("rb") as stream:
            while block := stream.read(BLOCK_BYTES):
                digest.update(block)
                if len(files) > 1:
                    whole.update(block)
        own.append(digest.hexdigest())
    return [whole.hexdigest() if len(files) > 1 else own[0], *own]


def hashes(files: Sequence[Path], digests: Iterable[bytes], folder: Path) -> dict[str, str]:
    """Return a short hash of each file by its path, from the folder where it is below that.

    Args:
        files: Each may stand there more than once.
        digests: The sha256 of each.
        folder: Likewise.
    """
    below = "" if folder == Path() else f"{folder}/"
    return {
        str(file).removeprefix(below): digest[:_HASH_BYTES].hex()
        for file, digest in zip(files, digests, strict=True)
    }


def open_text(path: Path, encoding: str) -> pa.NativeFile:
    """Open a text file as UTF-8 bytes: unpacked if its name ends in .gz, .bz2 or .zst.

    Raises:
        DataError: The file is missing, or is a folder or a pipe.
        MachineError: It may not be read.
        ConfigError: There is no such encoding.
    """
    if not is_file(path):
        raise DataError(f"no file {path}")
    try:
        stream = pa.input_stream(str(path))
    except OSError as error:
        raise MachineError(f"{path} cannot be opened: {error}") from error
    if encoding.lower().replace("_", "-") in {"utf-8", "utf8", "utf-8-sig"}:
        return stream
    try:
        return pa.transcoding_input_stream(stream, encoding, "utf-8")
    except LookupError as error:
        raise ConfigError(
            f"there is no encoding `{encoding}`",
            path=("data", "encoding"),
            suggestion="for example `utf-8`, `latin-1`, `cp1252` or `utf-16`",
        ) from error


def check_width(path: Path, encoding: str) -> None:
    """Refuse a file of two or four bytes a character that is to be read as one of single bytes.

    Raises:
        DataError: It is such a file.
    """
    try:
        if codecs.lookup(encoding).name.startswith(("utf-16", "utf-32")):
            return
    except LookupError:
        return  # `open_text` says so
    with open_text(path, "utf-8") as stream:
        found = wide_encoding(stream.read(_HEAD_BYTES))
    if found:
        raise DataError(
            f"{path.name} is not {encoding} text; it begins like {found[:6].upper()}",
            suggestion=f"set `encoding: {found}`",
        )


def wide_encoding(head: bytes) -> str:
    """Return `utf-16` or the like for bytes that begin so: a mark, or every other byte zero."""
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    zeros = np.frombuffer(head[: len(head) // 2 * 2], np.uint8).reshape(-1, 2) == 0
    if not zeros.any():
        return ""
    big, little = zeros.mean(0) > 0.5  # most characters of a table are ASCII
    return "" if big == little else "utf-16-le" if little else "utf-16-be"


def blocks(stream: pa.NativeFile) -> Iterator[bytes]:
    """Yield a stream's bytes in blocks that end where a line ends; the last may not."""
    rest = b""
    first = True
    while block := stream.read(BLOCK_BYTES):
        if first and block.startswith(b"\xef\xbb\xbf"):
            block = block[3:]
        first = False
        cut = max(block.rfind(b"\n"), block.rfind(b"\r")) + 1
        if cut == 0:
            rest += block
            continue
        yield rest + block[:cut]
        rest = block[cut:]
    if rest:
        yield rest
