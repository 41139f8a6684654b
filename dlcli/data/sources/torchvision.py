"""The picture sets that torchvision knows, from local files; fetches them only when told to.

torchvision itself is imported to fetch files, and for CIFAR's pickles.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from importlib import import_module
from pathlib import Path

import numpy as np
import pyarrow as pa

from dlcli.config.data import TorchvisionOptions
from dlcli.data.sources.files import expanded
from dlcli.data.sources.picture_files import IMAGE, LABEL, PictureSource
from dlcli.data.sources.picture_formats import Pictures, Read
from dlcli.data.sources.picture_sets import PictureSet, packed, picture_set
from dlcli.data.sources.source import ColumnKind, Sources
from dlcli.errors import DataError, MachineError


def open_torchvision(options: TorchvisionOptions, folder: Path) -> Sources:
    """Read the train and the test part of the set that the options name.

    Args:
        options: The `data` section.
        folder: What relative paths start from.

    Raises:
        DataError: A file is missing or damaged.
        MachineError: Files could not be fetched.
    """
    root, name = folder / expanded(options.path), str(options.name)
    chosen = picture_set(name, getattr(options, "variant", ""))
    digest = hashlib.sha256()
    sources, hashes = {}, {}
    for part in ("train", "test"):
        read, files = _files(chosen, name, root, part, is_fetching=options.download)
        found = read(files)
        if part == "train" and options.rows is not None:
            found = found.first(options.rows)
        own = hashlib.sha256()
        for values in (found.pixels, found.codes):
            digest.update(np.ascontiguousarray(values).data)
            own.update(np.ascontiguousarray(values).data)
        place = f"{name}, {part} part"
        hashes[place] = own.hexdigest()[:16]
        sources[part] = _source(found, chosen.classes, place)
    return Sources(
        train=sources["train"],
        val=None,
        test=sources["test"],
        targets=(LABEL,),
        inputs=(IMAGE,),
        fingerprint=digest.hexdigest(),
        task="classification",
        files=hashes,
    )


def _source(found: Pictures, names: Sequence[str], place: str) -> PictureSource:
    """Return pictures with their classes by name; where there are no names, by number."""
    names, codes = found.classes or names, found.codes
    if names and len(codes) and (codes.min() < 0 or codes.max() >= len(names)):
        raise DataError(f"{place}: label {codes.max()} is none of {len(names)} classes")
    labels = pa.array(names, pa.string()).take(pa.array(codes)) if names else pa.array(codes)
    kinds: dict[str, ColumnKind] = {IMAGE: "image", LABEL: "categorical" if names else "numeric"}
    others = pa.record_batch({LABEL: labels})
    return PictureSource(np.ascontiguousarray(found.pixels), others, kinds, IMAGE, place)


def _files(
    chosen: PictureSet, name: str, root: Path, part: str, *, is_fetching: bool
) -> tuple[Read, list[Path]]:
    """Return the files of a part, and what reads them."""
    for is_last_try in (not is_fetching, True):
        for layout in chosen.layouts:
            if files := layout.find(root, part):
                return layout.read, files
        if not is_last_try:
            _fetch(chosen, name, root, part)
    layout = chosen.layouts[-1]
    expected = [root.absolute() / layout.folder / file for file in layout.files[part]]
    missing = next((path for path in expected if not packed(path)), expected[0])
    raise DataError(
        f"{name}: there is no file {missing}",
        path=("data", "path"),
        suggestion="`download: true` fetches it; or name the folder that holds the set's files",
    )


def _fetch(chosen: PictureSet, name: str, root: Path, part: str) -> None:
    try:
        with redirect_stdout(sys.stderr):
            dataset = getattr(import_module("torchvision.datasets"), chosen.own)
            dataset(root, download=True, **chosen.fetch[part])
    except (OSError, RuntimeError) as error:
        raise MachineError(
            f"{name} could not be fetched: {' '.join(str(error).split())}",
            suggestion=f"put its files in {root / chosen.layouts[-1].folder}",
        ) from error
