"""Finding and opening data files; knows nothing of what is in them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path

import pyarrow as pa

from dlcli.errors import ConfigError, DataError, KeyPath, MachineError

BLOCK_BYTES = 1 << 20


def find_files(given: str | Sequence[str], folder: Path, path: KeyPath) -> list[Path]:
    """Return the files that a path, a list of paths or a pattern names, patterns sorted by name.

    Args:
        given: As in the config.
        folder: What relative paths start from.
        path: The config key, for messages.

    Raises:
        DataError: A file is missing, or a pattern matches none.
    """
    names = [given] if isinstance(given, str) else list(given)
    return [file for name in names for file in _find(name, folder, path)]


def _find(name: str, folder: Path, path: KeyPath) -> list[Path]:
    file = folder / Path(name).expanduser()
    if file.is_file():
        return [file]
    if file.is_dir():
        raise DataError(
            f"{name} is a folder, not a file", path=path, suggestion=f"did you mean `{name}/*.csv`?"
        )
    if any(sign in name for sign in "*?["):
        given = Path(name).expanduser()
        base = Path(given.anchor) if given.is_absolute() else folder
        matches = base.glob(str(given.relative_to(given.anchor)))
        found = sorted(match for match in matches if match.is_file())
        if found:
            return found
        raise DataError(f"no file matches {name} in {folder}", path=path)
    siblings = [entry.name for entry in file.parent.iterdir()] if file.parent.is_dir() else []
    raise DataError(
        f"no file {name} in {folder}", path=path, suggestion=nearest(file.name, siblings)
    )


def nearest(name: str, names: Sequence[str]) -> str:
    """Return `did you mean ...?` for the nearest name, or nothing."""
    lower = {other.lower(): other for other in reversed(names)}
    close = get_close_matches(name.lower(), lower, n=1)
    return f"did you mean `{lower[close[0]]}`?" if close else ""


def fingerprint(files: Sequence[Path]) -> str:
    """Return sha256 over the files' bytes, in order."""
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while block := stream.read(BLOCK_BYTES):
                digest.update(block)
    return digest.hexdigest()


def open_text(path: Path, encoding: str) -> pa.NativeFile:
    """Open a text file as UTF-8 bytes: unpacked if its name ends in .gz, .bz2 or .zst.

    Raises:
        DataError: The file is missing.
        MachineError: It may not be read.
        ConfigError: There is no such encoding.
    """
    try:
        stream = pa.input_stream(str(path))
    except FileNotFoundError as error:
        raise DataError(f"no file {path}") from error
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
