"""Many picture files as one array, each decoded once; knows neither classes nor tables."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
from tqdm import tqdm

from dlcli.config.data import PictureFileOptions
from dlcli.data.cache.choice import Use
from dlcli.data.cache.entries import Entry, find_entry
from dlcli.data.cache.hashing import Stamps, recall, remember
from dlcli.data.cache.mapped import map_array
from dlcli.data.cache.seals import key_of
from dlcli.data.pictures import PictureError, decoded
from dlcli.data.processes import each_in_processes
from dlcli.data.sources.broken import say_broken
from dlcli.data.sources.picture_filling import PIXELS, Filling
from dlcli.data.sources.source import ColumnKind, with_origin
from dlcli.errors import MachineError

IMAGE = "image"
LABEL = "label"
_BYTES_TOGETHER, _MOST_TOGETHER = 1 << 18, 64
"""Files that a process decodes before it hands them over; decoded, they have ten times the size."""
_BYTES_OF_ONE_PROCESS = 1 << 24
"""Files of so many are decoded in half a second, for which no second process begins."""
_BATCH_BYTES = 32 << 20
_KEPT = "kept"
_LONG_SECONDS = 2.0
"""Decoding that takes longer is not done twice: reading pixels again takes a tenth of it."""


@dataclass(frozen=True)
class PictureSource:
    """Pictures held in memory, or mapped, beside other columns; see `Source`.

    Attributes:
        pixels: (N, C, H, W) uint8.
        others: The other columns of the N rows.
        kinds: Kind of every column.
        image: Name of the column of pictures.
        place: What messages call the data.
        mapped: What keeps the file in use that the pixels are mapped from; None in memory.
    """

    pixels: np.ndarray
    others: pa.RecordBatch
    kinds: Mapping[str, ColumnKind]
    image: str
    place: str
    mapped: Entry | None = None

    def chunks(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Yield the rows, pictures as views; see `Source.chunks`."""
        names = list(self.kinds if columns is None else columns)
        size = max(1, _BATCH_BYTES // max(1, self.pixels[:1].nbytes))
        if self.image not in names:
            size = 1 << 16
        for start in range(0, len(self.pixels), size):
            rows = self.others.slice(start, size)
            cells = [
                picture_cells(self.pixels[start : start + size])
                if name == self.image
                else rows.column(name)
                for name in names
            ]
            yield with_origin(pa.record_batch(cells, names=names), self.place, start)


def picture_cells(pixels: np.ndarray) -> pa.Array:
    """Return pixels (N, C, H, W) as cells: rows of pixels, for several channels lists of those."""
    _, channels, height, width = pixels.shape
    cells = pa.array(np.ascontiguousarray(pixels).reshape(-1))
    for size in (width, height) if channels == 1 else (width, height, channels):
        cells = pa.FixedSizeListArray.from_arrays(cells, size)
    return cells


@dataclass(frozen=True)
class Decoded:
    """What was found in files.

    Attributes:
        pixels: (N, C, H, W) uint8 of the files that hold a picture.
        kept: Their places among all files (N,), ascending.
        digests: sha256 over the bytes of each file; empty where there is none.
        warnings: What the user should know.
        mapped: See `PictureSource`.
    """

    pixels: np.ndarray
    kept: np.ndarray
    digests: Sequence[bytes]
    warnings: Sequence[str] = ()
    mapped: Entry | None = None

    @property
    def fingerprint(self) -> str:
        """The sha256 over all of them."""
        return hashlib.sha256(b"".join(self.digests)).hexdigest()


def decode_files(
    files: Sequence[Path],
    options: PictureFileOptions,
    *,
    broken: Literal["refuse", "skip"],
    use: Use = "never",
) -> Decoded:
    """Decode files, many in processes, into one array; it is grey where every file is.

    What took long, and what memory does not hold, is kept in the cache: as long as no file changes
    none is decoded, nor even read, again.

    Args:
        files: Any number from 1.
        options: Their size and colours.
        broken: Whether files that hold no picture are refused or left out.
        use: `data.cache`.

    Raises:
        DataError: Files are missing or hold no picture: all of them, the first ones by name.
        ConfigError: Pictures have several sizes, and the config names none.
        MachineError: Neither memory nor the cache takes the pixels.
    """
    wish = _Wish(files, options, broken, use)
    said: list[str] = []
    if use == "never":
        return _decoded(wish, said)
    stamps = Stamps.of(files)
    known = recall(stamps)
    found = None if known is None else _found(wish, [bytes.fromhex(one) for one in known], said)
    if found is None:
        found = _decoded(wish, said)
        if found.mapped is not None:
            remember(stamps, [digest.hex() for digest in found.digests])
    return found


@dataclass(frozen=True)
class _Wish:
    """What is to be decoded and how; see `decode_files`."""

    files: Sequence[Path]
    options: PictureFileOptions
    broken: Literal["refuse", "skip"]
    use: Use

    def key(self, digests: Sequence[bytes]) -> str:
        """Return the key of the decoded pixels."""
        return key_of(
            what="pictures",
            files=hashlib.sha256(b"".join(digests)).hexdigest(),
            missing=[place for place, digest in enumerate(digests) if not digest],
            names=str(self.files[0].parent),
            options=self.options.model_dump(mode="json"),
            broken=self.broken,
        )


def _found(wish: _Wish, digests: Sequence[bytes], said: list[str]) -> Decoded | None:
    """Return what the cache holds of an earlier decoding."""
    entry = find_entry(wish.key(digests), said.append)
    return None if entry is None else _of_entry(entry, digests, said)


def _of_entry(entry: Entry, digests: Sequence[bytes], said: Sequence[str]) -> Decoded:
    shape = entry.content["shape"]
    return Decoded(
        map_array(entry.path / PIXELS, "uint8", shape),
        map_array(entry.path / _KEPT, "int64", shape[:1]),
        digests,
        [*said, *entry.content["warnings"]],
        entry,
    )


def _decoded(wish: _Wish, said: list[str]) -> Decoded:
    """Decode the files, and keep the pixels in the cache where that is worth it."""
    files, started = wish.files, time.monotonic()
    digests: list[bytes] = []
    faults: list[str] = []
    kept: list[int] = []
    with Filling(len(files), wish.options, wish.use, said.append) as filling:
        for place, (sha256, found) in enumerate(_decode_all(files, wish.options)):
            digests.append(sha256)
            if isinstance(found, PictureError):
                faults.append(f"{files[place]} {found}")
            else:
                filling.add(found)
                kept.append(place)
        warnings = [say_broken(faults, len(files), "pictures", wish.broken)] if faults else []
        filling.check()
        took_long = time.monotonic() - started >= _LONG_SECONDS
        if filling.is_written or wish.use == "always" or (wish.use == "auto" and took_long):
            folder = os.path.commonpath([file.parent for file in (files[0], files[-1])])
            content = {"what": f"pictures of {folder}", "warnings": warnings}
            arrays = {_KEPT: np.array(kept, np.int64)}
            entry = filling.keep(wish.key(digests), content, arrays)
            if entry is not None:
                return _of_entry(entry, digests, said)
        return Decoded(filling.pixels, np.array(kept), digests, [*said, *warnings])


def _decode_all(
    files: Sequence[Path], options: PictureFileOptions
) -> Iterator[tuple[bytes, np.ndarray | PictureError]]:
    """Yield each file's sha256 and pixels (C, H, W), or why there are none."""
    size = wanted_size(options)

    def read(file: Path) -> tuple[bytes, np.ndarray | PictureError]:
        try:
            data = file.read_bytes()
        except PermissionError as error:
            raise MachineError(f"{file} cannot be opened: {error}") from error
        except (OSError, ValueError):
            return b"", PictureError("is no file")
        sha256 = hashlib.sha256(data).digest()
        try:
            return sha256, decoded(data, size, options.resize)
        except PictureError as error:
            return sha256, error

    bytes_each = _mean_bytes(files)
    together = max(1, min(_MOST_TOGETHER, _BYTES_TOGETHER // bytes_each))
    stretches = [files[at : at + together] for at in range(0, len(files), together)]
    processes = len(files) * bytes_each // _BYTES_OF_ONE_PROCESS

    def read_all(stretch: Sequence[Path]) -> list[tuple[bytes, np.ndarray | PictureError]]:
        return [read(file) for file in stretch]

    # shown on a terminal alone, and only where it takes long
    with tqdm(total=len(files), unit=" pictures", delay=2, leave=False, disable=None) as bar:
        for found in each_in_processes(read_all, stretches, most=processes):
            bar.update(len(found))
            yield from found


def _mean_bytes(files: Sequence[Path]) -> int:
    """Return how large files are, by the first ones; at least 1."""
    sizes = [file.stat().st_size for file in files[:64] if file.is_file()]
    return max(1, sum(sizes) // max(1, len(sizes)))


def wanted_size(options: PictureFileOptions) -> tuple[int, int] | None:
    """Return the (H, W) that the options ask for; None where they name none."""
    size = options.size
    if size is None:
        return None
    return (size, size) if isinstance(size, int) else (size[0], size[1])
