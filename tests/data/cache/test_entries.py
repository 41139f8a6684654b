"""Entries are whole or not there, whoever writes, dies, damages or evicts meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from dlcli.data.cache.drafts import drafted
from dlcli.data.cache.entries import DamagedEntryError, find_entry, open_entry
from dlcli.data.cache.errors import CacheError
from dlcli.data.cache.hashing import Stamps, recall, remember
from dlcli.data.cache.locks import share
from dlcli.data.cache.notes import read_note, write_note
from dlcli.data.cache.place import LIMIT, cache_folder, limit_bytes
from dlcli.data.cache.room import held, remove
from dlcli.data.cache.seals import key_of
from dlcli.errors import UsageError
from tests.permissions import locked_out

KEY = key_of(what="a test")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("DLCLI_CACHE", str(folder))
    return folder


def write(key: str = KEY, *, values=range(1000), size: int = 0):
    with drafted(size=size) as draft:
        for part in np.array_split(np.array(values), 4):
            draft.write("values", part)
        draft.write("more", b"more")
        return draft.keep(key, {"what": "test", "rows": len(values)})


def values(entry) -> list[int]:
    return np.fromfile(entry.path / "values", np.int64).tolist()


def partial(cache: Path) -> list[Path]:
    return list((cache / "partial").iterdir())


def test_an_entry_holds_what_was_written(cache):
    assert open_entry(KEY) is None
    write()
    entry = open_entry(KEY)
    assert values(entry) == list(range(1000))
    assert entry.content == {"what": "test", "rows": 1000}
    assert not partial(cache)


def test_a_draft_that_is_not_kept_leaves_nothing(cache):
    with drafted(size=0) as draft:
        draft.write("values", b"some")
        assert len(partial(cache)) == 1
    assert open_entry(KEY) is None
    assert not partial(cache)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


DAMAGES = {
    "flipped": lambda entry: flip(entry / "values"),
    "short": lambda entry: os.truncate(entry / "values", 7992),
    "missing": lambda entry: (entry / "more").unlink(),
    "marker": lambda entry: flip(entry / "entry.json"),
    "no marker": lambda entry: (entry / "entry.json").unlink(),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_entry_is_said_and_written_anew(damage):
    damage(write().path)
    with pytest.raises(DamagedEntryError):
        open_entry(KEY)
    said: list[str] = []
    assert find_entry(KEY, said.append) is None
    assert "is damaged" in said[0]
    assert open_entry(KEY) is None
    assert values(write()) == list(range(1000))


def test_a_file_that_was_only_touched_is_whole():
    os.utime(write().path / "values", (1, 1))
    assert values(open_entry(KEY)) == list(range(1000))


def test_a_damaged_winner_is_replaced():
    flip(write().path / "values")
    assert values(write()) == list(range(1000))
    assert values(open_entry(KEY)) == list(range(1000))


WRITER = """
import sys
import numpy as np
from dlcli.data.cache.drafts import drafted
def wait(name):
    print(name, flush=True)
    sys.stdin.readline()
wait("begin")
with drafted(size=0) as draft:
    wait("drafted")
    draft.write("values", np.arange(500))
    wait("half")
    draft.write("values", np.arange(500, 1000))
    draft.write("more", b"more")
    wait("written")
    rename = type(draft.path).rename
    def slow(self, target):
        if "entries" in str(target):
            wait("sealed")
        return rename(self, target)
    type(draft.path).rename = slow
    entry = draft.keep(sys.argv[1], {"what": "test", "rows": 1000})
    wait("kept")
    print(len(np.fromfile(entry.path / "values", np.int64)), flush=True)
"""
MOMENTS = ["begin", "drafted", "half", "written", "sealed", "kept"]


class Writer:
    """A process that writes the entry, a step at a time."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", WRITER, KEY],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.moment = self.line()

    def reach(self, moment: str) -> None:
        while self.moment != moment:
            self.go_on()
            self.moment = self.line()
            assert self.moment in MOMENTS

    def line(self) -> str:
        return self.process.stdout.readline().strip()

    def go_on(self) -> None:
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_kill_at_any_moment_leaves_no_half_entry(cache, moment):
    with Writer() as writer:
        writer.reach(moment)
        writer.process.send_signal(signal.SIGKILL)
    found = open_entry(KEY)
    assert (found is not None) == (moment == "kept")
    assert values(write()) == list(range(1000))
    assert not partial(cache)


def test_of_two_writers_the_second_takes_what_the_first_wrote(cache):
    with Writer() as one, Writer() as other:
        one.reach("half")
        other.reach("sealed")
        one.reach("sealed")
        assert len(partial(cache)) == 2
        other.reach("kept")
        inode = (cache / "entries" / KEY).stat().st_ino
        one.reach("kept")
        assert (cache / "entries" / KEY).stat().st_ino == inode
        for writer in (one, other):
            writer.go_on()
            assert writer.line() == "1000"
            assert writer.process.wait() == 0
    assert not partial(cache)


def test_what_a_living_process_writes_is_not_cleared_away(cache):
    with Writer() as writer:
        writer.reach("half")
        write(key_of(what="another"))
        assert len(partial(cache)) == 1
        writer.reach("kept")
    assert open_entry(KEY) is not None


def keys_at(ages: dict[str, int]) -> dict[str, str]:
    """Write entries that were last used so many seconds ago."""
    keys = {name: key_of(what=name) for name in ages}
    for name, age in ages.items():
        os.utime(write(keys[name]).path, (time.time() - age,) * 2)
    return keys


def names() -> set[str]:
    return {one.key for one in held()}


def test_what_was_used_longest_ago_goes_first(monkeypatch):
    keys = keys_at({"old": 300, "older": 400, "new": 10})
    open_entry(keys["older"])
    used = sum(one.bytes for one in held())
    monkeypatch.setenv(LIMIT, str(used))
    newest = write(key_of(what="newest"), size=100)
    assert names() == {keys["older"], keys["new"], newest.path.name}


def test_what_is_in_use_stays(monkeypatch):
    keys = keys_at({"old": 300, "new": 10})
    entry = open_entry(keys["old"])
    os.utime(entry.path, (1, 1))
    monkeypatch.setenv(LIMIT, str(sum(one.bytes for one in held())))
    write(size=100)
    assert keys["old"] in names()
    assert keys["new"] not in names()
    assert values(entry) == list(range(1000))


def test_more_than_the_limit_is_refused_and_nothing_goes(monkeypatch):
    keys = keys_at({"old": 300})
    monkeypatch.setenv(LIMIT, "10kB")
    with pytest.raises(CacheError, match=r"10,001 bytes do not fit in the cache, .* 10,000"):
        write(size=10_001)
    assert names() == set(keys.values())


@pytest.mark.parametrize(
    ("text", "size"), [("5", 5), ("2kB", 2000), ("1.5 GB", 15 * 10**8), ("3t", 3 * 10**12)]
)
def test_the_limit_has_units(monkeypatch, text, size):
    monkeypatch.setenv(LIMIT, text)
    assert limit_bytes(0) == size


def test_a_limit_that_is_none_is_refused(monkeypatch):
    monkeypatch.setenv(LIMIT, "much")
    with pytest.raises(UsageError, match="DLCLI_CACHE_LIMIT=much is no size"):
        write()


def test_the_cache_is_where_the_environment_says(monkeypatch):
    monkeypatch.delenv("DLCLI_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache_folder() == Path("/somewhere/dlcli")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "dlcli"


def test_a_cache_that_may_not_be_entered_is_an_error_of_the_cache(cache):
    write()
    with locked_out(cache), pytest.raises(CacheError, match="permission denied"):
        write(key_of(what="another"))
    assert open_entry(KEY) is not None


def test_an_entry_that_is_read_is_locked_until_nothing_refers_to_it():
    entry = write()
    path = entry.path
    (one,) = held()
    assert not remove(one)
    del entry
    assert remove(one)
    assert share(path) is None


def test_notes_are_kept_and_a_damaged_one_is_none(cache):
    write_note(KEY, {"a": [1, 2.5, None]})
    assert read_note(KEY) == {"a": [1, 2.5, None]}
    path = cache / "notes" / f"{KEY}.json"
    path.write_text(path.read_text().replace("2.5", "2.6"))
    assert read_note(KEY) is None


def old_file(path: Path, content: str) -> Path:
    path.write_text(content)
    os.utime(path, (1000, 1000))
    return path


def test_hashes_are_remembered_until_a_file_changes(tmp_path):
    file = old_file(tmp_path / "a.csv", "1,2")
    assert remember(Stamps.of([file]), ["ab"])
    assert recall(Stamps.of([file])) == ["ab"]
    assert recall(Stamps.of([file, file])) is None
    old_file(file, "1,2,3")
    assert recall(Stamps.of([file])) is None
    assert remember(Stamps.of([file]), ["cd"])
    other = old_file(tmp_path / "b.csv", "1,2,4")
    other.replace(file)  # of the same size and time
    assert recall(Stamps.of([file])) is None


def test_a_file_that_may_still_change_unseen_is_not_remembered(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("1,2")
    assert not remember(Stamps.of([file]), ["ab"])
    stamps = Stamps.of([old_file(file, "1,2")])
    file.write_text("3,4")  # between reading and remembering
    assert not remember(stamps, ["ab"])
    assert not remember(Stamps.of([tmp_path / "none"]), ["ab"])


RACER = """
import sys
import numpy as np
from dlcli.data.cache.drafts import drafted
from dlcli.data.cache.entries import open_entry
from dlcli.data.cache.seals import key_of
for number in range(16):
    key = key_of(number=number % 6)
    with drafted(size=8000) as draft:
        draft.write("values", np.arange(1000))
        entry = draft.keep(key, {"what": "test", "rows": 1000})
    assert np.fromfile(entry.path / "values", np.int64).sum() == 499500
    again = open_entry(key)
    assert again is None or (again.path / "values").stat().st_size == 8000
"""


def test_many_writers_and_a_small_cache_never_get_in_each_others_way(cache, monkeypatch):
    monkeypatch.setenv(LIMIT, "36kB")  # four entries: they evict each other's
    racers = [subprocess.Popen([sys.executable, "-c", RACER]) for _ in range(2)]
    assert [racer.wait() for racer in racers] == [0, 0]
    assert not partial(cache)
    assert 0 < sum(one.bytes for one in held()) < 70_000
