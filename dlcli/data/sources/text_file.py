"""Running text out of files, in stretches; knows no tokens."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import IncrementalNewlineDecoder
from pathlib import Path
from typing import BinaryIO, ClassVar

import pyarrow as pa

from dlcli.config.data import TextFileOptions
from dlcli.data.sources.files import (
    BLOCK_BYTES,
    check_width,
    find_files,
    fingerprints,
    open_text,
)
from dlcli.data.sources.source import ColumnKind, Sources, with_origin
from dlcli.errors import ConfigError, DataError, KeyPath

TEXT = "text"
_SAMPLE = "`utf-8`, `latin-1`, `cp1252` or `utf-16`"


@dataclass(frozen=True)
class TextSource:
    """Files one after the other, each a stretch of text per record; see `Source`.

    Line ends become a newline, and one is added to a file that ends without it. A stretch ends
    before white space where it has any, so that no word is cut.

    Attributes:
        files: Unpacked if a name ends in .gz, .bz2 or .zst.
        encoding: Of all of them.
    """

    files: Sequence[Path]
    encoding: str

    kinds: ClassVar[Mapping[str, ColumnKind]] = {TEXT: "text"}

    def chunks(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Yield the text; see `Source.chunks`."""
        assert columns is None or list(columns) == [TEXT]
        for file in self.files:
            with open_text(file, "utf-8") as stream:
                for text in _stretches(
                    _ended(decoded(stream, self.encoding, file.name, ("data", "encoding")))
                ):
                    batch = pa.record_batch({TEXT: pa.array([text], pa.string())})
                    yield with_origin(batch, file.name, 0)


def open_text_file(options: TextFileOptions, folder: Path) -> Sources:
    """Find the files.

    Args:
        options: The `data` section.
        folder: What relative paths start from.

    Raises:
        DataError: A file is missing or empty.
        ConfigError: There is no such encoding.
    """
    _check_encoding(options.encoding)
    files = find_files(options.path, folder, ("data", "path"))
    for file in files:
        if not file.stat().st_size:
            raise DataError(f"{file.name} is empty", path=("data", "path"))
        check_width(file, options.encoding)
    source = TextSource(files, options.encoding)
    fingerprint, hashes = fingerprints(files, folder)
    return Sources(
        train=source,
        val=None,
        test=None,
        targets=(TEXT,),
        inputs=(TEXT,),
        fingerprint=fingerprint,
        files=hashes,
        task="language_modeling",
        folder=folder,
    )


def decoded(stream: BinaryIO, encoding: str, place: str, path: KeyPath = ()) -> Iterator[str]:
    """Yield a stream's text in blocks, every line end as a newline, a byte order mark left out.

    Args:
        stream: Bytes.
        encoding: One that there is.
        place: What messages call the stream.
        path: The config key that names the encoding, if one does.

    Raises:
        DataError: A byte is not of the encoding; it is named by its place, counted from 0.
    """
    name = "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding
    decoder = IncrementalNewlineDecoder(codecs.getincrementaldecoder(name)(), translate=True)
    count = 0
    is_over = False
    while not is_over:
        block = stream.read(BLOCK_BYTES)
        count, is_over = count + len(block), not block
        try:
            text = decoder.decode(block, final=is_over)
        except UnicodeDecodeError as error:
            byte = count - len(error.object) + error.start
            raise DataError(
                f"{place}, byte {byte:,}: 0x{error.object[error.start]:02x} is not {encoding} text",
                path=path,
                suggestion=f"set `encoding` to that of the file: {_SAMPLE}" if path else "",
            ) from error
        if text:
            yield text


def _ended(blocks: Iterator[str]) -> Iterator[str]:
    """Yield the blocks, and a newline after a text that ends in none."""
    last = "\n"
    for block in blocks:
        yield block
        last = block[-1]
    if last != "\n":
        yield "\n"


def _stretches(blocks: Iterator[str]) -> Iterator[str]:
    """Yield the same text cut before white space; a block without any is passed on as it is."""
    rest = ""
    for block in blocks:
        text = rest + block
        cut = max(text.rfind(" "), text.rfind("\n"), 0) or len(text)
        yield text[:cut]
        rest = text[cut:]
    if rest:
        yield rest


def _check_encoding(encoding: str) -> None:
    try:
        "a".encode(encoding)
    except (LookupError, UnicodeError) as error:
        raise ConfigError(
            f"there is no encoding `{encoding}`",
            path=("data", "encoding"),
            suggestion=f"for example {_SAMPLE}",
        ) from error
