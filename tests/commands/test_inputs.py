"""What the words after `dlcli predict` mean."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from dlcli.commands.inputs import read_words
from dlcli.errors import DataError, UsageError

IMAGE = [[0, 1], [2, 3]]


def records(words: list[str], *columns: str) -> list[Any]:
    return [record for given in read_words(words, columns) for record in given]  # type: ignore[union-attr]


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
    found = list(read_words(['{"x": 1}', "[2]", str(file), "[3]"], ["x"]))
    assert found == [[{"x": 1}, {"x": 2}], file, [{"x": 3}]]


def test_a_file_called_like_a_number_is_a_file(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    Path("7").write_text("x\n1\n")
    assert list(read_words(["7", "[1]"], ["x"])) == [Path("7"), [{"x": 1}]]


@pytest.mark.parametrize(
    ("word", "error", "message"),
    [
        ("none.csv", DataError, "there is no file `none.csv`"),
        ("folder/none", DataError, "there is no file"),
        ("{x: 1}", DataError, "is not JSON"),
        ("[1, 2, 3]", DataError, "3 values were given, the model takes 2: a, b"),
        ("[[1, 2], [3]]", DataError, "1 values were given"),
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
        list(read_words([word], ["a", "b"]))


def test_a_number_among_other_inputs_is_told() -> None:
    with pytest.raises(UsageError, match="the number 2 stands among other inputs"):
        list(read_words(["[1]", "2"], ["x"]))


@pytest.mark.timeout(10)
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "p.csv")
    with pytest.raises(DataError, match="is a pipe, not a file") as caught:
        list(read_words([str(tmp_path / "p.csv")], ["x"]))
    assert caught.value.faults[0].suggestion == "give a file, or - for standard input"


def test_a_number_beyond_all_floats_stays_a_text() -> None:
    assert records(["1e999"], "x") == [{"x": "1e999"}]
