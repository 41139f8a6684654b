"""Many picture files as one array, each decoded once; knows neither classes nor tables."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
from tqdm import tqdm

from dlcli.config.data import PictureFileOptions
from dlcli.data.pictures import PictureError, decoded, with_channels
from dlcli.data.sources.broken import say_broken
from dlcli.data.sources.source import ColumnKind, with_origin
from dlcli.data.wording import counted
from dlcli.errors import ConfigError, DataError, Fault, MachineError

IMAGE = "image"
LABEL = "label"
_AT_ONCE = 1024
_SMALL_BYTES = 1 << 14
_BATCH_BYTES = 32 << 20
_SHOWN = 10


@dataclass(frozen=True)
class PictureSource:
    """Pictures held in memory beside other columns; see `Source`.

    Attributes:
        pixels: (N, C, H, W) uint8.
        others: The other columns of the N rows.
        kinds: Kind of every column.
        image: Name of the column of pictures.
        place: What messages call the data.
    """

    pixels: np.ndarray
    others: pa.RecordBatch
    kinds: Mapping[str, ColumnKind]
    image: str
    place: str

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


@dataclass
class Decoded:
    """What was found in files.

    Attributes:
        pixels: (N, C, H, W) uint8 of the files that hold a picture.
        kept: Their places among all files (N,), ascending.
        digests: sha256 over the bytes of each file.
        warnings: What the user should know.
    """

    pixels: np.ndarray
    kept: np.ndarray
    digests: Sequence[bytes]
    warnings: list[str] = field(default_factory=list)

    @property
    def fingerprint(self) -> str:
        """The sha256 over all of them."""
        return hashlib.sha256(b"".join(self.digests)).hexdigest()


def decode_files(
    files: Sequence[Path], options: PictureFileOptions, *, broken: Literal["refuse", "skip"]
) -> Decoded:
    """Decode files, in threads, into one array; it is grey where every file is.

    Args:
        files: Any number from 1.
        options: Their size and colours.
        broken: Whether files that hold no picture are refused or left out.

    Raises:
        DataError: Files are missing or hold no picture: all of them, the first ones by name.
        ConfigError: Pictures have several sizes, and the config names none.
    """
    filling = _Filling(len(files), options)
    digests: list[bytes] = []
    faults: list[str] = []
    kept: list[int] = []
    for place, (sha256, found) in enumerate(_decode_all(files, options)):
        digests.append(sha256)
        if isinstance(found, PictureError):
            faults.append(f"{files[place]} {found}")
        else:
            filling.add(found)
            kept.append(place)
    warnings = [say_broken(faults, len(files), "pictures", broken)] if faults else []
    filling.check()
    return Decoded(filling.pixels[: len(kept)], np.array(kept), digests, warnings)


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

    # shown on a terminal alone, and only where it takes long
    bar = tqdm(total=len(files), unit=" pictures", delay=2, leave=False, disable=None)
    with bar, ThreadPoolExecutor() as pool:
        each = pool.map if _is_worth_threads(files) else map
        for start in range(0, len(files), _AT_ONCE):
            for found in each(read, files[start : start + _AT_ONCE]):
                bar.update()
                yield found


def _is_worth_threads(files: Sequence[Path]) -> bool:
    """Tell by the first files' bytes: below, threads wait for each other more than they decode.

    On two cores 4,000 files of 32 x 32 pixels take 0.4 s without threads and 0.6 to 0.9 s with.
    """
    sizes = [file.stat().st_size for file in files[:64] if file.is_file()]
    return sum(sizes) > _SMALL_BYTES * len(sizes)


def wanted_size(options: PictureFileOptions) -> tuple[int, int] | None:
    """Return the (H, W) that the options ask for; None where they name none."""
    size = options.size
    if size is None:
        return None
    return (size, size) if isinstance(size, int) else (size[0], size[1])


class _Filling:
    """An array that pictures are put into one by one; it gets colours with the first coloured one.

    Args:
        count: Most pictures to come.
        options: Their colours.
    """

    def __init__(self, count: int, options: PictureFileOptions) -> None:
        self._count, self._mode = count, options.mode
        self._sizes: Counter[tuple[int, ...]] = Counter()
        self._filled = 0
        self.pixels = np.empty((0, 1, 1, 1), np.uint8)

    def add(self, picture: np.ndarray) -> None:
        """Take in the next picture (C, H, W); one of another size is counted only."""
        self._sizes[picture.shape[1:]] += 1
        if len(self._sizes) > 1:
            return
        channels = {"grey": 1, "rgb": 3}.get(self._mode, max(len(picture), self.pixels.shape[1]))
        if self.pixels.shape[1:] != (channels, *picture.shape[1:]):
            before = self.pixels[: self._filled]
            self.pixels = np.empty((self._count, channels, *picture.shape[1:]), np.uint8)
            if len(before):
                self.pixels[: self._filled] = with_channels(before, channels)
        self.pixels[self._filled] = with_channels(picture[None], channels)[0]
        self._filled += 1

    def check(self) -> None:
        """Refuse pictures of several sizes, or none at all."""
        if not self._sizes:
            raise DataError(f"none of {counted(self._count, 'file')} holds a picture")
        if len(self._sizes) > 1:
            found = ", ".join(
                f"{height} x {width} ({count:,})"
                for (height, width), count in self._sizes.most_common(_SHOWN)
            )
            more = ", ..." if len(self._sizes) > _SHOWN else ""
            height, width = self._sizes.most_common(1)[0][0]
            raise ConfigError(
                [
                    Fault(
                        f"the pictures have {len(self._sizes):,} sizes, and a model takes one",
                        path=("data", "pictures", "size"),
                        suggestion=f"`pictures: {{size: [{height}, {width}]}}` brings all to one",
                        note=f"found, height x width: {found}{more}",
                    )
                ]
            )
