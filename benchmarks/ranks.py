"""Rows a second of one training in one process and shared by several, on the same processors.

    python -m benchmarks.ranks
    python -m benchmarks.ranks --ranks 4 --hidden 1024 --batch-size 2048 --repeats 9

A multilayer perceptron on a table of random numbers, at the same batch size: in one process with
one thread, in one with as many threads as ranks, and in so many ranks of one thread, by torchrun
and gloo; beside them the plain loop of torch's own parts, which measures and saves nothing, alone
and in as many ranks. Each is run anew so many times, in turn; the first epoch does not count.
Medians, the slowest and the fastest, and how many times as fast as the first line each is, the
median over the rounds. Other work on the machine falsifies all but the last, and that too if heavy.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pa_parquet

from benchmarks.plain_ranks import INPUTS

_HERE = Path(__file__).parents[1]
_CONFIG = """\
data:
  name: table
  path: rows.parquet
  target: y
  batch_size: {batch_size}
  split: {{val: 0.01, test: 0.01}}
model: {{name: mlp, hidden_sizes: [{hidden}, {hidden}, {hidden}]}}
optimizer: adamw
train: {{epochs: {epochs}, device: cpu}}
"""


def rows_a_second(folder: Path, *, ranks: int, threads: int, rows: int) -> float:
    """Train once; return the rows trained on in a second, after the first epoch."""
    words = ["train", "config.yaml", f"train.threads={threads}", "--quiet", "--json"]
    said = _printed("dlcli", *words, folder=folder, ranks=ranks, threads=threads)
    run = folder / json.loads(said)["run_dir"]
    lines = (run / "metrics.jsonl").read_text().splitlines()
    seconds = [json.loads(line)["seconds"] for line in lines]
    return rows * (len(seconds) - 1) / (seconds[-1] - seconds[0])


def plain_rows_a_second(folder: Path, *numbers: int, ranks: int) -> float:
    """Train once by torch's own parts; see `benchmarks.plain_ranks` for the numbers."""
    words = [str(number) for number in numbers]
    return float(_printed("benchmarks.plain_ranks", *words, folder=folder, ranks=ranks, threads=1))


def _printed(module: str, *words: str, folder: Path, ranks: int, threads: int) -> str:
    """Run a module in so many ranks; return what it prints."""
    launcher = ["torch.distributed.run", "--nproc-per-node", str(ranks), "-m"] if ranks > 1 else []
    done = subprocess.run(
        [sys.executable, "-m", *launcher, module, *words],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONPATH": str(_HERE)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--rows", type=int, default=40_000)
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--batch-size", type=int, default=512)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=5)
    wishes = parser.parse_args(arguments)
    layouts = {
        "1 process, 1 thread": (1, 1),
        f"1 process, {wishes.ranks} threads": (1, wishes.ranks),
        f"{wishes.ranks} ranks, 1 thread": (wishes.ranks, 1),
    }
    plain = {"plain loop, 1 thread": 1, f"plain loop, {wishes.ranks} ranks": wishes.ranks}
    found: dict[str, list[float]] = {name: [] for name in (*layouts, *plain)}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        random = np.random.default_rng(0)
        values = random.standard_normal((wishes.rows, INPUTS)).astype(np.float32)
        columns = {f"x{i}": values[:, i] for i in range(INPUTS)} | {"y": values.sum(1) ** 2}
        pa_parquet.write_table(pa.table(columns), folder / "rows.parquet")
        (folder / "config.yaml").write_text(
            _CONFIG.format(batch_size=wishes.batch_size, hidden=wishes.hidden, epochs=wishes.epochs)
        )
        trained = int(wishes.rows * 0.98)
        for _ in range(wishes.repeats):
            for name, (ranks, threads) in layouts.items():
                found[name].append(
                    rows_a_second(folder, ranks=ranks, threads=threads, rows=trained)
                )
            numbers = (trained, wishes.hidden, wishes.batch_size, wishes.epochs)
            for name, ranks in plain.items():
                found[name].append(plain_rows_a_second(folder, *numbers, ranks=ranks))
    first, *_ = found.values()
    for name, rates in found.items():
        spread = f"{min(rates):,.0f} to {max(rates):,.0f}"
        times = median(rate / alone for rate, alone in zip(rates, first, strict=True))
        print(f"{name:22}  {median(rates):10,.0f} rows a second  ({spread})  {times:5.2f}")


if __name__ == "__main__":
    main()
