"""Pictures whose paths stand in a column of a table."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa

from dlcli.config.data import ImagesOptions
from dlcli.data.sources.cells import texts
from dlcli.data.sources.columns import target_names
from dlcli.data.sources.files import expanded, hashes
from dlcli.data.sources.picture_files import PictureSource, decode_files
from dlcli.data.sources.roles import column_names
from dlcli.data.sources.source import ColumnKind, Source, Sources
from dlcli.data.sources.table import TableSource, open_table, read_cells
from dlcli.errors import ConfigError


def open_images(options: ImagesOptions, folder: Path) -> Sources:
    """Open the tables and decode the pictures that they name; other columns are not used.

    Args:
        options: The `data` section.
        folder: What relative paths start from.

    Raises:
        ConfigError: The config names columns that are not there, or pictures have several sizes.
        DataError: A table or a picture is missing or damaged.
    """
    image = options.image
    found = open_table(_only_needed(options, folder), folder)
    tables = {"train": found.train, "val": found.val, "test": found.test}
    root = None if options.root is None else folder / expanded(options.root)
    rows = {
        part: _Rows(table, options, root) for part, table in tables.items() if table is not None
    }
    files = [file for part in rows.values() for file in part.files]
    decoded = decode_files(files, options.pictures, broken=options.broken, use=options.cache)
    kinds: Mapping[str, ColumnKind] = {**found.train.kinds, image: "image"}
    sources: dict[str, PictureSource] = {}
    numbers: dict[str, np.ndarray] = {}
    start = 0
    for part, one in rows.items():
        first, last = np.searchsorted(decoded.kept, [start, start + len(one.files)])
        numbers[part] = decoded.kept[first:last] - start
        others = one.others.take(pa.array(numbers[part]))
        pixels = decoded.pixels[first:last]
        sources[part] = PictureSource(pixels, others, kinds, image, one.place, decoded.mapped)
        start += len(one.files)
    fingerprint = hashlib.sha256(f"{found.fingerprint}\n{decoded.fingerprint}".encode())
    return Sources(
        train=sources["train"],
        val=sources.get("val"),
        test=sources.get("test"),
        targets=found.targets,
        inputs=(image,),
        fingerprint=fingerprint.hexdigest(),
        warnings=(*found.warnings, *decoded.warnings),
        numbers=numbers,
        files={**found.files, **hashes(files, decoded.digests, folder)},
    )


class _Rows:
    """The rows of one part's tables.

    Args:
        table: Their source.
        options: Name the column of paths.
        root: What paths start from; None is the folder of each table.

    Attributes:
        files: The picture of each row; a row without one has the root itself.
        others: The other columns.
        place: The first table's name.
    """

    def __init__(self, table: Source, options: ImagesOptions, root: Path | None) -> None:
        assert isinstance(table, TableSource)
        there = set.intersection(*(set(reader.names) for reader in table.readers))
        names = [name for name in table.kinds if name in there - {options.image}]
        self.place = table.readers[0].path.name
        self.others = _texts(table, names)
        self.files = [
            (root or reader.path.parent) / expanded(name or "")
            for reader in table.readers
            for batch in read_cells(reader, table.dialect, [options.image])
            for name in texts(batch.column(0)).to_pylist()
        ]


def _texts(table: TableSource, names: list[str]) -> pa.RecordBatch:
    """Return columns as texts: what a cell of another type becomes may differ from file to file."""
    batches = list(table.chunks(names))
    return pa.record_batch(
        {name: pa.concat_arrays([texts(batch.column(name)) for batch in batches]) for name in names}
    )


def _only_needed(options: ImagesOptions, folder: Path) -> ImagesOptions:
    """Return options that leave out every column but those that are used.

    Raises:
        ConfigError: The column of paths is not there, or is the target.
    """
    image = options.image
    names = column_names(options, folder, ["image"])
    if image in {*target_names(options), *options.drop}:
        raise ConfigError(
            f"`{image}` is the column of pictures, so neither the target nor dropped",
            path=("data", "image"),
        )
    used = {image, *target_names(options), options.split.column, options.split.group}
    unused = [name for name in names if name not in used and name not in options.drop]
    return options.model_copy(
        update={
            "drop": [*options.drop, *unused],
            "types": {**options.types, image: "categorical"},
        }
    )
