"""What the words after `dlcli predict` mean."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

from dlcli.commands.inputs import Given, read_words
from dlcli.data.spec import Field
from dlcli.errors import DataError, UsageError

IMAGE = [[0, 1], [2, 3]]


def read(words: list[str], *columns: str) -> Iterator[Any]:
    return read_words(words, [Field(column, "number", (1,)) for column in columns])


def given(words: list[str], kind: Literal["image", "sound", "tokens"]) -> list[Given]:
    return list(read_words(words, [Field("x", kind, (1, 2, 2))]))


def records(words: list[str], *columns: str) -> list[Any]:
    return [record for found in read(words, *columns) for record in found]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("words", "columns", "expected"),
    [
        (["3.0"], "x", [{"x": 3.0}]),
        (["-3", "+2", "1e3", ".5", "-.5e-1"], "x", [-3, 2, 1000, 0.5, -0.05]),
        (["1", "-2"], "ab", [{"a": 1, "b": -2}]),
        (['{"x": 1}'], "x", [{"x": 1}]),
        (['{"b": 1, "a": "text", "c": null}'], "ab", [{"b": 1, "a": "text", "c": None}]),
        (['{"a": 1}', '{"a": 2}'], "ab", [{"a": 1}, {"a": 2}]),
        (['[{"x": 1}, {"x": 2}]'], "x", [{"x": 1}, {"x": 2}]),
        (["[1, 2]"], "ab", [{"a": 1, "b": 2}]),
        (["[[1, 2], [3, 4]]"], "ab", [{"a": 1, "b": 2}, {"a": 3, "b": 4}]),
        (["[1]", "[2]"], "x", [{"x": 1}, {"x": 2}]),
        (["[[1], [2]]"], "x", [{"x": 1}, {"x": 2}]),
        ([" [1] "], "x", [{"x": 1}]),
        ([str(IMAGE)], "x", [{"x": IMAGE}]),
        ([f"[{IMAGE}]"], "x", [{"x": IMAGE}]),
        ([f"[[{IMAGE}], [{IMAGE}]]"], "x", [{"x": IMAGE}, {"x": IMAGE}]),
        ([f"[{IMAGE}, 1]"], "ab", [{"a": IMAGE, "b": 1}]),
    ],
)
def test_numbers_and_json_are_records(words: list[str], columns: str, expected: list[Any]) -> None:
    found = records(words, *columns)
    assert found == [each if isinstance(each, dict) else {"x": each} for each in expected]


def test_files_and_records_keep_their_order(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("x\n1\n")
    found = list(read(['{"x": 1}', "[2]", str(file), "[3]"], "x"))
    assert found == [[{"x": 1}, {"x": 2}], file, [{"x": 3}]]


def test_a_file_called_like_a_number_is_a_file(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    Path("7").write_text("x\n1\n")
    assert list(read(["7", "[1]"], "x")) == [Path("7"), [{"x": 1}]]


@pytest.mark.parametrize(
    ("word", "error", "message"),
    [
        ("none.csv", DataError, "there is no file `none.csv`"),
        ("folder/none", DataError, "there is no file"),
        ("{x: 1}", DataError, "is not JSON"),
        ("[1, 2, 3]", DataError, "3 values were given, the model takes 2: a, b"),
        ("[[1, 2], [3]]", DataError, "1 value was given, the model takes 2: a, b"),
        ("[" * 100_000, DataError, "is not JSON"),
        ("word", UsageError, "is neither a file nor a record nor a number"),
        ("--probabilities", UsageError, "no such option: --probabilities"),
        ("nan", UsageError, "is neither"),
        ("a text of many words. " * 15, UsageError, "is neither a file nor a record"),
        ("x" * 300 + ".csv", UsageError, "is neither a file nor a record"),
        ("", UsageError, "an empty text is no input"),
        (".", DataError, "is a folder, not a file"),
    ],
)
def test_anything_else_is_told(word: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message.replace("[", r"\[")):
        list(read([word], "a", "b"))


def test_a_number_among_other_inputs_is_told() -> None:
    with pytest.raises(UsageError, match="the number 2 stands among other inputs"):
        list(read(["[1]", "2"], "x"))


@pytest.mark.timeout(10)
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "p.csv")
    with pytest.raises(DataError, match="is a pipe, not a file") as caught:
        list(read([str(tmp_path / "p.csv")], "x"))
    assert caught.value.faults[0].suggestion == "give a file, or - for standard input"


def test_a_number_beyond_all_floats_stays_a_text() -> None:
    assert records(["1e999"], "x") == [{"x": "1e999"}]


def test_pictures_and_sounds_are_files_and_all_those_in_folders(tmp_path: Path) -> None:
    for name in ("b.png", "deep/a.JPG", ".c.png", "note.txt", "d.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    pictures = [{"x": str(tmp_path / name)} for name in ("b.png", "deep/a.JPG")]
    assert given([str(tmp_path)], "image") == [pictures]
    assert given([str(tmp_path / "b.png"), str(tmp_path / "deep")], "image") == [pictures]
    assert given([str(tmp_path)], "sound") == [[{"x": str(tmp_path / "d.wav")}]]


def test_pictures_come_in_pieces_and_tables_of_paths_stay_tables(tmp_path: Path) -> None:
    for index in range(150):
        (tmp_path / f"{index:03}.png").touch()
    table = tmp_path / "table.csv"
    table.touch()
    *pieces, last = given([str(tmp_path), str(table)], "image")
    assert last == table
    assert all(isinstance(piece, list) and len(piece) <= 64 for piece in pieces)
    assert sum(len(piece) for piece in pieces) == 150  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "word",
    ["free", "1", "-5 degrees", "yes/no", "see mail.com", "[URGENT] call", "{", "a" * 500, "e.g."],
)
def test_a_word_that_is_no_file_is_a_text(word: str) -> None:
    assert given([word, "two"], "tokens") == [[{"x": word}, {"x": "two"}]]


def test_a_text_file_holds_one_text_a_line(tmp_path: Path) -> None:
    file, table = tmp_path / "texts.txt", tmp_path / "texts.csv"
    file.write_text("\ufeffone, two\n\nthree", encoding="utf-8")
    table.touch()
    expected = [[{"x": "one, two"}, {"x": ""}, {"x": "three"}], table, [{"x": "four"}]]
    assert given([str(file), str(table), '{"x": "four"}'], "tokens") == expected
    file.write_bytes(b"caf\xe9")
    with pytest.raises(DataError, match="is not UTF-8 text"):
        given([str(file)], "tokens")


@pytest.mark.parametrize(
    ("piped", "texts"),
    [
        (b"free entry, call now\nsee you\n", ["free entry, call now", "see you"]),
        (b"\xef\xbb\xbfone\r\n\r\n[Applause] two", ["one", "", "[Applause] two"]),
        (b"x\none\n", None),
        (b'label;"x"\n1;one\n', None),
        (b'{"x": "one"}\n', None),
        (b'[\n {"x": "one"}]', None),
        (b"", None),
        (b"caf\xe9", None),
    ],
)
def test_lines_from_stdin_are_texts_unless_they_begin_like_a_table(
    piped: bytes, texts: list[str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(piped)))
    (found,) = given(["-"], "tokens")
    if texts is None:
        assert found.read() == piped  # type: ignore[union-attr]
    else:
        assert found == [{"x": text} for text in texts]


def test_a_table_without_a_header_stays_one_on_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"ham,see you\n")))
    (found,) = read_words(["-"], [Field("x", "tokens", (1,))], has_header=False)
    assert found.read() == b"ham,see you\n"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("word", "kind", "error", "message"),
    [
        ("none.txt", "tokens", DataError, "there is no file `none.txt`"),
        ("--probabilities", "tokens", UsageError, "no such option: --probabilities"),
        ("", "tokens", UsageError, "an empty text is no input"),
        ("none.png", "image", DataError, "there is no file `none.png`"),
        ("7", "image", UsageError, "`7` is neither a file nor a record nor a folder"),
        (".", "image", DataError, r"\. holds no picture"),
        (".", "sound", DataError, r"\. holds no sound"),
    ],
)
def test_a_word_that_fits_no_kind_is_told(
    word: str,
    kind: Any,
    error: type[Exception],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        given([word], kind)
