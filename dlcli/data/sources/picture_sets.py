"""Which files the known picture sets have, where, and what their classes are called.

Reads none; where files are, and how they are called, is torchvision's doing.
"""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dlcli.data.sources.picture_formats import (
    Read,
    read_cifar,
    read_idx,
    read_idx_columns,
    read_libsvm,
    read_mat,
    read_pickled_cifar,
    read_stl,
)

_PACKINGS = ("", ".gz")
_Parts = Mapping[str, Sequence[str]]
_TRAIN_TEST = {"train": {"train": True}, "test": {"train": False}}
_SPLIT = {"train": {"split": "train"}, "test": {"split": "test"}}


@dataclass(frozen=True)
class Layout:
    """Where a set's files are, if not in the root itself.

    Attributes:
        folder: Below the root, as torchvision has it; empty is the root itself.
        files: Their names by part.
        read: What reads the files of a part.
        is_fixed: The folder must have its name.
    """

    folder: str
    files: _Parts
    read: Read
    is_fixed: bool = False

    def find(self, root: Path, part: str) -> list[Path] | None:
        """Return the files of a part, packed or not; None where they are not all there."""
        own = Path(self.folder)
        places = [root / own, root / own.name, root]
        for place in places:
            if self.is_fixed and place.name != own.name:
                continue
            found = [packed(place / name) for name in self.files[part]]
            if all(found):
                return [path for path in found if path]
        return None


@dataclass(frozen=True)
class PictureSet:
    """A set.

    Attributes:
        own: torchvision's class.
        layouts: Where its files may be; torchvision puts them where the last one says.
        classes: Names by code; where there are none, a code is its own name.
        fetch: What torchvision's class is called with, by part.
    """

    own: str
    layouts: Sequence[Layout]
    classes: Sequence[str] = ()
    fetch: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: _TRAIN_TEST)


def picture_set(name: str, variant: str = "") -> PictureSet:
    """Return a set by its name in the config; EMNIST by its variant as well."""
    return _emnist(variant) if name == "emnist" else _SETS[name]


def packed(path: Path) -> Path | None:
    """Return a file as it is there, packed or not; None where it is not."""
    names = (path.with_name(path.name + ending) for ending in _PACKINGS)
    return next((name for name in names if name.is_file()), None)


def _like_mnist(own: str, classes: Sequence[str] = ()) -> PictureSet:
    files = {
        part: [f"{start}-images-idx3-ubyte", f"{start}-labels-idx1-ubyte"]
        for part, start in (("train", "train"), ("test", "t10k"))
    }
    return PictureSet(own, [Layout(f"{own}/raw", files, read_idx)], classes)


def _emnist(variant: str) -> PictureSet:
    files = {
        part: [f"emnist-{variant}-{part}-{kind}-ubyte" for kind in ("images-idx3", "labels-idx1")]
        for part in ("train", "test")
    }
    fetch = {part: {"split": variant, **which} for part, which in _TRAIN_TEST.items()}
    layout = Layout("EMNIST/raw", files, read_idx_columns)
    return PictureSet("EMNIST", [layout], _EMNIST_CLASSES.get(variant, ()), fetch)


def _cifar(
    own: str,
    folders: Sequence[str],
    binary: _Parts,
    pickled: _Parts,
    classes: Sequence[str] = (),
) -> PictureSet:
    return PictureSet(
        own,
        [
            Layout(folders[0], binary, read_cifar),
            Layout(folders[1], pickled, read_pickled_cifar(own), is_fixed=True),
        ],
        classes,
    )


_SIGNS = sorted(string.digits + string.ascii_letters)
_MERGED = sorted(set(_SIGNS) - set("cijklmopsuvwxyz"))  # small letters that look like capital ones
_EMNIST_CLASSES = {
    "byclass": _SIGNS,
    "bymerge": _MERGED,
    "balanced": _MERGED,
    "letters": ["", *string.ascii_lowercase],  # codes begin at 1
}
_CLOTHES = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
]
_JAPANESE = ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"]
_CIFAR = [
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
]
_STL = ["airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck"]
_SETS = {
    "mnist": _like_mnist("MNIST"),
    "fashion_mnist": _like_mnist("FashionMNIST", _CLOTHES),
    "kmnist": _like_mnist("KMNIST", _JAPANESE),
    "qmnist": PictureSet(
        "QMNIST",
        [
            Layout(
                "QMNIST/raw",
                {
                    part: [f"qmnist-{part}-images-idx3-ubyte", f"qmnist-{part}-labels-idx2-int"]
                    for part in ("train", "test")
                },
                read_idx,
            )
        ],
    ),
    "usps": PictureSet(
        "USPS", [Layout("", {"train": ["usps.bz2"], "test": ["usps.t.bz2"]}, read_libsvm)]
    ),
    "cifar10": _cifar(
        "CIFAR10",
        ("cifar-10-batches-bin", "cifar-10-batches-py"),
        {"train": [f"data_batch_{n}.bin" for n in range(1, 6)], "test": ["test_batch.bin"]},
        {"train": [f"data_batch_{n}" for n in range(1, 6)], "test": ["test_batch"]},
        _CIFAR,
    ),
    "cifar100": _cifar(
        "CIFAR100",
        ("cifar-100-binary", "cifar-100-python"),
        {part: [f"{part}.bin", "fine_label_names.txt"] for part in ("train", "test")},
        {part: [part] for part in ("train", "test")},
    ),
    "svhn": PictureSet(
        "SVHN",
        [Layout("", {part: [f"{part}_32x32.mat"] for part in ("train", "test")}, read_mat)],
        fetch=_SPLIT,
    ),
    "stl10": PictureSet(
        "STL10",
        [
            Layout(
                "stl10_binary",
                {part: [f"{part}_X.bin", f"{part}_y.bin"] for part in ("train", "test")},
                read_stl,
            )
        ],
        _STL,
        fetch=_SPLIT,
    ),
}
