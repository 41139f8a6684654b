"""Peak memory of training and predicting on large tables, over that of a bare `import torch`.

    python -m benchmarks.memory
    python -m benchmarks.memory --rows 250000 1000000 --format parquet --target class
    python -m benchmarks.memory --rows 1000000 --target series

One epoch of a small network with everything that `dlcli train` does, then `dlcli predict` on the
same file. Both figures are peaks of the whole process: its resident set, which counts the pages of
mapped files such as torch's libraries, and its anonymous pages alone. Needs /proc, so Linux, and a
gigabyte of temporary space for four million rows.

A series is measured against one of a few thousand rows, which has the same imports and batches:
windows are views of rows that are held once, as float32.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet

INPUTS = 19
CHANNELS = 8
FEW_ROWS = 4000
TARGET_BYTES = {"number": 4, "class": 8}
_CHUNK_ROWS = 250_000
_SAMPLE_SECONDS = 0.01
_CONFIG = """\
data: {{name: table, path: {path}, target: y, batch_size: 512, cache: {cache}}}
model: {{name: mlp, hidden_sizes: [64]}}
train: {{epochs: 1}}
metrics: {metrics}
"""
_SERIES = """\
data: {{name: series, path: {path}, target: x0, past: 96, horizon: 24, stride: 16, batch_size: 256}}
model: linear
train: {{epochs: 1}}
"""
_METRICS = {"number": "[rmse, mae, r2]", "class": "[accuracy, f1_macro, roc_auc]"}


@dataclass(frozen=True)
class Peak:
    """The largest memory of a process, in bytes, and how long it ran.

    Attributes:
        resident: Resident set, pages of mapped files included.
        anonymous: Pages of its own.
        seconds: From start to end.
    """

    resident: int
    anonymous: int
    seconds: float

    def over(self, other: Peak) -> tuple[float, float]:
        """Return resident and anonymous memory beyond another peak's, in MB."""
        return (self.resident - other.resident) / 1e6, (self.anonymous - other.anonymous) / 1e6


def measure(words: Sequence[str], *, folder: Path, processors: int | None = None) -> Peak:
    """Run Python with these words and watch its memory.

    Args:
        words: What stands after `python`.
        folder: Where to run it.
        processors: How many the libraries are to believe in; None leaves that to them.

    Raises:
        CalledProcessError: It failed.
    """
    environment = dict(os.environ)
    if processors is not None:
        environment["OMP_NUM_THREADS"] = str(processors)  # pyarrow goes by it as well
    resident = anonymous = 0
    started = time.monotonic()
    with tempfile.TemporaryFile() as talk:
        process = subprocess.Popen(
            [sys.executable, *words],
            cwd=folder,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=talk,
        )
        while process.poll() is None:
            found = _memory(process.pid)
            resident = max(resident, found.get("VmHWM", 0))
            anonymous = max(anonymous, found.get("RssAnon", 0))
            time.sleep(_SAMPLE_SECONDS)
        if process.returncode:
            talk.seek(0)
            raise subprocess.CalledProcessError(process.returncode, words, stderr=talk.read())
    return Peak(resident, anonymous, time.monotonic() - started)


def measure_torch(folder: Path) -> Peak:
    """Return the peak of a bare `import torch`."""
    return measure(["-c", "import torch"], folder=folder)


def measure_training(
    path: Path, *, target: str, processors: int | None = None, cache: str = "auto"
) -> Peak:
    """Return the peak of `dlcli train` for one epoch on a table of `write_table`.

    The run directory is called after the table and lies beside it, in `runs`.

    Args:
        path: The table.
        target: As it was written.
        processors: See `measure`.
        cache: `data.cache`.
    """
    config = path.with_suffix(".yaml")
    config.write_text(_CONFIG.format(path=path.name, metrics=_METRICS[target], cache=cache))
    words = ["-m", "dlcli", "train", config.name]
    return measure(words, folder=path.parent, processors=processors)


def measure_windows(path: Path) -> Peak:
    """Return the peak of `dlcli train` for one epoch on the windows of a series."""
    config = path.with_suffix(".yaml")
    config.write_text(_SERIES.format(path=path.name))
    return measure(["-m", "dlcli", "train", config.name], folder=path.parent)


def measure_prediction(path: Path, *, processors: int | None = None) -> Peak:
    """Return the peak of `dlcli predict` on a table, with the newest run beside it."""
    words = ["-m", "dlcli", "predict", path.name, "--output", f"{path.stem}-out.csv"]
    return measure(words, folder=path.parent, processors=processors)


def write_table(path: Path, rows: int, *, target: str, seed: int = 0) -> Path:
    """Write a CSV or Parquet table of 19 inputs and one target.

    Args:
        path: Its ending tells the format.
        rows: Number of rows.
        target: `number` or `class`.
        seed: Another one gives other numbers.
    """
    random = np.random.default_rng(seed)
    writer: Any = None
    for start in range(0, rows, _CHUNK_ROWS):
        table = _chunk(random, min(_CHUNK_ROWS, rows - start), target)
        if writer is None:
            kind = pa_parquet.ParquetWriter if path.suffix == ".parquet" else pa_csv.CSVWriter
            writer = kind(str(path), table.schema)
        writer.write_table(table)
    writer.close()
    return path


def write_series(path: Path, rows: int, *, seed: int = 0) -> Path:
    """Write a CSV or Parquet series: a time each minute, and 8 random walks."""
    random = np.random.default_rng(seed)
    times = np.datetime64("2020-01-01", "s") + 60 * np.arange(rows)
    walks = random.standard_normal((rows, CHANNELS)).cumsum(0).round(3)
    table = pa.table(
        {"time": times, **{f"x{number}": walks[:, number] for number in range(CHANNELS)}}
    )
    write: Any = pa_parquet.write_table if path.suffix == ".parquet" else pa_csv.write_csv
    write(table, str(path))
    return path


def series_bytes(rows: int) -> int:
    """Return what a series' numbers take as float32."""
    return rows * CHANNELS * 4


def tensor_bytes(rows: int, *, target: str) -> int:
    """Return what a table's numbers take as tensors: float32, class codes int64."""
    return rows * (4 * INPUTS + TARGET_BYTES[target])


def _chunk(random: np.random.Generator, rows: int, target: str) -> pa.Table:
    inputs = random.standard_normal((rows, INPUTS)).round(4)
    outputs = (2 * inputs[:, 0] + inputs[:, 1] + random.standard_normal(rows)).round(4)
    columns = {f"x{number}": inputs[:, number] for number in range(INPUTS)}
    return pa.table({**columns, "y": outputs if target == "number" else _words(outputs)})


def _words(outputs: np.ndarray) -> np.ndarray:
    return np.where(outputs > 0, "yes", "no")


def _memory(process: int) -> Mapping[str, int]:
    """Return a process's memory by the kernel's names, in bytes; nothing once it has ended."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return {}
    return {name: int(size) << 10 for name, size in re.findall(r"(\w+):\s+(\d+) kB", status)}


def main() -> None:
    """Print a table of peaks, in MB over a bare `import torch`, beside what is allowed."""
    parser = ArgumentParser(prog="python -m benchmarks.memory", description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 4_000_000])
    parser.add_argument("--format", choices=["csv", "parquet"], default="csv")
    parser.add_argument("--target", choices=[*TARGET_BYTES, "series"], default="number")
    parser.add_argument("--processors", type=int, help="how many the libraries believe in")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        torch = measure_torch(folder)
        print(
            f"import torch: resident {torch.resident / 1e6:.0f} MB, "
            f"anonymous {torch.anonymous / 1e6:.0f} MB, {torch.seconds:.1f} s\n"
        )
        print(f"{'MB over that':28} {'resident':>9} {'anonymous':>9} {'allowed':>8} {'seconds':>8}")
        if given.target == "series":
            torch = measure_windows(write_series(folder / f"few.{given.format}", FEW_ROWS))
        for rows in given.rows:
            if given.target == "series":
                path = write_series(folder / f"rows{rows}.{given.format}", rows)
                size = series_bytes(rows) / 1e6
                what = f"windows of {rows:,} ({size:.0f} MB)"
                _row(what, measure_windows(path), torch, f"{3 * size:.0f}")
                continue
            _report(folder, rows, given.format, given.target, given.processors, torch)


def _report(
    folder: Path, rows: int, ending: str, target: str, processors: int | None, torch: Peak
) -> None:
    path = write_table(folder / f"rows{rows}.{ending}", rows, target=target)
    size = tensor_bytes(rows, target=target) / 1e6
    trained = measure_training(path, target=target, processors=processors)
    predicted = measure_prediction(path, processors=processors)
    _row(f"train {rows:,} ({size:.0f} MB)", trained, torch, f"{200 + 2.5 * size:.0f}")
    _row(f"predict {rows:,}", predicted, torch, "")
    path.unlink()


def _row(what: str, peak: Peak, torch: Peak, allowed: str) -> None:
    resident, anonymous = peak.over(torch)
    print(f"{what:28} {resident:9.0f} {anonymous:9.0f} {allowed:>8} {peak.seconds:8.1f}")


if __name__ == "__main__":
    main()
