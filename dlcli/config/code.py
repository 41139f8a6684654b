"""Own code that a config names as `FILE.py:NAME`: its text, and from where; runs nothing."""

from __future__ import annotations

import hashlib
import re
import stat
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.machinery import PathFinder
from importlib.metadata import packages_distributions
from pathlib import Path

from dlcli.config.names import nearest_file
from dlcli.errors import Fault, OwnCodeError

MAX_BYTES = 1 << 20
NAME = r"(.+\.py):([^\W\d]\w*)"
"""How a config names own code: a file, and a class or function in it."""

_NAME = re.compile(NAME)


@dataclass(frozen=True)
class Text:
    """The text of a file.

    Attributes:
        text: All of it.
        place: What messages and tracebacks call the file.
        folder: Where the file is; None where the text alone is there.
    """

    text: str = field(repr=False)
    place: str
    folder: Path | None = None

    @property
    def lines(self) -> list[str]:
        """Its lines, without their ends."""
        return self.text.split("\n")

    def has_beside(self, module: str) -> bool:
        """Say whether a module stands beside the file, and is not installed as well."""
        if self.folder is None:
            return False
        found = (self.folder / f"{module}.py", self.folder / module / "__init__.py")
        return any(path.is_file() for path in found) and not _is_installed(module)

    def fault(self, message: str, line: int = 0, column: int = 0, *, suggestion: str = "") -> Fault:
        """Return a fault at a line of the text, 1-based; at the first sign of it unless given."""
        source = self.lines[line - 1] if 0 < line <= len(self.lines) else ""
        start = column or len(source) - len(source.lstrip()) + 1
        width = 1 if column else max(len(source.strip()), 1)
        return Fault(
            message,
            suggestion=suggestion,
            file=self.place,
            line=line,
            column=start if source else column,
            source=source,
            length=width,
        )


@dataclass(frozen=True)
class Code:
    """A class or function of the user's.

    Attributes:
        file: Its file as the config names it, relative to the config.
        name: The class or function.
        source: The text that is run.
        line: Where it begins in that text, 1-based.
        holder: What names it: `the config`, or a checkpoint.
        is_trusted: Whether the user said that it may run.
        names: What a config can give it by name.
        opaque: Those of them whose default only running it would tell.
        given: What dlcli gives it by name because it takes that.
    """

    file: str
    name: str
    source: Text
    line: int
    holder: str
    is_trusted: bool
    names: tuple[str, ...] = ()
    opaque: frozenset[str] = frozenset()
    given: frozenset[str] = frozenset()

    @property
    def label(self) -> str:
        """What messages call it."""
        return f"{self.file}:{self.name}"

    def error(self, message: str, *, suggestion: str = "") -> OwnCodeError:
        """Return an error that points at the class or function; what it does is wrong."""
        fault = self.source.fault(f"`{self.name}` {message}", self.line, suggestion=suggestion)
        return OwnCodeError([fault])


Texts = Callable[[str], Text]
"""Returns the text of a file that a config names.

Raises `NoTextError` if there is none.
"""


class NoTextError(Exception):
    """There is no text to read.

    Args:
        message: Why.
        suggestion: The most likely remedy.
    """

    def __init__(self, message: str, *, suggestion: str = "") -> None:
        super().__init__(message)
        self.suggestion = suggestion


def split_name(name: object) -> tuple[str, str] | None:
    """Return the file and the class or function that a component's name means; None for none."""
    found = _NAME.fullmatch(name) if isinstance(name, str) else None
    return (found[1], found[2]) if found else None


def is_meant_as_code(name: object) -> bool:
    """Say whether a component's name looks like one of own code, whether or not it is right."""
    return isinstance(name, str) and (":" in name or name.endswith(".py"))


def texts_in(folder: Path) -> Texts:
    """Return what reads files whose paths are relative to a folder."""

    def read(file: str) -> Text:
        path = folder / file
        with suppress(RuntimeError):  # there is no such home
            path = folder / Path(file).expanduser()
        return Text(_read(path, file), str(path), path.parent)

    return read


def stored_texts(stored: Mapping[str, Mapping[str, str]], holder: str) -> Texts:
    """Return what reads the texts that a checkpoint holds; see `stored_code`.

    Args:
        stored: By file.
        holder: How messages name the checkpoint.
    """

    def read(file: str) -> Text:
        text = stored[file].get("source") if file in stored else None
        if not isinstance(text, str):
            raise NoTextError(f"{holder} does not hold {file}")
        if len(text) > MAX_BYTES:
            raise NoTextError(f"{file} in {holder} is larger than {MAX_BYTES >> 20} MB")
        return Text(text, f"{file} in {holder}")

    return read


def stored_code(codes: Iterable[Code]) -> dict[str, dict[str, str]]:
    """Return the texts as plain data by file, each with its sha256."""
    return {
        code.file: {"sha256": sha256(code.source.text), "source": code.source.text}
        for code in codes
    }


def changed_files(stored: Mapping[str, Mapping[str, str]], folder: Path) -> list[str]:
    """Return the files in a folder whose text is no longer the stored one; see `stored_code`.

    One that is gone has not changed: the stored text serves.
    """
    return [
        file
        for file, kept in stored.items()
        if (text := _text_or_none(texts_in(folder), file)) is not None
        and sha256(text) != kept["sha256"]
    ]


def read_again(files: Iterable[str], folder: Path) -> dict[str, dict[str, str]]:
    """Return files as they are in a folder now, as `stored_code` does."""
    texts = texts_in(folder)
    sources = {file: texts(file).text for file in files}
    return {file: {"sha256": sha256(text), "source": text} for file, text in sources.items()}


def _text_or_none(texts: Texts, file: str) -> str | None:
    try:
        return texts(file).text
    except NoTextError:
        return None


def sha256(text: str) -> str:
    """Return the sha256 of a text as UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()


def _read(path: Path, file: str) -> str:
    """Return a file's text.

    Raises:
        NoTextError: There is no such file, or it is no text, or too large for one.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe would wait for its writer
            raise NoTextError(f"{file} is not a file")
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        near = nearest_file(path.name, _beside(path))
        raise NoTextError(
            f"there is no file {path}", suggestion=f"did you mean `{near}`?" if near else ""
        ) from None
    except (OSError, ValueError) as error:
        raise NoTextError(f"cannot read {path}: {getattr(error, 'strerror', error)}") from None
    if len(data) > MAX_BYTES:
        raise NoTextError(f"{file} is larger than {MAX_BYTES >> 20} MB")
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise NoTextError(
            f"{file} is not UTF-8 text (byte {error.start})", suggestion="save it as UTF-8"
        ) from None


def _is_installed(module: str) -> bool:
    """Say whether a module can be imported wherever the program is started."""
    if module in sys.stdlib_module_names:
        return True
    elsewhere = [path for path in sys.path if path and Path(path).resolve() != Path.cwd()]
    if PathFinder.find_spec(module, elsewhere) is not None:
        return True
    return module in packages_distributions()  # as those that are installed for development


def _beside(path: Path) -> list[str]:
    try:
        return sorted(other.name for other in path.parent.glob("*.py"))
    except (OSError, ValueError):
        return []
