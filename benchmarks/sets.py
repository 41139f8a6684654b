"""The data of the works, written once in the files that every program reads.

    FOLDER/digits/                pixels and classes, and which rows train and test
    FOLDER/MNIST/raw/             the four files, unpacked: where torchvision looks for them
    FOLDER/adult-train.csv        and adult-test.csv

Without real data MNIST and Adult are made up: of the same shape, types and rows, and learnable.
Their times are those of the real ones, their scores are not.
"""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import numpy as np

from dlcli.config.data import SplitOptions
from dlcli.config.data.embedded import DigitsOptions
from dlcli.data.sources.embedded import open_embedded
from dlcli.data.split import Labels, draw_split

MNIST_FILES = {
    "train-images": "train-images-idx3-ubyte",
    "train-labels": "train-labels-idx1-ubyte",
    "test-images": "t10k-images-idx3-ubyte",
    "test-labels": "t10k-labels-idx1-ubyte",
}
ADULT_FILES = ("adult-train.csv", "adult-test.csv")
ADULT_ROWS = (32_561, 16_281)
MNIST_ROWS = (60_000, 10_000)
DIGITS_SPLIT = SplitOptions(val=0, test=0.1)
_WORDS = {
    "workclass": 8, "education": 16, "marital": 7, "occupation": 14, "relationship": 6,
    "race": 5, "sex": 2, "country": 41,
}  # fmt: skip


def write_sets(folder: Path, real: Path | None) -> list[str]:
    """Write every data set; return what is to be said of them.

    Args:
        folder: Where to; it exists.
        real: Folder with `mnist/` (the four files, packed or not) and `csv/adult-*.csv`; None makes
            them up.

    Raises:
        FileNotFoundError: One of those files is missing.
    """
    write_digits(folder / "digits")
    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True)
    if real is None:
        _make_mnist(raw)
        _make_adult(folder)
        return ["MNIST and Adult are made up (no --data given): same shapes, other scores."]
    for name in MNIST_FILES.values():
        _unpack(real / "mnist" / name, raw / name)
    for name in ADULT_FILES:
        shutil.copyfile(real / "csv" / name, folder / name)
    return []


def write_digits(folder: Path) -> None:
    """Write the digits, and the rows that dlcli draws for its parts."""
    folder.mkdir()
    batches = list(open_embedded(DigitsOptions(), folder).train.chunks(["image", "digit"]))
    pixels = np.concatenate([_pixels(batch["image"]) for batch in batches])
    classes = np.concatenate([batch["digit"].to_numpy() for batch in batches])
    names, codes = np.unique(classes, return_inverse=True)
    split = draw_split(DIGITS_SPLIT, len(pixels), classes=Labels(codes, [*map(str, names)]))
    np.save(folder / "pixels.npy", pixels)
    np.save(folder / "classes.npy", classes)
    for part, rows in split.parts.items():
        np.save(folder / f"{part}.npy", rows)


def _pixels(column: object) -> np.ndarray:
    return np.array(column.to_pylist(), np.uint8)  # type: ignore[attr-defined]


def _unpack(source: Path, target: Path) -> None:
    if source.exists():
        shutil.copyfile(source, target)
        return
    with gzip.open(f"{source}.gz") as packed, target.open("wb") as plain:
        shutil.copyfileobj(packed, plain)


def _make_mnist(raw: Path) -> None:
    """Write pictures of ten patterns, each seen through noise and at a strength of its own."""
    random = np.random.default_rng(0)
    coarse = random.random((10, 7, 7), np.float32) > 0.7
    patterns = coarse.repeat(4, axis=1).repeat(4, axis=2) * np.float32(255)
    for part, rows in zip(("train", "test"), MNIST_ROWS, strict=True):
        classes = random.integers(0, 10, rows, np.uint8)
        strength = random.uniform(0.1, 0.6, (rows, 1, 1)).astype(np.float32)
        noise = random.standard_normal((rows, 28, 28), np.float32) * 60
        pixels = (patterns[classes] * strength + noise).clip(0, 255).astype(np.uint8)
        _write_idx(raw / MNIST_FILES[f"{part}-images"], pixels)
        _write_idx(raw / MNIST_FILES[f"{part}-labels"], classes)


def _write_idx(path: Path, values: np.ndarray) -> None:
    """Write bytes in MNIST's format: two zeros, the type, the dimensions, the sizes, the values."""
    sizes = np.array(values.shape, ">u4").tobytes()
    path.write_bytes(bytes([0, 0, 8, values.ndim]) + sizes + values.tobytes())


def _make_adult(folder: Path) -> None:
    """Write tables with Adult's columns; income hangs on age, hours, education and gain."""
    random = np.random.default_rng(0)
    for name, rows in zip(ADULT_FILES, ADULT_ROWS, strict=True):
        words = {
            column: _words(random, column, count, rows, has_gaps=column in _GAPS)
            for column, count in _WORDS.items()
        }
        age, hours = random.integers(17, 91, rows), random.integers(1, 100, rows)
        years = random.integers(1, 17, rows)
        gain = random.integers(1, 99_999, rows) * (random.random(rows) < 0.08)
        loss = random.integers(1, 4_356, rows) * (random.random(rows) < 0.05)
        score = age / 20 + hours / 25 + years / 3 + gain / 9_000 + random.standard_normal(rows)
        end = "." if "test" in name else ""
        income = np.where(score > np.quantile(score, 0.76), f">50K{end}", f"<=50K{end}")
        columns = [
            age, words["workclass"], random.integers(12_285, 1_484_705, rows), words["education"],
            years, words["marital"], words["occupation"], words["relationship"], words["race"],
            words["sex"], gain, loss, hours, words["country"], income,
        ]  # fmt: skip
        lines = (", ".join(map(str, cells)) for cells in zip(*columns, strict=True))
        (folder / name).write_text("\n".join(lines) + "\n")


_GAPS = {"workclass", "occupation", "country"}


def _words(
    random: np.random.Generator, column: str, count: int, rows: int, *, has_gaps: bool
) -> np.ndarray:
    names = np.array([f"{column}-{number}" for number in range(count)])
    shares = 1 / np.arange(1, count + 1)
    words = random.choice(names, rows, p=shares / shares.sum())
    return np.where(random.random(rows) < 0.05, "?", words) if has_gaps else words
