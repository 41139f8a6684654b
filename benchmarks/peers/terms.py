"""The terms on which every program works: its command line, its data, the line that it prints."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np

from benchmarks.works import MNIST_MEAN, MNIST_STD, WORKS, Work


@dataclass(frozen=True)
class Asked:
    """What a program is asked to do.

    Attributes:
        name: The work's.
        work: Its terms.
        folder: Where the data are.
        way: Which of the program's several ways, in its own words.
    """

    name: str
    work: Work
    folder: Path
    way: str


@dataclass(frozen=True)
class Arrays:
    """Inputs (N, ...) and classes (N,) of the training and the test part."""

    train_inputs: np.ndarray
    train_targets: np.ndarray
    test_inputs: np.ndarray
    test_targets: np.ndarray


def asked() -> Asked:
    """Read the command line: `WORK FOLDER [--way WAY] [--epochs N]`."""
    parser = ArgumentParser()
    parser.add_argument("work", choices=WORKS)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--way", default="")
    parser.add_argument("--epochs", type=int)
    given = parser.parse_args()
    work = WORKS[given.work]
    if given.epochs is not None:
        work = replace(work, epochs=given.epochs)
    return Asked(given.work, work, given.folder, given.way)


def tell(*packages: str, seconds: float, rows: int, score: float) -> None:
    """Print the result as one line.

    Args:
        packages: Whose versions to tell.
        seconds: Of training, or of prediction, alone.
        rows: On which it was trained, each as often as there were epochs; or predicted.
        score: Share of the test rows told right; of the predicted ones.
    """
    versions = {name: version(name) for name in packages}
    line = {"seconds": seconds, "rows": rows, "score": float(score), "versions": versions}
    print(json.dumps(line))


def digits(folder: Path) -> Arrays:
    """Load scikit-learn's digits as (N, 64) float32, at mean 0 and deviation 1."""
    from sklearn.datasets import load_digits

    pixels, classes = load_digits(return_X_y=True)
    return _digits(folder, pixels, classes)


def digits_without_sklearn(folder: Path) -> Arrays:
    """Load the same from arrays, which takes no time."""
    pixels = np.load(folder / "digits" / "pixels.npy").reshape(-1, 64)
    return _digits(folder, pixels, np.load(folder / "digits" / "classes.npy"))


def _digits(folder: Path, pixels: np.ndarray, classes: np.ndarray) -> Arrays:
    train, test = (np.load(folder / "digits" / f"{part}.npy") for part in ("train", "test"))
    inputs = (pixels - pixels[train].mean()) / pixels[train].std()
    inputs, classes = inputs.astype(np.float32), classes.astype(np.int64)
    return Arrays(inputs[train], classes[train], inputs[test], classes[test])


def mnist(given: Asked) -> Arrays:
    """Load MNIST, normalised, (N, 784) or (N, 1, 28, 28) as the network takes it."""
    shape = (-1, 784) if given.work.network == "mlp" else (-1, 1, 28, 28)
    parts = []
    for part, rows in (("train", given.work.rows), ("t10k", None)):
        pixels, classes = mnist_pixels(given.folder, part)
        inputs = pixels[:rows].reshape(shape) / np.float32(255)
        inputs = (inputs - np.float32(MNIST_MEAN)) / np.float32(MNIST_STD)
        parts += [inputs, classes[:rows].astype(np.int64)]
    return Arrays(*parts)


def mnist_pixels(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Return pictures (N, 28, 28) uint8 and classes (N,) uint8 of the part `train` or `t10k`."""
    pixels = _idx(folder, f"{part}-images-idx3-ubyte").reshape(-1, 28, 28)
    return pixels, _idx(folder, f"{part}-labels-idx1-ubyte")


def _idx(folder: Path, name: str) -> np.ndarray:
    data = np.fromfile(folder / "MNIST" / "raw" / name, np.uint8)
    return data[4 + 4 * data[3] :]


def arrays(given: Asked) -> Arrays:
    """Return the data as people have them who work with arrays.

    Inputs are (N, F) float32, or where the network is to see pictures (N, 1, H, W).
    """
    if given.work.data == "digits":
        return digits(given.folder)
    if given.work.data == "adult":
        from benchmarks.peers.adult import prepared

        return prepared(given.folder)
    return mnist(given)


def trained_weights(folder: Path) -> list[np.ndarray]:
    """Return the trained MLP of MNIST: a weight (out, in) and a bias (out,) for each layer."""
    with np.load(folder / "weights.npz") as file:
        return [file[name] for name in sorted(file.files)]
