"""scikit-learn's small data sets, read from its data files without importing the package."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyarrow as pa

from dlcli.config.data import DataOptions
from dlcli.data.sources.memory import MemorySource
from dlcli.data.sources.source import ColumnKind, Sources, Task
from dlcli.errors import MachineError

_CELL = [
    "radius",
    "texture",
    "perimeter",
    "area",
    "smoothness",
    "compactness",
    "concavity",
    "concave_points",
    "symmetry",
    "fractal_dimension",
]


@dataclass(frozen=True)
class _Set:
    """One set: its files, its columns in their order, and its class names."""

    file: str
    inputs: Sequence[str]
    target: str
    classes: Sequence[str] = ()
    target_file: str = ""
    task: Task = "classification"


_SETS = {
    "digits": _Set("digits.csv.gz", ["image"], "digit"),
    "iris": _Set(
        "iris.csv",
        ["sepal_length", "sepal_width", "petal_length", "petal_width"],
        "species",
        ["setosa", "versicolor", "virginica"],
    ),
    "wine": _Set(
        "wine_data.csv",
        [
            "alcohol",
            "malic_acid",
            "ash",
            "alcalinity_of_ash",
            "magnesium",
            "total_phenols",
            "flavanoids",
            "nonflavanoid_phenols",
            "proanthocyanins",
            "color_intensity",
            "hue",
            "od280_od315",
            "proline",
        ],
        "class",
        ["class_0", "class_1", "class_2"],
    ),
    "breast_cancer": _Set(
        "breast_cancer.csv",
        [f"{form}_{name}" for form in ("mean", "error", "worst") for name in _CELL],
        "diagnosis",
        ["malignant", "benign"],
    ),
    "diabetes": _Set(
        "diabetes_data_raw.csv.gz",
        ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"],
        "progression",
        target_file="diabetes_target.csv.gz",
        task="regression",
    ),
}


def open_embedded(options: DataOptions, folder: Path) -> Sources:  # noqa: ARG001 - one shape for all
    """Return the set that the options name.

    Raises:
        MachineError: scikit-learn is not installed, or its data files are not where they were.
    """
    name = str(options.name)
    chosen = _SETS[name]
    data = _read(chosen.file)
    target = _read(chosen.target_file) if chosen.target_file else b""
    table, kinds = _table(chosen, data, target)
    source = MemorySource(table, kinds, name)
    fingerprint = hashlib.sha256(data + target).hexdigest()
    return Sources(
        source, None, None, (chosen.target,), tuple(chosen.inputs), fingerprint, task=chosen.task
    )


def _table(chosen: _Set, data: bytes, target: bytes) -> tuple[pa.Table, dict[str, ColumnKind]]:
    values = _numbers(data, skip=1 if chosen.classes else 0)
    if chosen.inputs == ["image"]:
        pixels = pa.array(values[:, :-1].astype(np.uint8).ravel())
        rows = pa.FixedSizeListArray.from_arrays(pixels, 8)
        columns = {"image": pa.FixedSizeListArray.from_arrays(rows, 8)}
        kinds: dict[str, ColumnKind] = {"image": "image", chosen.target: "numeric"}
        return pa.table({**columns, chosen.target: pa.array(values[:, -1].astype(np.int64))}), kinds
    columns = {name: pa.array(values[:, index]) for index, name in enumerate(chosen.inputs)}
    kinds = dict.fromkeys(chosen.inputs, "numeric")
    if chosen.classes:
        names = np.array(chosen.classes)[values[:, -1].astype(np.int64)]
        columns[chosen.target], kinds[chosen.target] = pa.array(names.tolist()), "categorical"
    else:
        columns[chosen.target] = pa.array(_numbers(target, skip=0)[:, 0])
        kinds[chosen.target] = "numeric"
    return pa.table(columns), kinds


def _numbers(data: bytes, skip: int) -> np.ndarray:
    lines = data.decode().replace(",", " ").splitlines()[skip:]
    return np.fromstring(" ".join(lines), sep=" ").reshape(len(lines), -1)


def _read(file: str) -> bytes:
    """Return one of the package's data files, unpacked."""
    package = find_spec("sklearn")  # finds the folder; runs nothing of the package
    if package is None or not package.submodule_search_locations:
        raise MachineError(
            "scikit-learn is not installed; its data files hold the embedded data sets",
            suggestion="pip install scikit-learn",
        )
    path = Path(package.submodule_search_locations[0], "datasets", "data", file)
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise MachineError(
            f"scikit-learn has no file {path}", suggestion="install another version of it"
        ) from error
    return gzip.decompress(data) if file.endswith(".gz") else data
