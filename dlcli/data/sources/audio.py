"""Sound files with their labels: from folders of classes, from file names, or from a table."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from dlcli.config.data import AudioOptions
from dlcli.data.sources.files import hashes
from dlcli.data.sources.memory import MemorySource
from dlcli.data.sources.sound_files import Sounds, decode_files
from dlcli.data.sources.sound_listing import Listing, check_columns, find_sounds, listed
from dlcli.data.sources.source import ColumnKind, Sources, with_origin
from dlcli.errors import ConfigError


def open_audio(options: AudioOptions, folder: Path) -> Sources:
    """Find and decode the sounds of every part.

    Args:
        options: The `data` section.
        folder: What relative paths start from.

    Raises:
        ConfigError: The config names a column that is not there, or test rows that are not.
        DataError: Nothing is found, or files hold no sound.
        ExtraError: A file needs soundfile, which is not installed.
    """
    train = find_sounds(options, folder, options.path, ("data", "path"))
    check_columns(options, train)
    listings = {"train": train}
    if options.test_path is not None:
        listings["test"] = find_sounds(options, folder, options.test_path, ("data", "test_path"))
    elif options.test_where is not None:
        is_test = _matches(options.test_where, train)
        listings["train"] = replace(train.rows(~is_test), warnings=train.warnings)
        listings["test"] = train.rows(is_test)
    files = [file for listing in listings.values() for file in listing.files]
    trained = len(listings["train"].files)
    sounds = decode_files(files, options.sound, trained=trained, broken=options.broken)
    sources: dict[str, MemorySource] = {}
    numbers: dict[str, np.ndarray] = {}
    start = 0
    for part, listing in listings.items():
        first, last = np.searchsorted(sounds.kept, [start, start + len(listing.files)])
        rows = sounds.kept[first:last] - start
        table = listing.columns.take(pa.array(rows))
        table = table.append_column(options.audio, sounds.cells(int(first), int(last)))
        kinds: dict[str, ColumnKind] = {**listing.kinds, options.audio: "sound"}
        sources[part] = MemorySource(table, kinds, listing.place)
        numbers[part] = listing.numbers[rows]
        start += len(listing.files)
    return Sources(
        train=sources["train"],
        val=None,
        test=sources.get("test"),
        targets=(options.target,),
        inputs=(options.audio,),
        fingerprint=_fingerprint(sounds, [*listings.values()]),
        task="classification" if train.kinds[options.target] == "categorical" else None,
        warnings=(*(said for one in listings.values() for said in one.warnings), *sounds.warnings),
        numbers=numbers,
        files=hashes(files, sounds.digests, folder),
    )


def labelled_files(options: AudioOptions, given: Path) -> pa.RecordBatch:
    """Return the paths and targets of sounds that the training has not seen, as records.

    Args:
        options: The `data` section of the training.
        given: Folder or table, like `path` there.

    Raises:
        ConfigError: A table lacks a column.
        DataError: There is no such file or folder, or no sound in it.
    """
    listing = find_sounds(options, Path(), str(given), ())
    columns = {
        options.audio: pa.array(list(map(str, listing.files)), pa.string()),
        options.target: listing.columns.column(options.target).combine_chunks(),
    }
    return with_origin(pa.record_batch(columns), given.name, 0)


def _matches(where: Mapping[str, Sequence[str | int]], listing: Listing) -> np.ndarray:
    """Return which files (N,) the conditions hold for, all of them."""
    mask = np.ones(len(listing.files), bool)
    for name, values in where.items():
        cells = [_plain(cell) for cell in listing.columns.column(name).to_pylist()]
        wanted = {_plain(value) for value in values}
        if lost := wanted - set(cells):
            seen = listed(sorted({str(cell) for cell in cells}))
            raise ConfigError(
                f"`{name}` is `{min(lost, key=str)}` of no sound; found: {seen}",
                path=("data", "test_where", name),
            )
        mask &= np.array([cell in wanted for cell in cells])
    if mask.all() or not mask.any():
        left = "none to train on" if mask.all() else "none to test on"
        raise ConfigError(f"`test_where` leaves {left}", path=("data", "test_where"))
    return mask


def _plain(value: str | int | None) -> str | int | None:
    """Return whole numbers as such, however they are written."""
    return int(value) if isinstance(value, str) and re.fullmatch(r"[+-]?\d{1,18}", value) else value


def _fingerprint(sounds: Sounds, listings: Sequence[Listing]) -> str:
    """Return sha256 over the files' bytes and all that is known of them."""
    digest = hashlib.sha256(sounds.fingerprint.encode())
    for listing in listings:
        digest.update(repr(listing.columns.to_pydict()).encode())
    return digest.hexdigest()
