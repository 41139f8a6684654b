"""The file formats of known picture sets, read without their packages; knows no set by name."""

from __future__ import annotations

import bz2
import gzip
import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from dlcli.errors import DataError

_IDX_TYPES: dict[int, np.dtype[Any]] = {8: np.dtype(np.uint8), 12: np.dtype(">i4")}


@dataclass(frozen=True)
class Pictures:
    """Pictures and what they show.

    Attributes:
        pixels: (N, C, H, W) uint8.
        codes: (N,) whole numbers.
        classes: Names by code; empty where the files hold none.
    """

    pixels: np.ndarray
    codes: np.ndarray
    classes: Sequence[str] = ()

    def first(self, rows: float) -> Pictures:
        """Return the first rows: so many of them, or below 1 such a share."""
        count = rows if isinstance(rows, int) else math.ceil(rows * len(self.pixels))
        return replace(self, pixels=self.pixels[:count], codes=self.codes[:count])


Read = Callable[[Sequence[Path]], Pictures]
"""Reads the files of a part; raises DataError where one is damaged."""


def read_idx(paths: Sequence[Path]) -> Pictures:
    """Read a file of pictures and one of labels in MNIST's format; of wide labels the first."""
    images, labels = map(_idx, paths)
    if images.ndim != 3 or len(images) != len(labels):
        raise _damaged(paths[0], f"{images.shape} pixels for {len(labels):,} labels")
    return Pictures(images[:, None], labels.reshape(len(labels), -1)[:, 0].astype(np.int64))


def read_idx_columns(paths: Sequence[Path]) -> Pictures:
    """Read the same where pictures are stored column by column, as EMNIST's are."""
    found = read_idx(paths)
    return Pictures(found.pixels.transpose(0, 1, 3, 2), found.codes)


def _idx(path: Path) -> np.ndarray:
    """Return what an IDX file holds: two zeros, type, dimensions, sizes, values; all big-endian."""
    data = _unpacked(path)
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in _IDX_TYPES:
        raise _damaged(path, "it does not begin as an IDX file")
    kind, start = _IDX_TYPES[data[2]], 4 + 4 * data[3]
    if len(data) < start:
        raise _damaged(path, "it ends within its header")
    shape = np.frombuffer(data[4:start], ">u4").tolist()
    expected = start + int(np.prod(shape)) * kind.itemsize
    if len(data) != expected:
        raise _damaged(path, f"{len(data):,} bytes where {expected:,} are announced")
    return np.frombuffer(data, kind, offset=start).reshape(shape)


def _unpacked(path: Path) -> bytes:
    open_packed = {".gz": gzip.decompress, ".bz2": bz2.decompress}.get(path.suffix, bytes)
    try:
        return open_packed(path.read_bytes())
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise _damaged(path, str(error)) from error


def read_cifar(paths: Sequence[Path]) -> Pictures:
    """Read CIFAR's binary files: a label, or a coarse and a fine one, then 3 x 32 x 32 pixels."""
    names = [path for path in paths if path.suffix == ".txt"]
    labels = 2 if names else 1
    rows = [_cifar_rows(path, labels + 3072) for path in paths if path not in names]
    table = np.concatenate(rows)
    classes = names[0].read_text().split() if names else ()
    pixels = table[:, labels:].reshape(-1, 3, 32, 32)
    return Pictures(pixels, table[:, labels - 1].astype(np.int64), classes)


def _cifar_rows(path: Path, width: int) -> np.ndarray:
    values = np.frombuffer(path.read_bytes(), np.uint8)
    if len(values) % width:
        raise _damaged(path, f"its {len(values):,} bytes are no multiple of {width:,}")
    return values.reshape(-1, width)


def read_stl(paths: Sequence[Path]) -> Pictures:
    """Read STL-10's binary files: 3 x 96 x 96 pixels stored column by column; labels from 1."""
    values = np.frombuffer(paths[0].read_bytes(), np.uint8)
    labels = np.frombuffer(paths[1].read_bytes(), np.uint8)
    if len(values) != len(labels) * 3 * 96 * 96:
        raise _damaged(paths[0], f"{len(values):,} bytes for {len(labels):,} labels")
    return Pictures(
        values.reshape(-1, 3, 96, 96).transpose(0, 1, 3, 2), labels.astype(np.int64) - 1
    )


def read_mat(paths: Sequence[Path]) -> Pictures:
    """Read SVHN's Matlab files: X (H, W, C, N), y (N, 1), in which 10 stands for 0."""
    try:
        held = import_module("scipy.io").loadmat(paths[0])
        pixels, codes = held["X"].transpose(3, 2, 0, 1), held["y"].reshape(-1).astype(np.int64)
    except (KeyError, OSError, TypeError, ValueError, NotImplementedError) as error:
        raise _damaged(paths[0], str(error)) from error
    return Pictures(pixels, codes % 10)


def read_libsvm(paths: Sequence[Path]) -> Pictures:
    """Read USPS's text: a label from 1 to 10, then `index:value` of 16 x 16 pixels in -1..1."""
    text = _unpacked(paths[0]).replace(b":", b" ")
    try:
        rows = np.array(text.split(), np.float32).reshape(-1, 1 + 2 * 256)
    except ValueError as error:
        raise _damaged(paths[0], str(error)) from error
    pixels = ((rows[:, 2::2] + 1) / 2 * 255).astype(np.uint8)
    return Pictures(pixels.reshape(-1, 1, 16, 16), rows[:, 0].astype(np.int64) - 1)


def read_pickled_cifar(own: str) -> Read:
    """Return what reads CIFAR's Python version: torchvision, which compares checksums first."""

    def read(paths: Sequence[Path]) -> Pictures:
        dataset = getattr(import_module("torchvision.datasets"), own)
        is_train = not paths[0].name.startswith("test")
        try:
            found = dataset(paths[0].parent.parent, train=is_train)
        except RuntimeError as error:
            raise _damaged(
                paths[0].parent, "files are missing, or not the published ones"
            ) from error
        codes = np.array(found.targets, np.int64)
        return Pictures(found.data.transpose(0, 3, 1, 2), codes, found.classes)

    return read


def _damaged(path: Path, found: str) -> DataError:
    return DataError(f"{path} is damaged: {found}", suggestion="fetch it again")
