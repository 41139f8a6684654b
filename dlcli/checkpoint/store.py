"""Save and load one checkpoint file; knows no model, no trainer and no run.

`torch.save` is not used, and nothing that is read is unpickled.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dlcli.checkpoint.layout import (
    OTHER_COPY,
    Entry,
    Newer,
    Refused,
    header,
    header_size,
    in_order,
    odd_dtypes,
    parse,
    start_digest,
)
from dlcli.errors import CheckpointError, NewerError
from dlcli.files import JSON, disk_errors, replacing

FORMAT = 1
"""Number of the format that `save` writes: what the data and the tensors' names mean."""


@dataclass(frozen=True)
class Loaded:
    """What a checkpoint holds.

    Attributes:
        tensors: By name, on the CPU; each owns its memory.
        data: Plain data as JSON gives it: lists for tuples.
    """

    tensors: dict[str, Tensor]
    data: dict[str, Any]


Migration = Callable[[Loaded], Loaded]
"""A pure function from one format's contents to the next format's."""

MIGRATIONS: Mapping[int, Migration] = {}
"""By the format number that each reads."""


def save(
    path: Path,
    *,
    tensors: Mapping[str, Tensor],
    data: Mapping[str, JSON],
    name: Path | None = None,
) -> None:
    """Write a checkpoint, whole or not at all; equal contents give equal bytes.

    Tensors may be of any dtype, shared, on any device; only what is on another device or not
    contiguous is copied.

    Args:
        path: The file to write or replace.
        tensors: By name; parameters are detached.
        data: Plain data, its numbers finite.
        name: How messages call the file; its path unless given.

    Raises:
        MachineError: The disk is full or refuses.
        ValueError: A tensor is sparse or quantized, or a number in `data` is not finite.
        TypeError: `data` is not plain data.
    """
    entries = in_order(Entry(name, item.dtype, tuple(item.shape)) for name, item in tensors.items())
    contents = [_as_bytes(tensors[entry.name]) for entry in entries]
    document: dict[str, JSON] = {"format": FORMAT, "data": data, "dtypes": odd_dtypes(entries)}
    digest = start_digest(document, entries)
    for content in contents:
        digest.update(content.numpy().data)
    beginning = header({**document, "sha256": digest.hexdigest()}, entries)
    size = len(beginning) + sum(entry.nbytes for entry in entries)
    with replacing(path, size=size, name=name) as file:
        file.write(beginning)
        for content in contents:
            file.write(content.numpy().data)


def load(path: Path) -> Loaded:
    """Read a checkpoint; nothing is built before its checksum has proved right.

    The file is read once, into the memory that the tensors then use.

    Raises:
        CheckpointError: There is no such file, or it is cut short, damaged or not a checkpoint.
        NewerError: It is of a newer format.
        MachineError: The file cannot be read.
    """
    try:
        with disk_errors(path, verb="read"), _open(path) as file:
            loaded, number = _read(file)
        return migrate(loaded, number)
    except Refused as refused:
        kind = NewerError if isinstance(refused, Newer) else CheckpointError
        raise kind(f"`{path}` {refused}", suggestion=refused.remedy) from refused


def migrate(
    loaded: Loaded,
    number: int,
    *,
    newest: int = FORMAT,
    migrations: Mapping[int, Migration] = MIGRATIONS,
) -> Loaded:
    """Bring contents of format `number` to the newest format, one step after another.

    Raises:
        Refused: The format is newer, or so old that no migration reads it.
    """
    if number > newest:
        raise Newer(
            f"was written by a newer dlcli: format {number}, this one reads up to {newest}",
            "update dlcli",
        )
    for step in range(number, newest):
        if step not in migrations:
            raise Refused(f"has format {number}, which is no longer read", "use an older dlcli")
        loaded = migrations[step](loaded)
    return loaded


def _as_bytes(tensor: Tensor) -> Tensor:
    """Return the tensor's bytes (nbytes,) uint8 on the CPU, without a copy where possible."""
    if tensor.layout is not torch.strided or tensor.is_quantized:
        raise ValueError(f"cannot store a tensor of {tensor.layout}, {tensor.dtype}")
    plain = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous()
    return plain.reshape(-1).view(torch.uint8)


def _open(path: Path) -> BufferedReader:
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise Refused("does not exist", "check the path") from None
    if not stat.S_ISREG(mode):  # opening a pipe would wait for its writer
        raise Refused("is not a file", "give a checkpoint file or a run")
    return path.open("rb")


def _read(file: BufferedReader) -> tuple[Loaded, int]:
    """Read and check a whole file; return its contents and their format number."""
    size = file.seek(0, 2)
    file.seek(0)
    start = file.read(9)
    beginning = start + file.read(header_size(start, size) - len(start))
    document, entries = parse(beginning)
    expected = len(beginning) + sum(entry.nbytes for entry in entries)
    if size != expected:
        what = "is cut short" if size < expected else "is damaged"
        raise Refused(f"{what}: it has {size:,} bytes and should have {expected:,}", OTHER_COPY)
    written = document.pop("sha256")
    digest = start_digest(document, entries)
    contents = [torch.empty(entry.nbytes, dtype=torch.uint8) for entry in entries]
    for content in contents:
        file.readinto(content.numpy().data)
        digest.update(content.numpy().data)
    if digest.hexdigest() != written:
        raise Refused("is damaged: its checksum differs from its contents", OTHER_COPY)
    tensors = {
        entry.name: content.view(entry.dtype).reshape(entry.shape)
        for entry, content in zip(entries, contents, strict=True)
    }
    return Loaded(tensors, document["data"]), document["format"]
