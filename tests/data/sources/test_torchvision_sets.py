"""Known picture sets: our readers against torchvision's, and what is missing or damaged."""

from __future__ import annotations

import bz2
import gzip
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from scipy.io import savemat

from dlcli.config.data import DataOptions, TorchvisionOptions
from dlcli.config.options import components
from dlcli.data.prepare import prepare
from dlcli.data.sources.torchvision import open_torchvision
from dlcli.errors import DataError

GENERATOR = np.random.default_rng(0)
ROWS = {"train": 30, "test": 7}


def options(name: str, path: Path, **more) -> TorchvisionOptions:
    found = components(DataOptions)[name](path=str(path), **more)
    assert isinstance(found, TorchvisionOptions)
    return found


def idx(values: np.ndarray) -> bytes:
    kind = {1: 8, 4: 12}[values.dtype.itemsize]
    sizes = np.array(values.shape, ">u4").tobytes()
    return bytes([0, 0, kind, values.ndim]) + sizes + values.tobytes()


def write_idx(folder: Path, names: dict[str, tuple[str, str]], *, is_packed=False, classes=10):
    """Write pictures and labels; of a wide label, the first is the class."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, (images, labels) in names.items():
        codes = GENERATOR.integers(0, classes, ROWS[part]).astype(np.uint8)
        if labels.endswith("int"):
            codes = np.stack([codes, *[codes * 0 + 7] * 7], 1).astype(">i4")
        for name, values in (
            (images, GENERATOR.integers(0, 256, (ROWS[part], 28, 28), np.uint8)),
            (labels, codes),
        ):
            data = gzip.compress(idx(values)) if is_packed else idx(values)
            (folder / (name + ".gz" * is_packed)).write_bytes(data)


def mnist_names() -> dict[str, tuple[str, str]]:
    return {
        part: (f"{start}-images-idx3-ubyte", f"{start}-labels-idx1-ubyte")
        for part, start in (("train", "train"), ("test", "t10k"))
    }


def rows_of(source) -> tuple[np.ndarray, list[object]]:
    table = pa.Table.from_batches(list(source.chunks()))
    return np.array(table["image"].to_pylist()), table["label"].to_pylist()


@pytest.mark.parametrize("is_packed", [False, True])
@pytest.mark.parametrize("below", ["MNIST/raw", "raw", ""])
def test_mnist_is_found_wherever_it_may_lie(tmp_path, below, is_packed):
    write_idx(tmp_path / below, mnist_names(), is_packed=is_packed)
    sources = open_torchvision(options("mnist", tmp_path), Path())
    images, labels = rows_of(sources.train)
    assert images.shape == (30, 28, 28)
    assert set(labels) <= set(range(10))
    assert len(rows_of(sources.test)[0]) == 7


OWN = {"mnist": "MNIST", "fashion_mnist": "FashionMNIST", "kmnist": "KMNIST", "qmnist": "QMNIST"}


@pytest.mark.parametrize("name", OWN)
def test_sets_like_mnist_are_read_as_torchvision_reads_them(tmp_path, name):
    from torchvision import datasets

    names = mnist_names()
    if name == "qmnist":
        names = {
            part: (f"qmnist-{part}-images-idx3-ubyte", f"qmnist-{part}-labels-idx2-int")
            for part in ROWS
        }
    write_idx(tmp_path / OWN[name] / "raw", names)
    sources = open_torchvision(options(name, tmp_path), Path())
    for source, is_train in ((sources.train, True), (sources.test, False)):
        theirs = getattr(datasets, OWN[name])(tmp_path, train=is_train)
        images, labels = rows_of(source)
        np.testing.assert_array_equal(images, theirs.data.numpy())
        codes = theirs.targets[:, 0].tolist() if name == "qmnist" else theirs.targets.tolist()
        has_names = name in ("fashion_mnist", "kmnist")
        assert labels == ([theirs.classes[code] for code in codes] if has_names else codes)


@pytest.mark.parametrize("variant", ["balanced", "letters", "digits", "byclass"])
def test_emnist_stands_upright_with_its_classes_by_name(tmp_path, variant):
    from torchvision import datasets

    names = {
        part: (
            f"emnist-{variant}-{part}-images-idx3-ubyte",
            f"emnist-{variant}-{part}-labels-idx1-ubyte",
        )
        for part in ROWS
    }
    write_idx(tmp_path / "EMNIST" / "raw", names)
    source = open_torchvision(options("emnist", tmp_path, variant=variant), Path()).train
    theirs = datasets.EMNIST(tmp_path, split=variant, train=True)
    images, labels = rows_of(source)
    np.testing.assert_array_equal(images, theirs.data.numpy().transpose(0, 2, 1))
    expected = [theirs.classes[code] for code in theirs.targets.tolist()]
    assert [str(label) for label in labels] == [name.replace("N/A", "") for name in expected]


def test_usps_is_read_as_torchvision_reads_it(tmp_path):
    from torchvision.datasets import USPS

    for name in ("usps.bz2", "usps.t.bz2"):
        values = GENERATOR.uniform(-1, 1, (5, 256)).round(4)
        lines = [
            f"{GENERATOR.integers(1, 11)} " + " ".join(f"{i + 1}:{v}" for i, v in enumerate(row))
            for row in values
        ]
        (tmp_path / name).write_bytes(bz2.compress("\n".join(lines).encode()))
    sources = open_torchvision(options("usps", tmp_path), Path())
    theirs = USPS(tmp_path, train=True)
    images, labels = rows_of(sources.train)
    np.testing.assert_array_equal(images, theirs.data)
    assert labels == theirs.targets


def test_cifar_in_its_binary_version(tmp_path):
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    rows = GENERATOR.integers(0, 256, (12, 3073), np.uint8)
    rows[:, 0] %= 10
    for place, name in enumerate([f"data_batch_{n}" for n in range(1, 6)] + ["test_batch"]):
        (folder / f"{name}.bin").write_bytes(rows[2 * place : 2 * place + 2].tobytes())
    images, labels = rows_of(open_torchvision(options("cifar10", tmp_path), Path()).train)
    np.testing.assert_array_equal(images, rows[:10, 1:].reshape(-1, 3, 32, 32))
    assert [label[:2] for label in labels] == [
        ["ai", "au", "bi", "ca", "de", "do", "fr", "ho", "sh", "tr"][code] for code in rows[:10, 0]
    ]


def test_cifar_100_is_told_apart_by_its_fine_classes(tmp_path):
    rows = GENERATOR.integers(0, 256, (4, 3074), np.uint8)
    rows[:, 1] = [0, 2, 1, 2]
    for part in ROWS:
        (tmp_path / f"{part}.bin").write_bytes(rows.tobytes())
    (tmp_path / "fine_label_names.txt").write_text("apple\nbee\ncloud\n")
    images, labels = rows_of(open_torchvision(options("cifar100", tmp_path), Path()).train)
    assert labels == ["apple", "cloud", "bee", "cloud"]
    np.testing.assert_array_equal(images, rows[:, 2:].reshape(-1, 3, 32, 32))


def test_a_pickle_that_is_not_the_published_one_is_never_opened(tmp_path):
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    bomb = b"cos\nsystem\n(S'touch " + bytes(tmp_path / "opened") + b"'\ntR."
    for name in [*(f"data_batch_{n}" for n in range(1, 6)), "test_batch", "batches.meta"]:
        (folder / name).write_bytes(bomb)
    with pytest.raises(DataError, match="files are missing, or not the published ones"):
        open_torchvision(options("cifar10", tmp_path), Path())
    assert not (tmp_path / "opened").exists()
    with pytest.raises(DataError, match="there is no file"):
        open_torchvision(options("cifar10", folder.rename(tmp_path / "mine")), Path())


def test_svhn_has_its_tens_as_zeros(tmp_path):
    values = GENERATOR.integers(0, 256, (32, 32, 3, 4), np.uint8)
    for part in ROWS:
        savemat(tmp_path / f"{part}_32x32.mat", {"X": values, "y": [[10], [1], [9], [10]]})
    images, labels = rows_of(open_torchvision(options("svhn", tmp_path), Path()).train)
    assert labels == [0, 1, 9, 0]
    np.testing.assert_array_equal(images[2], values[..., 2].transpose(2, 0, 1))


def test_stl10_is_stored_column_by_column(tmp_path):
    folder = tmp_path / "stl10_binary"
    folder.mkdir()
    values = GENERATOR.integers(0, 256, (3, 3, 96, 96), np.uint8)
    for part in ROWS:
        (folder / f"{part}_X.bin").write_bytes(values.tobytes())
        (folder / f"{part}_y.bin").write_bytes(bytes([1, 10, 2]))
    images, labels = rows_of(open_torchvision(options("stl10", tmp_path), Path()).train)
    assert labels == ["airplane", "truck", "bird"]
    np.testing.assert_array_equal(images, values.transpose(0, 1, 3, 2))


def test_rows_takes_the_first_ones_and_val_comes_out_of_them(tmp_path):
    write_idx(tmp_path, mnist_names(), classes=2)
    given = options("mnist", tmp_path, rows=20)
    prepared = prepare(open_torchvision(given, Path()), given, task=None)
    assert {part: len(rows) for part, rows in prepared.examples.items()} == {
        "train": 18,
        "val": 2,
        "test": 7,
    }
    half = options("mnist", tmp_path, rows=0.5)
    assert len(rows_of(open_torchvision(half, Path()).train)[0]) == 15
    whole = rows_of(open_torchvision(options("mnist", tmp_path), Path()).train)[0]
    trained = prepared.examples["train"].inputs["image"][:, 0]
    assert all(
        (torch.from_numpy(whole[:20].astype(np.uint8)) == row).all((1, 2)).any() for row in trained
    )


SETS = [
    name
    for name, member in components(DataOptions).items()
    if issubclass(member, TorchvisionOptions)
]


@pytest.mark.parametrize("name", SETS)
def test_a_missing_file_is_named_with_its_path(tmp_path, name):
    with pytest.raises(DataError) as caught:
        open_torchvision(options(name, Path("sets")), tmp_path)
    (fault,) = caught.value.faults
    assert f"there is no file {tmp_path / 'sets'}/" in fault.message
    assert "`download: true` fetches it" in fault.suggestion


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "it does not begin as an IDX file"),
        (b"text", "it does not begin as an IDX file"),
        (idx(np.zeros((3, 28, 28), np.uint8))[:-5], "2,363 bytes where 2,368 are announced"),
        (idx(np.zeros((3, 28, 28), np.uint8)), r"\(3, 28, 28\) pixels for 30 labels"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, data, words):
    write_idx(tmp_path, mnist_names())
    (tmp_path / "train-images-idx3-ubyte").write_bytes(data)
    with pytest.raises(DataError, match=f"train-images-idx3-ubyte is damaged: {words}"):
        open_torchvision(options("mnist", tmp_path), Path())


def test_folds_are_refused(tmp_path):
    with pytest.raises(ValueError, match="this set has a test part of its own"):
        options("mnist", tmp_path, split={"folds": 5})


@pytest.mark.realdata
def test_mnist_needs_neither_torchvision_nor_pillow(real_data):
    code = (
        "import sys; from pathlib import Path;"
        "from dlcli.config.data.torchvision import MNISTOptions;"
        "from dlcli.data.sources.torchvision import open_torchvision;"
        f"source = open_torchvision(MNISTOptions(path={str(real_data / 'mnist')!r}), Path()).train;"
        "print(len(source.pixels), {'torchvision', 'PIL', 'tqdm.auto'} & set(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "60000 set()\n"
