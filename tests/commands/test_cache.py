"""`dlcli cache`, and trainings from the cache: the same weights, resumed and measured alike."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dlcli import checkpoint
from dlcli.data.cache.drafts import drafted
from dlcli.data.cache.entries import Entry
from dlcli.data.cache.seals import key_of
from tests.command_line import dlcli, imported

CONFIG = """\
data: {name: table, path: rows.csv, target: y, batch_size: 16}
model: {name: mlp, hidden_sizes: [8], dropout: 0.2}
train: {epochs: 3}
"""
WINDOWS = """
from dlcli.training import randomness
randomness._WHOLE_BYTES, randomness._BLOCK_BYTES, randomness._WINDOW_BYTES = 1, 100, 700
"""
"""Makes a small table one that is shuffled in blocks and windows."""


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("DLCLI_CACHE", str(folder))
    return folder


@pytest.fixture
def run(tmp_path, cache):
    """Run a command in a folder with a table, with this test's cache; return what it printed."""
    rows = [f"{n % 7},{n % 5 * 0.5},{'abc'[n % 3]},{'yn'[n * n % 7 < 3]}" for n in range(200)]
    (tmp_path / "rows.csv").write_text("\n".join(["a,b,c,y", *rows]))
    (tmp_path / "config.yaml").write_text(CONFIG)
    place = f"import os; os.environ['DLCLI_CACHE'] = {str(cache)!r}\n"

    def command(*words: object, before: str = ""):
        return dlcli(*words, folder=tmp_path, before=place + before)

    return command


def train(run, name: str, *words: str, before: str = "") -> Path:
    done = run("train", "config.yaml", "--name", name, "--json", *words, before=before)
    return Path(json.loads(done.stdout)["run_dir"])


def tensors(folder: Path, path: Path) -> dict[str, bytes]:
    loaded = checkpoint.load(folder / path / "checkpoints" / "last.safetensors")
    return {name: tensor.numpy().tobytes() for name, tensor in loaded.tensors.items()}


def write_entry() -> Entry:
    with drafted(size=0) as draft:
        return draft.keep(key_of(what="x"), {"what": "pictures of x", "rows": 7})


@pytest.mark.parametrize("order", ["", WINDOWS], ids=["whole", "windows"])
def test_a_training_from_the_cache_is_bitwise_that_from_memory(run, tmp_path, order):
    held = train(run, "held", "data.cache=never", before=order)
    first = train(run, "first", "data.cache=always", before=order)
    assert tensors(tmp_path, first) == tensors(tmp_path, held)
    if not order:
        return
    second = train(run, "second", "data.cache=always", before=order)
    assert tensors(tmp_path, second) == tensors(tmp_path, held)
    assert (tmp_path / first / "splits.json").read_text() == (
        tmp_path / held / "splits.json"
    ).read_text()
    reports = [
        json.loads(run("evaluate", path, "--json").stdout)["metrics"] for path in (held, second)
    ]
    assert reports[0] == reports[1]


def test_an_interrupted_training_from_the_cache_goes_on_bitwise(run, tmp_path):
    words, steps = ("data.cache=always",), 13  # the fourth of the second epoch
    whole = train(run, "whole", *words, before=WINDOWS)
    stop = f"""
import os, signal
from dlcli.training import trainer
update = trainer.Trainer._update
def stopping(self, *given):
    if self.state.step == {steps}:
        os.kill(os.getpid(), signal.SIGTERM)
    return update(self, *given)
trainer.Trainer._update = stopping
"""
    place = f"import os; os.environ['DLCLI_CACHE'] = {str(tmp_path / 'cache')!r}\n"
    cut = dlcli(
        *("train", "config.yaml", "--name", "cut", "--json", *words),
        folder=tmp_path,
        before=place + WINDOWS + stop,
        check=143,
    )
    path = Path(json.loads(cut.stdout)["run_dir"])
    done = run("train", "--resume", path, before=WINDOWS)
    assert "the data are mapped from the cache" in done.stderr
    assert tensors(tmp_path, path) == tensors(tmp_path, whole)


def test_where_the_data_are_is_said_if_mapped_or_asked_for(run):
    few = ("train", "config.yaml", "train.epochs=1")
    assert "the data are" not in run(*few).stderr
    assert "the data are held in memory, 0.0 MB" in run(*few, "--verbose").stderr
    assert "the data are mapped from the cache" in run(*few, "data.cache=always").stderr


def test_entries_are_listed_and_cleared(run, cache):
    assert "0 B of at most" in run("cache", "ls").stdout
    train(run, "one", "data.cache=always", "train.epochs=1")
    write_entry()
    listed = run("cache", "ls").stdout.splitlines()
    assert listed[0].split() == ["key", "what", "rows", "size", "last", "used"]
    assert any("table rows.csv" in line and " 200 " in line for line in listed)
    data = json.loads(run("cache", "ls", "--json").stdout)
    assert data["folder"] == str(cache)
    assert {entry["rows"] for entry in data["entries"]} == {200, 7}
    key = data["entries"][0]["key"]
    cleared = run("cache", "clear", key[:8]).stdout
    assert cleared.startswith("freed ")
    assert cleared.endswith(": 1 entry\n")
    (left,) = json.loads(run("cache", "ls", "--json").stdout)["entries"]
    assert left["key"] != key
    gone = json.loads(run("cache", "clear", "--json").stdout)
    assert gone["removed"] == [left["key"]]
    assert json.loads(run("cache", "ls", "--json").stdout)["bytes"] == 0


def test_what_is_in_use_is_not_cleared(run):
    entry = write_entry()
    assert "in use, so kept: 1" in run("cache", "clear").stdout
    assert (entry.path / "entry.json").exists()


def test_a_key_of_no_entry_is_refused(tmp_path):
    done = dlcli("cache", "clear", "abc", folder=tmp_path, check=2)
    assert "no entry `abc` in the cache" in done.stderr


def test_listing_the_cache_needs_no_torch():
    assert not imported("import dlcli.commands.cache") & {"torch", "numpy", "pyarrow"}
