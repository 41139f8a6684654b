"""Pictures in a folder per class."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from dlcli.config.data import ImageFolderOptions
from dlcli.data.pictures import ENDINGS, find_files, is_hidden
from dlcli.data.sources.files import expanded, hashes, nearest
from dlcli.data.sources.picture_files import IMAGE, LABEL, PictureSource, decode_files
from dlcli.data.sources.source import ColumnKind, Sources, with_origin
from dlcli.data.wording import counted
from dlcli.errors import ConfigError, DataError, Fault, KeyPath, MachineError

_PART_NAMES = {"train", "training", "val", "valid", "validation", "test", "testing"}
_PARTS = {"path": "train", "val_path": "val", "test_path": "test"}
_SHOWN = 10


@dataclass(frozen=True)
class Tree:
    """Picture files by class.

    Attributes:
        files: The files, sorted by class, then by name.
        labels: The class of each.
        classes: The classes that have one.
        warnings: What the user should know.
    """

    files: list[Path]
    labels: list[str]
    classes: list[str]
    warnings: list[str]


def open_image_folder(options: ImageFolderOptions, folder: Path) -> Sources:
    """Find and decode the pictures of every part.

    Args:
        options: The `data` section.
        folder: What relative paths start from.

    Raises:
        DataError: A folder is missing, holds no classes, or has one that `path` lacks; or files
            hold no picture.
        ConfigError: Pictures have several sizes, and the config names none.
    """
    given = {"path": options.path, "val_path": options.val_path, "test_path": options.test_path}
    trees = {
        key: find_tree(folder / expanded(name), ("data", key))
        for key, name in given.items()
        if name is not None
    }
    for key, tree in trees.items():
        _check_classes(tree, trees["path"].classes, key, str(given[key]))
    files = [file for tree in trees.values() for file in tree.files]
    decoded = decode_files(files, options.pictures, broken=options.broken, use=options.cache)
    kinds: dict[str, ColumnKind] = {IMAGE: "image", LABEL: "categorical"}
    sources: dict[str, PictureSource] = {}
    numbers: dict[str, np.ndarray] = {}
    start = 0
    for key, tree in trees.items():
        first, last = np.searchsorted(decoded.kept, [start, start + len(tree.files)])
        rows = numbers[_PARTS[key]] = decoded.kept[first:last] - start
        others = pa.record_batch({LABEL: pa.array(tree.labels).take(pa.array(rows))})
        pixels = decoded.pixels[first:last]
        sources[key] = PictureSource(pixels, others, kinds, IMAGE, str(given[key]), decoded.mapped)
        start += len(tree.files)
    labels = "\n".join(label for tree in trees.values() for label in tree.labels)
    return Sources(
        train=sources["path"],
        val=sources.get("val_path"),
        test=sources.get("test_path"),
        targets=(LABEL,),
        inputs=(IMAGE,),
        fingerprint=hashlib.sha256(f"{decoded.fingerprint}\n{labels}".encode()).hexdigest(),
        task="classification",
        warnings=(*(said for tree in trees.values() for said in tree.warnings), *decoded.warnings),
        numbers=numbers,
        files=hashes(files, decoded.digests, folder),
    )


def folder_records(folder: Path, image: str, label: str) -> pa.RecordBatch:
    """Return the paths and classes of a folder's pictures as two columns of these names.

    Raises:
        DataError: It is no folder of classes.
    """
    tree = find_tree(folder, ())
    columns = [pa.array(list(map(str, tree.files))), pa.array(tree.labels)]
    return with_origin(pa.record_batch(columns, names=[image, label]), folder.name, 0)


def find_tree(folder: Path, path: KeyPath) -> Tree:
    """Return the pictures below a folder of classes; what is hidden is passed over.

    Args:
        folder: The folder.
        path: The config key that names it, for messages.

    Raises:
        DataError: It is missing or a file, or no folder in it holds a picture.
    """
    entries = _entries(folder, path)
    names = [entry.name for entry in entries if entry.is_dir() and not is_hidden(entry.name)]
    if len(names) > 1 and {name.lower() for name in names} <= _PART_NAMES:
        raise _parts_not_classes(folder, names, path)
    found = {name: find_files(folder / name, ENDINGS) for name in names}
    files = [file for pictures, _ in found.values() for file in pictures]
    if not files:
        raise _no_pictures(folder, entries, path)
    warnings = []
    if empty := [name for name, (pictures, _) in found.items() if not pictures]:
        warnings.append(f"{folder}: folders without a picture are no classes: {_listed(empty)}")
    if others := [str(file) for _, rest in found.values() for file in rest]:
        warnings.append(
            f"{counted(len(others), 'file')} without the ending of a picture left out: "
            f"{_listed(others)}"
        )
    labels = [name for name, (pictures, _) in found.items() for _ in pictures]
    return Tree(files, labels, [name for name in names if name not in empty], warnings)


def _entries(folder: Path, path: KeyPath) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except NotADirectoryError:
        message, remedy = f"{folder} is a file, not a folder", "a table of paths is `name: images`"
    except PermissionError as error:
        raise MachineError(f"{folder} cannot be opened: {error}") from error
    except (OSError, ValueError):
        beside = folder.parent.iterdir() if folder.parent.is_dir() else ()
        message = f"there is no folder {folder}"
        remedy = nearest(folder.name, [other.name for other in beside if other.is_dir()])
    raise DataError(message, path=path, suggestion=remedy)


def _parts_not_classes(folder: Path, names: Sequence[str], path: KeyPath) -> ConfigError:
    keys = {"t": "path", "v": "val_path", "te": "test_path"}
    given = {keys.get(name[:2].lower(), keys[name[0].lower()]): name for name in names}
    remedy = ", ".join(f"{key}: {folder.name}/{name}" for key, name in given.items())
    return ConfigError(
        f"the folders of {folder} are parts, not classes: {_listed(names)}",
        path=path,
        suggestion=f"name each: `{remedy}`",
    )


def _no_pictures(folder: Path, entries: Sequence[Path], path: KeyPath) -> DataError:
    beside = [entry for entry in entries if entry.suffix.lower() in ENDINGS and entry.is_file()]
    if beside:
        found = f"{folder} holds {counted(len(beside), 'picture')}, but no folder of a class does"
    else:
        found = f"{folder} has no folder with pictures"
    note = f"endings of pictures: {', '.join(sorted(ENDINGS))}"
    fault = Fault(found, path=path, suggestion="put them in a folder per class", note=note)
    return DataError([fault])


def _check_classes(tree: Tree, trained: Sequence[str], key: str, name: str) -> None:
    unknown = [label for label in tree.classes if label not in trained]
    if unknown:
        raise DataError(
            f"{name} has classes that `path` lacks: {_listed(unknown)}",
            path=("data", key),
            suggestion=nearest(unknown[0], trained),
        )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
