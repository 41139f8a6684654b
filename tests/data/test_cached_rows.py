"""Rows from the cache are the rows that memory would hold; what they hang on makes them anew."""

from __future__ import annotations

import json
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pa_parquet
import pytest
import torch

from dlcli.config.data import TableOptions
from dlcli.data.cache import choice
from dlcli.data.cache.choice import is_held
from dlcli.data.cache.drafts import drafted
from dlcli.data.cache.errors import CacheError
from dlcli.data.encoding import is_mapped
from dlcli.data.prepare import Prepared, prepare, restore
from dlcli.data.sources.table import TableSource, open_table
from dlcli.errors import MachineError

ROWS = 300
PARTS = ("train", "val", "test")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("DLCLI_CACHE", str(folder))
    return folder


def write_table(folder: Path, *, ending: str = "csv", seed: int = 0, target: str = "y") -> str:
    """Write rows of every kind, some without a target, with an old time of change."""
    random = np.random.default_rng(seed)
    path = folder / f"rows.{ending}"
    numbers = random.standard_normal(ROWS).round(3)
    table = pa.table(
        {
            "a": pa.array(numbers, mask=random.random(ROWS) < 0.1),
            "b": random.choice(["red", "green", "blue"], ROWS),
            "d": np.datetime64("2024-01-01", "D") + random.integers(0, 900, ROWS),
            target: pa.array(np.where(numbers > 0, "yes", "no"), mask=random.random(ROWS) < 0.05),
        }
    )
    if ending == "parquet":
        pa_parquet.write_table(table, path)
    elif ending == "jsonl":
        records = (json.dumps(record, default=str) for record in table.to_pylist())
        path.write_text("\n".join(records))
    else:
        rows = zip(*(column.to_pylist() for column in table.columns), strict=True)
        lines = (",".join("" if cell is None else str(cell) for cell in row) for row in rows)
        path.write_text("\n".join([",".join(table.column_names), *lines]))
    os.utime(path, (1000 + seed, 1000 + seed))
    return path.name


def options(path: str, *, use: str, **more) -> TableOptions:
    return TableOptions(path=path, target="y", cache=use, **more)


def prepared(folder: Path, path: str, *, use: str = "always", **more) -> Prepared:
    chosen = options(path, use=use, **more)
    return prepare(open_table(chosen, folder), chosen, task=None)


def assert_alike(one: Prepared, other: Prepared) -> None:
    assert one.preprocessor.state() == other.preprocessor.state()
    assert (one.task, one.task_reason, one.warnings) == (
        other.task,
        other.task_reason,
        other.warnings,
    )
    assert (one.fingerprint, one.files) == (other.fingerprint, other.files)
    assert list(one.rows) == list(other.rows)
    assert all(np.array_equal(one.rows[part], other.rows[part]) for part in one.rows)
    assert_same_examples(one.examples, other.examples)
    assert torch.equal(one.class_counts, other.class_counts)


def assert_same_examples(one, other) -> None:
    assert list(one) == list(other)
    for part in one:
        assert torch.equal(one[part].targets, other[part].targets)
        assert list(one[part].inputs) == list(other[part].inputs)
        for name, block in one[part].inputs.items():
            assert block.dtype == other[part].inputs[name].dtype
            assert torch.equal(block, other[part].inputs[name])


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Take away the right to write in a folder, from the superuser too."""
    user = os.geteuid()
    modes = {one: one.stat().st_mode for one in (folder, *folder.rglob("*")) if one.is_dir()}
    for one in modes:
        one.chmod(0o555)
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)
        for one, mode in modes.items():
            one.chmod(mode)


def refuse_to_read(monkeypatch) -> None:
    def chunks(*_):
        raise AssertionError("the source was read")

    monkeypatch.setattr(TableSource, "chunks", chunks)


def entries(cache: Path) -> list[Path]:
    return sorted((cache / "entries").glob("*"))


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_rows_from_the_cache_are_those_in_memory(tmp_path, cache, ending, monkeypatch):
    path = write_table(tmp_path, ending=ending)
    held = prepared(tmp_path, path, use="never")
    assert not cache.exists()
    first = prepared(tmp_path, path)
    assert not is_mapped(held.examples["train"])
    assert is_mapped(first.examples["train"])
    assert_alike(first, held)
    assert any("without a target" in warning for warning in held.warnings)
    refuse_to_read(monkeypatch)
    monkeypatch.setattr("dlcli.data.sources.table.scan_columns", None)
    monkeypatch.setattr("dlcli.data.sources.table.file_hashes", None)
    assert_alike(prepared(tmp_path, path), held)


@pytest.mark.parametrize("use", ["always", "never"])
def test_restored_parts_are_those_that_were_trained_on(tmp_path, use):
    path = write_table(tmp_path)
    before = prepared(tmp_path, path)
    chosen = options(path, use=use)
    found = restore(
        open_table(chosen, tmp_path),
        chosen,
        preprocessor=before.preprocessor,
        task=before.task,
        parts=PARTS,
    )
    assert is_mapped(found["test"]) == (use == "always")
    assert_same_examples(found, before.examples)


def test_parts_that_were_cleared_are_made_again_for_an_evaluation(tmp_path, cache):
    path = write_table(tmp_path)
    before = prepared(tmp_path, path)
    (entry,) = entries(cache)
    entry.rename(tmp_path / "gone")
    chosen = options(path, use="always")
    sources = open_table(chosen, tmp_path)
    found = restore(sources, chosen, preprocessor=before.preprocessor, task=before.task)
    assert_same_examples(found, {"test": before.examples["test"]})
    assert entries(cache) == [entry]


def test_a_changed_file_makes_a_new_entry(tmp_path, cache):
    path = write_table(tmp_path)
    before = prepared(tmp_path, path)
    write_table(tmp_path, seed=1)
    after = prepared(tmp_path, path)
    assert len(entries(cache)) == 2
    assert before.fingerprint != after.fingerprint
    assert_alike(after, prepared(tmp_path, path, use="never"))


@pytest.mark.parametrize(
    "change",
    [
        {"scaling": "min_max"},
        {"split": {"seed": 1}},
        {"drop": ["b"]},
        {"na_values": ["red"]},
        {"types": {"a": "categorical"}},
    ],
    ids=str,
)
def test_a_changed_option_makes_a_new_entry(tmp_path, cache, change):
    path = write_table(tmp_path)
    prepared(tmp_path, path)
    changed = TableOptions.model_validate({"path": path, "target": "y", "cache": "always"} | change)
    found = prepare(open_table(changed, tmp_path), changed, task=None)
    assert len(entries(cache)) == 2
    never = changed.model_copy(update={"cache": "never"})
    assert_alike(found, prepare(open_table(never, tmp_path), never, task=None))


def test_options_that_change_no_row_make_none(tmp_path, cache):
    path = write_table(tmp_path)
    prepared(tmp_path, path)
    prepared(tmp_path, path, batch_size=7)
    assert len(entries(cache)) == 1


def test_folds_have_entries_of_their_own(tmp_path, cache):
    chosen = TableOptions.model_validate(
        {"path": write_table(tmp_path), "target": "y", "cache": "always", "split": {"folds": 2}}
    )
    sources = open_table(chosen, tmp_path)
    one, other = (prepare(sources, chosen, task=None, fold=fold) for fold in range(2))
    assert len(entries(cache)) == 2
    assert set(one.rows["test"]).isdisjoint(other.rows["test"])


def test_a_damaged_entry_is_said_and_built_anew(tmp_path, cache):
    path = write_table(tmp_path)
    before = prepared(tmp_path, path)
    (entry,) = entries(cache)
    with (entry / "train.0").open("r+b") as file:
        file.write(b"\xff")
    after = prepared(tmp_path, path)
    (said,) = set(after.warnings) - set(before.warnings)
    assert said.startswith(f"the cache entry {entry.name} is damaged")
    assert_same_examples(after.examples, prepared(tmp_path, path, use="never").examples)


def test_where_nothing_can_be_written_memory_holds_the_rows_and_it_is_said(tmp_path, cache):
    path = write_table(tmp_path)
    cache.touch()  # where a folder would be
    found = prepared(tmp_path, path)
    assert not is_mapped(found.examples["train"])
    assert "the cache does not take them: cannot write" in found.warnings[0]


def test_what_neither_cache_nor_memory_takes_is_an_error(tmp_path, cache, monkeypatch):
    path = write_table(tmp_path)
    cache.touch()
    monkeypatch.setattr(choice, "MOST_HELD", 0)
    monkeypatch.setattr(choice, "free_memory", lambda: 1000)
    with pytest.raises(MachineError, match="of 1,000 bytes of free memory"):
        prepared(tmp_path, path, use="auto")


def test_rows_in_a_cache_that_may_only_be_read_are_read(monkeypatch):
    with TemporaryDirectory() as name:  # another user may enter it, unlike pytest's
        folder, cache = Path(name), Path(name, "cache")
        folder.chmod(0o755)
        monkeypatch.setenv("DLCLI_CACHE", str(cache))
        path = write_table(folder)
        before = prepared(folder, path)
        with read_only(cache):
            assert_alike(prepared(folder, path), before)
            with pytest.raises(CacheError), drafted(size=0):
                pass


@pytest.mark.parametrize(
    ("size", "free", "expected"),
    [
        (1 << 20, 0, True),
        (1 << 24, 0, True),
        (1 << 28, 1 << 30, True),
        ((1 << 28) + 4, 1 << 30, False),
        (1 << 30, 1 << 40, True),
        ((1 << 30) + 1, 1 << 40, False),
    ],
)
def test_what_is_small_against_free_memory_is_held(size, free, expected):
    assert is_held(size, "auto", free) is expected
    assert is_held(size, "never", free)
    assert not is_held(size, "always", free)


def test_a_disk_that_fills_up_while_rows_are_written_leaves_them_in_memory(tmp_path, cache):
    path = write_table(tmp_path)
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, most))  # less than the training rows take
    try:
        found = prepared(tmp_path, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    assert not is_mapped(found.examples["train"])
    assert "cannot write" in found.warnings[0]
    assert not entries(cache)
    assert not list((cache / "partial").iterdir())
    assert_alike(prepared(tmp_path, path), prepared(tmp_path, path, use="never"))
