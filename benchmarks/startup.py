"""How long commands take to start, beside Python alone and a bare `import torch`.

    python -m benchmarks.startup
    python -m benchmarks.startup --rounds 5

Every command is a process of its own. The commands take turns, so that a busy machine slows them
all alike; what counts is the medians' ratios.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

CONFIGS = Path(__file__).parent.parent / "configs"
FIVE_FAULTS = """\
data: {name: digits, batch_size: 0}
model: {name: mlp, hidden_sizes: [64, wide]}
optimizer: {name: adamw, learning_rate: 1e-3}
loss: crossentropy
train: {epochs: 10, epochs: 20}
"""
_FIRST_STEP = """\
import os, sys
sys.argv = ["dlcli", "train", {config!r}]
from dlcli.training.trainer import Trainer
update = Trainer._update
Trainer._update = lambda *given: (update(*given), os._exit(0))
from dlcli.__main__ import main
main()
"""
_CODES = {"five faults in a config": 3}
"""Exit codes; 0 of all others."""


def commands() -> dict[str, list[str]]:
    """Return what stands after `python`, by what it shows."""
    digits = str(CONFIGS / "digits-mlp.yaml")
    return {
        "python -c pass": ["-c", "pass"],
        "dlcli --help": ["-m", "dlcli", "--help"],
        "five faults in a config": ["-m", "dlcli", "train", "faults.yaml"],
        "import torch, no more": ["-c", "import os, torch; os._exit(0)"],
        "digits, first step": ["-c", _FIRST_STEP.format(config=digits)],
        "import torch": ["-c", "import torch"],
        "digits, 30 epochs": ["-m", "dlcli", "train", digits, "--quiet"],
    }


def measure(chosen: Mapping[str, Sequence[str]], *, rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each command in each round; the commands take turns.

    Raises:
        CalledProcessError: One did something else than what is to be measured.
    """
    seconds: dict[str, list[float]] = {name: [] for name in chosen}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "faults.yaml").write_text(FIVE_FAULTS)
        for _ in range(rounds):
            for name, words in chosen.items():
                started = time.perf_counter()
                done = subprocess.run(
                    [sys.executable, *words], cwd=folder, capture_output=True, check=False
                )
                seconds[name].append(time.perf_counter() - started)
                if done.returncode != _CODES.get(name, 0):
                    raise subprocess.CalledProcessError(done.returncode, words)
    return seconds


def main() -> None:
    """Print a table of medians and their ratios."""
    parser = ArgumentParser(prog="python -m benchmarks.startup", description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=10)
    seconds = measure(commands(), rounds=parser.parse_args().rounds)
    python, torch = median(seconds["python -c pass"]), median(seconds["import torch"])
    print(f"{'seconds':26} {'median':>7} {'least':>7} {'most':>7} {'x python':>9} {'x torch':>8}")
    for name, taken in seconds.items():
        middle = median(taken)
        print(
            f"{name:26} {middle:7.3f} {min(taken):7.3f} {max(taken):7.3f} "
            f"{middle / python:9.1f} {middle / torch:8.2f}"
        )


if __name__ == "__main__":
    main()
