"""Files are written whole or not at all, and JSON is strict."""

from __future__ import annotations

import errno
import json
import math
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcli.errors import MachineError
from dlcli.files import (
    canonical_json,
    disk_errors,
    replacing,
    strict_json,
    write_bytes,
    write_json,
    write_text,
)
from tests.permissions import locked_out

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def test_a_file_is_written_whole(tmp_path: Path) -> None:
    write_text(tmp_path / "note.txt", "größer")
    write_bytes(tmp_path / "note.txt", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["note.txt"]
    assert (tmp_path / "note.txt").read_bytes() == b"new"


def test_a_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    write_text(tmp_path / "written", "")
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert len(modes) == 1


@pytest.mark.parametrize("failure", [KeyboardInterrupt, ValueError, OSError(errno.EIO, "broken")])
def test_a_failed_write_keeps_the_old_file_and_nothing_else(
    tmp_path: Path, failure: BaseException
) -> None:
    path = tmp_path / "note.txt"
    path.write_text("old")

    def write_half() -> None:
        with replacing(path) as file:
            file.write(b"half of the n")
            raise failure

    with pytest.raises((KeyboardInterrupt, ValueError, MachineError)):
        write_half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_process_that_hits_the_size_limit_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "note.txt"
    path.write_text("old")
    script = """
import resource, sys
from pathlib import Path
from dlcli.errors import MachineError
from dlcli.files import write_bytes
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_bytes(Path(sys.argv[1]), bytes(5000))
except MachineError as error:
    sys.exit(str(error))
"""
    done = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True)
    assert "cannot write" in done.stderr
    assert "larger than is allowed" in done.stderr
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_says_what_is_needed_and_what_is_free(tmp_path: Path) -> None:
    with (
        pytest.raises(MachineError) as caught,
        disk_errors(tmp_path / "model.bin", size=123_456),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert "model.bin`: the disk is full (123,456 bytes needed, " in str(caught.value)
    assert str(caught.value).endswith(" free)")
    assert caught.value.faults[0].suggestion == "free some space, or write to another disk"
    assert caught.value.code == 7


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="there is no such file or folder"):
        write_text(tmp_path / "nowhere" / "note.txt", "")


def test_a_folder_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(MachineError, match="it is a folder"):
        write_text(tmp_path / "folder", "")


def test_a_folder_without_permission_is_told(tmp_path: Path) -> None:
    with locked_out(tmp_path), pytest.raises(MachineError, match="permission denied"):
        write_text(tmp_path / "note.txt", "")


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    write_text(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


def test_a_pipe_is_written_in_place(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE)
    write_text(pipe, "through")
    assert reader.communicate()[0] == b"through"
    assert pipe.is_fifo()


@given(PLAIN)
def test_canonical_json_gives_the_value_back(value: object) -> None:
    text = canonical_json(value)
    assert json.loads(text) == value
    assert text.isascii()


def test_canonical_json_does_not_depend_on_the_order_of_keys() -> None:
    assert canonical_json({"b": 1, "a": (2.5,)}) == canonical_json({"a": [2.5], "b": 1})


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_canonical_json_refuses_numbers_that_are_not_finite(number: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json({"a": [number]})


def test_canonical_json_refuses_keys_that_would_come_back_as_texts() -> None:
    with pytest.raises(TypeError, match="a key must be a text, not 1"):
        canonical_json([{1: "a"}])  # type: ignore[dict-item]


def test_strict_json_writes_null_for_what_is_not_finite(tmp_path: Path) -> None:
    value = {"loss": math.nan, "scores": (1.5, -math.inf), "name": "größer"}
    write_json(tmp_path / "a.json", value)
    text = (tmp_path / "a.json").read_text()
    assert json.loads(text) == {"loss": None, "scores": [1.5, None], "name": "größer"}
    assert "größer" in text


def test_strict_json_writes_names_that_are_not_utf8(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9")
    write_json(tmp_path / "a.json", [name])
    assert json.loads((tmp_path / "a.json").read_text()) == [name]
    assert strict_json(name) == '"caf\\udce9"'
