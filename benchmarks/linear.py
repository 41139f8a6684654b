"""Epoch time per row of ever larger tables: where cost grows linearly, it stays what it is."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pa_parquet

from benchmarks.measurement import Measurement
from benchmarks.process import FailedError, run

SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
INPUTS = 8
_CHUNK_ROWS = 1_000_000
_ROWS_TRAINED = 1_000_000
_CONFIG = """\
data: {path: rows.parquet, name: table, target: y, batch_size: 256, split: {val: 0, test: 0}}
model: {name: mlp, hidden_sizes: [32]}
optimizer: {name: adam, lr: 1e-3}
train: {device: cpu}
"""


def measure_size(rows: int, number: int) -> Measurement:
    """Train on a table of so many rows; its seconds are those of all epochs but the first.

    Small tables are gone through more often, so that every size is trained for a while.
    """
    epochs = 1 + max(1, _ROWS_TRAINED // rows)
    name = f"{rows:,} rows"
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "linear.yaml").write_text(_CONFIG)
        write_table(folder / "rows.parquet", rows)
        words = [sys.executable, "-m", "dlcli", "train", "linear.yaml", f"train.epochs={epochs}"]
        try:
            process = run(
                [*words, "--quiet", "--json"],
                folder=folder,
                environment={"DLCLI_CACHE": str(folder / "cache")},
            )
        except FailedError as error:
            return Measurement("linear", name, number, failure=str(error))
        metrics = folder / json.loads(process.output)["run_dir"] / "metrics.jsonl"
        seconds = [json.loads(line)["seconds"] for line in metrics.read_text().splitlines()]
    return Measurement(
        "linear",
        name,
        number,
        seconds=seconds[-1] - seconds[0],
        rows=rows * (len(seconds) - 1),
        whole_seconds=process.seconds,
        processor_seconds=process.processor_seconds,
        resident=process.resident,
        anonymous=process.anonymous,
    )


def write_table(path: Path, rows: int) -> None:
    """Write a Parquet table of random inputs and a target that hangs on them."""
    random = np.random.default_rng(0)
    names = [f"x{number}" for number in range(INPUTS)]
    schema = pa.schema([(name, pa.float32()) for name in [*names, "y"]])
    with pa_parquet.ParquetWriter(path, schema) as writer:
        for start in range(0, rows, _CHUNK_ROWS):
            values = random.standard_normal((min(_CHUNK_ROWS, rows - start), INPUTS), np.float32)
            columns = {name: values[:, number] for number, name in enumerate(names)}
            writer.write_table(pa.table({**columns, "y": np.tanh(values.sum(1))}, schema))
