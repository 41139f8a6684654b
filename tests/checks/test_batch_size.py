"""`data.batch_size: auto`: the largest power of two that memory, rows and steps allow."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from dlcli.checks import batch_size
from dlcli.checks.batch_size import FEWEST_STEPS, MOST, bytes_per_row, fitting_batch_size
from dlcli.errors import MachineError
from tests.checks.made import begun
from tests.command_line import as_json, dlcli
from tests.kinds import KINDS

DIGITS = "data: {name: digits, batch_size: auto}\nmodel: {name: mlp, hidden_sizes: [32]}\n"


@pytest.mark.parametrize(
    ("rows", "expected"), [(1, 1), (31, 1), (32, 2), (1437, 64), (60_000, 2048), (10**6, MOST)]
)
def test_an_epoch_keeps_steps_enough(rows: int, expected: int) -> None:
    found, _ = batch_size._bound(rows)
    assert found == expected
    assert rows // found >= min(FEWEST_STEPS, rows)


@pytest.mark.parametrize(
    ("parts", "expected"), [(1, 64), (64, 64), (65, 128), (128, 128), (5000, 8192)]
)
def test_every_part_of_a_step_has_a_row(parts: int, expected: int) -> None:
    """Else memory would be blamed for the steps that an epoch keeps."""
    found, why = batch_size._bound(1437, parts=parts)
    assert found == expected
    assert ("train.accumulate" in why) == (parts > 64)


@pytest.mark.parametrize("share", [0.4, 0.9, 3.0])
def test_memory_bounds_it(share: float, tmp_path: Path) -> None:
    _, made = begun(tmp_path, DIGITS)
    train = made.examples["train"]
    per_row = 3 * bytes_per_row(made.learner, train)
    free = int(64 * per_row * 4 * share)  # of which a step may take a quarter
    found, why = fitting_batch_size(made.config, made.learner, train, free=free)
    assert found * per_row <= free / 4
    assert found == 64 or (2 * found * per_row > free / 4 and "memory" in why)
    assert fitting_batch_size(made.config, made.learner, train, free=None)[0] == 64
    with pytest.raises(MachineError, match="out of memory"):
        fitting_batch_size(made.config, made.learner, train, free=0)


def test_kept_bytes_are_those_of_the_layers_counted_by_hand(tmp_path: Path) -> None:
    _, made = begun(tmp_path, DIGITS)
    pixels, hidden, classes = 64 * 4, 32 * 4, 10 * 4
    by_hand = pixels + hidden + classes + 8  # inputs, ReLU's outputs, log-softmax, a class
    assert bytes_per_row(made.learner, made.examples["train"]) == pytest.approx(by_hand, rel=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_data_can_be_counted(kind: str, tmp_path: Path) -> None:
    config = KINDS[kind].write_config(tmp_path)
    text = (tmp_path / config).read_text().replace("batch_size: 8", "batch_size: auto")
    _, made = begun(tmp_path, text)
    rows = made.config.data.rows_per_step
    assert rows & (rows - 1) == 0
    assert made.trainer.batch_size == rows
    before = {n: v for n, v in made.learner.network.state_dict().items() if "running" in n}
    assert all(bool((v == (1 if "var" in n else 0)).all()) for n, v in before.items())


@pytest.mark.slow
def test_the_number_is_what_the_run_keeps_and_resumes_with(tmp_path: Path) -> None:
    (tmp_path / "d.yaml").write_text(DIGITS + "train: {epochs: 3}\n")
    done = dlcli("train", "d.yaml", "--runs-dir", "whole", folder=tmp_path)
    assert "batch size: 64 (an epoch of 1,437 rows keeps 16 steps)" in done.stderr
    (run,) = (tmp_path / "whole").glob("*-d")
    assert "batch_size: 64" in (run / "resolved.yaml").read_text()
    dlcli("train", "d.yaml", "train.max_time=1e-6", "--runs-dir", "cut", folder=tmp_path)
    dlcli(
        "train", "--resume", "latest", "train.max_time=null", "--runs-dir", "cut", folder=tmp_path
    )
    (resumed,) = (tmp_path / "cut").glob("*-d")
    last = "checkpoints/last.safetensors"
    assert (run / last).read_bytes() == (resumed / last).read_bytes()
    rows = [json.loads(line) for line in (resumed / "metrics.jsonl").read_text().splitlines()]
    assert rows[-1]["step"] == 3 * -(-1437 // 64)


def test_a_word_that_is_not_auto_is_refused(tmp_path: Path) -> None:
    (tmp_path / "d.yaml").write_text(DIGITS.replace("auto", "large"))
    answer = as_json("check", "d.yaml", folder=tmp_path, check=3)
    assert "or `auto`" in answer["errors"][0]["message"]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_on_cuda_the_next_power_does_not_fit(tmp_path: Path) -> None:
    """20 layers of 512 take 84 MB, and 1,024 rows of them as much again."""
    sizes = [512] * 20
    _, made = begun(tmp_path, DIGITS, f"model.hidden_sizes={sizes}", "train.device=cuda")
    limit = torch.cuda.memory_reserved() + (150 << 20)
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(limit / total)
    try:
        found = batch_size._tried(made.config, made.learner, made.examples["train"], 1 << 20)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert 1 <= found <= 1024
