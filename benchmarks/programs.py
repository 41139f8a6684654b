"""Who does the works, and how each is started; dlcli trains as a user trains with it."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.measurement import Measurement
from benchmarks.process import FailedError, Process, run
from benchmarks.works import WORKS

HERE = Path(__file__).parent
CONFIGS = HERE / "configs"
_TRAININGS = ("digits", "mnist-mlp", "mnist-cnn", "mnist-lstm", "adult")
_MLPS = ("digits", "mnist-mlp", "adult")
_PICTURES = ("mnist-mlp", "mnist-cnn", "mnist-lstm")


@dataclass(frozen=True)
class Program:
    """One program in one of its ways.

    Attributes:
        title: In the tables.
        works: What it does.
        module: In `benchmarks.peers`; none for dlcli's trainings, which are commands.
        way: What the module is told, or to which precision dlcli is set.
        environment: Of which it needs the packages; "" is satisfied with this Python's.
        once: Works in which one round must do, it being slow and no bound of anything.
    """

    title: str
    works: tuple[str, ...]
    module: str = ""
    way: str = ""
    environment: str = ""
    once: tuple[str, ...] = ()


_HALF = ("mnist-cnn", "mnist-lstm")

PROGRAMS = {
    "dlcli": Program("dlcli", _TRAININGS),
    "dlcli-medium": Program("dlcli, medium", ("mnist-mlp",), way="medium"),
    "dlcli-bf16": Program("dlcli, bf16", _HALF, way="bf16", once=_HALF),
    "dlcli-arrow": Program("dlcli, Arrow", ("predict",), "dlcli", "arrow"),
    "dlcli-records": Program("dlcli, records", ("predict",), "dlcli", "records", once=("predict",)),
    "plain": Program("plain loop", ("digits", *_PICTURES, "predict"), "plain"),
    "pandas": Program("plain loop, pandas", ("adult",), "plain", environment="torch"),
    "bound": Program("bound", (*_TRAININGS, "predict"), "bound"),
    "bound-hand": Program("bound, by hand", _MLPS, "bound", "hand"),
    "bound-medium": Program("bound, by hand, medium", ("mnist-mlp",), "bound", "hand+medium"),
    "bound-bf16": Program("bound, bf16", _HALF, "bound", "bf16", once=_HALF),
    "lightning": Program(
        "Lightning", ("digits", *_PICTURES), "lightning", environment="torch", once=_PICTURES
    ),
    "lightning-tensors": Program(
        "Lightning, tensors",
        ("mnist-mlp", "predict"),
        "lightning",
        "tensors",
        "torch",
        once=("mnist-mlp", "predict"),
    ),
    "skorch": Program(
        "skorch", (*_TRAININGS, "predict"), "skorch", environment="torch", once=tuple(WORKS)
    ),
    "keras": Program(
        "Keras (torch)",
        ("digits", *_PICTURES, "predict"),
        "keras",
        environment="torch",
        once=_PICTURES,
    ),
    "fastai": Program(
        "fastai", (*_TRAININGS, "predict"), "fastai", environment="torch", once=tuple(WORKS)
    ),
    "scikit-learn": Program(
        "scikit-learn",
        ("digits", "mnist-mlp", "predict"),
        "scikit_learn",
        environment="scikit-learn",
        once=("mnist-mlp",),
    ),
    "ludwig": Program("Ludwig", ("adult",), "ludwig", environment="ludwig"),
}
SHORT = ("dlcli", "dlcli-arrow", "plain", "pandas", "bound", "bound-hand")
"""Those of the short form."""


@dataclass(frozen=True)
class Setting:
    """Where a measurement takes place.

    Attributes:
        data: Folder that `write_sets` filled.
        environments: Folder that `benchmarks/setup.sh` filled.
        epochs: In the place of each work's own; None leaves it.
    """

    data: Path
    environments: Path
    epochs: int | None = None


def measure(name: str, work: str, number: int, setting: Setting) -> Measurement:
    """Let a program do a work in a process of its own; a failure is told, not raised.

    Args:
        name: One of `PROGRAMS`.
        work: One of its works.
        number: Of the round.
        setting: Where.
    """
    program = PROGRAMS[name]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        try:
            if program.module:
                process, told = _run_module(program, work, folder, setting)
            else:
                process, told = train(work, folder, setting, precision=program.way)
        except FailedError as error:
            return Measurement(work, name, number, failure=str(error))
    return Measurement(
        work,
        name,
        number,
        seconds=told["seconds"],
        rows=told["rows"],
        score=told["score"],
        whole_seconds=process.seconds,
        processor_seconds=process.processor_seconds,
        resident=process.resident,
        anonymous=process.anonymous,
        versions=told["versions"],
    )


def train(
    work: str, folder: Path, setting: Setting, *, precision: str = ""
) -> tuple[Process, Mapping[str, Any]]:
    """Run `dlcli train` in a folder; return the process, and what a peer would have printed.

    Raises:
        FailedError: It failed.
    """
    words = [sys.executable, "-m", "dlcli", "train", str(CONFIGS / f"{work}.yaml")]
    words += ["--quiet", "--json", "--trust-code", *overrides(work, setting)]
    if precision:
        words.append(f"train.precision={precision}")
    # A cache of its own, so that no round begins with what the round before it kept.
    process = run(words, folder=folder, environment={"DLCLI_CACHE": str(folder / "cache")})
    answer = json.loads(process.output)
    directory = folder / answer["run_dir"]
    lines = (directory / "metrics.jsonl").read_text().splitlines()
    epochs = [json.loads(line) for line in lines]
    rows = _count(json.loads((directory / "splits.json").read_text())["train"])
    return process, {
        "seconds": epochs[-1]["seconds"],
        "rows": rows * len(epochs),
        "score": answer["metrics"]["test"]["accuracy"],
        "versions": {"dlcli": version("dlcli"), "torch": version("torch")},
        "checkpoint": folder / answer["checkpoint"],
    }


def _count(rows: list[int] | Mapping[str, int]) -> int:
    """Return how many rows a part has, by its entry in splits.json: numbers, or a range."""
    return len(rows) if isinstance(rows, list) else rows["stop"] - rows["start"]


def overrides(work: str, setting: Setting) -> list[str]:
    """Return what a work's config is told on the command line: where its data are."""
    epochs = [] if setting.epochs is None else [f"train.epochs={setting.epochs}"]
    if work.startswith("mnist"):
        return [*epochs, f"data.path={setting.data}"]
    if work == "adult":
        paths = {"path": "adult-train.csv", "test_path": "adult-test.csv"}
        return [*epochs, *(f"data.{key}={setting.data / name}" for key, name in paths.items())]
    return epochs


def _run_module(
    program: Program, work: str, folder: Path, setting: Setting
) -> tuple[Process, Mapping[str, Any]]:
    python = python_of(program.environment, setting)
    words = [python, "-m", f"benchmarks.peers.{program.module}", work, str(setting.data)]
    words += ["--way", program.way] if program.way else []
    words += ["--epochs", str(setting.epochs)] if setting.epochs is not None else []
    process = run(words, folder=folder, environment={"PYTHONPATH": str(HERE.parent)})
    lines = [line for line in process.output.splitlines() if line.startswith('{"seconds"')]
    if not lines:
        raise FailedError("it printed no result")
    told: Mapping[str, Any] = json.loads(lines[-1])
    return process, told


def python_of(environment: str, setting: Setting) -> str:
    """Return the Python that has the packages.

    Raises:
        FailedError: That environment was not built.
    """
    if not environment:
        return sys.executable
    python = setting.environments / environment / "bin" / "python"
    if not python.exists():
        raise FailedError(f"no environment `{environment}`: run benchmarks/setup.sh")
    return str(python)
