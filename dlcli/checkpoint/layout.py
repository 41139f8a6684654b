"""How a checkpoint's bytes are laid out; opens no file and knows no model.

A checkpoint is a safetensors file: the length of the header (8 bytes, little-endian), the header
(JSON: each tensor's dtype, shape and place), then the tensors' bytes. One metadata key, `dlcli`,
holds the document, again JSON: the format number, the data, dtypes that safetensors lacks, and
a sha256 over the rest of the document and over every tensor's name, dtype, shape and bytes. The
header of given contents has one spelling; any other is refused.

https://github.com/huggingface/safetensors#format
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import torch

from dlcli.files import JSON, canonical_json

OTHER_COPY = "use another checkpoint of the run (best, last, previous), or copy the file again"
NOT_OURS = "give a .safetensors file that `dlcli train` wrote"

_METADATA = "__metadata__"
_KEY = "dlcli"
_CODES = {
    torch.bool: "BOOL", torch.uint8: "U8", torch.int8: "I8", torch.int16: "I16",
    torch.int32: "I32", torch.int64: "I64", torch.float16: "F16", torch.bfloat16: "BF16",
    torch.float32: "F32", torch.float64: "F64",
}  # fmt: skip
"""Safetensors' names of dtypes; a tensor of another dtype is stored as U8 (*shape, itemsize)."""
_DTYPES = {code: dtype for dtype, code in _CODES.items()}
_DOCUMENT = {"format": int, "data": dict, "dtypes": dict, "sha256": str}


class Refused(Exception):  # noqa: N818 - becomes a CheckpointError where the file's name is known
    """What is wrong with a file, said without its name.

    Args:
        message: Goes on after the name: `is empty`.
        remedy: What to do.
    """

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy


class Newer(Refused):
    """It is whole, and of a format that this program does not know."""


@dataclass(frozen=True)
class Entry:
    """One tensor of a file; its place follows from the order of the entries."""

    name: str
    dtype: torch.dtype
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """Bytes of the tensor."""
        return prod(self.shape) * self.dtype.itemsize


def in_order(entries: Iterable[Entry]) -> list[Entry]:
    """Return the order in the file: wide dtypes first, so that all are aligned, then by name."""
    return sorted(entries, key=lambda entry: (-entry.dtype.itemsize, entry.name))


def odd_dtypes(entries: list[Entry]) -> dict[str, str]:
    """Return torch's names of the dtypes that safetensors lacks, by tensor."""
    odd = [entry for entry in entries if entry.dtype not in _CODES]
    return {entry.name: str(entry.dtype).removeprefix("torch.") for entry in odd}


def start_digest(document: Mapping[str, JSON], entries: list[Entry]) -> hashlib._Hash:
    """Start the checksum of a document without `sha256`; the tensors' bytes follow in order."""
    described: dict[str, JSON] = {entry.name: [str(entry.dtype), entry.shape] for entry in entries}
    return hashlib.sha256(canonical_json([document, described]).encode())


def header(document: Mapping[str, JSON], entries: list[Entry]) -> bytes:
    """Return the beginning of the file, up to the tensors: the length and the JSON.

    Spaces fill it up to a multiple of 8 bytes.
    """
    described: dict[str, JSON] = {_METADATA: {_KEY: canonical_json(document)}}
    start = 0
    for entry in entries:
        described[entry.name] = _describe(entry, start)
        start += entry.nbytes
    text = canonical_json(described).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _describe(entry: Entry, start: int) -> dict[str, JSON]:
    is_odd = entry.dtype not in _CODES
    return {
        "dtype": _CODES.get(entry.dtype, "U8"),
        "shape": (*entry.shape, entry.dtype.itemsize) if is_odd else entry.shape,
        "data_offsets": (start, start + entry.nbytes),
    }


def header_size(start: bytes, size: int) -> int:
    """Return the length of the header, counted from the file's first byte.

    Args:
        start: The first 9 bytes.
        size: Bytes of the whole file.

    Raises:
        Refused: This cannot be a checkpoint.
    """
    if size == 0:
        raise Refused("is empty", OTHER_COPY)
    length = 8 + int.from_bytes(start[:8], "little")
    opens_object = start[8:] == b"{"
    if opens_object and length <= size:
        return length
    # torch.save writes a zip around a pickle; its old format and pickle itself begin with 0x80.
    if start.startswith((b"PK\x03\x04", b"\x80")):
        raise Refused("is a pickle, which could run code: it was not opened", NOT_OURS)
    if opens_object or size < 9:
        raise Refused(f"is cut short or damaged: it has only {size:,} bytes", OTHER_COPY)
    raise Refused("is not a dlcli checkpoint, or its beginning is damaged", NOT_OURS)


def parse(beginning: bytes) -> tuple[dict[str, Any], list[Entry]]:
    """Return the document and the entries, in order, that `header` wrote; the checksum is to come.

    Raises:
        Refused: These bytes are not what `header` writes.
    """
    try:
        described = json.loads(beginning[8:].decode("ascii"))
        metadata = described.pop(_METADATA, {})
        if _KEY not in metadata:
            raise Refused("is a safetensors file, but not a dlcli checkpoint", NOT_OURS)
        document = json.loads(metadata[_KEY])
        odd = document["dtypes"]
        entries = in_order(_entry(name, found, odd) for name, found in described.items())
        if header(document, entries) != beginning:
            raise ValueError("another spelling")
        if {name: type(value) for name, value in document.items()} != _DOCUMENT:
            raise ValueError("another document")
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise Refused("is damaged: its header cannot be read", OTHER_COPY) from error
    return document, entries


def _entry(name: str, found: dict[str, Any], odd: dict[str, str]) -> Entry:
    shape = tuple(found["shape"])
    if any(type(size) is not int or size < 0 for size in shape) or len(shape) > 64:
        raise ValueError("not a shape")
    if prod(max(size, 1) for size in shape) >= 2**60:  # torch counts in 64 bits
        raise ValueError("not a possible size")
    if name not in odd:
        return Entry(name, _DTYPES[found["dtype"]], shape)
    dtype = vars(torch)[odd[name]]
    if not isinstance(dtype, torch.dtype):
        raise TypeError("not a dtype")
    return Entry(name, dtype, shape[:-1])
