"""What is wrong with files is told in one line each, through real processes: place and remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.command_line import dlcli, one_object
from tests.kinds import KINDS

RANDOM = np.random.default_rng(0)


def said(folder: Path, *words: str, check: int) -> dict[str, Any]:
    """Run a command; return its JSON, after a look at stderr: a line for each error, no more."""
    done = dlcli(*words, "--json", folder=folder, check=check)
    assert "Traceback" not in done.stderr
    answer = one_object(done)
    for error in answer.get("errors", []):
        assert "\n" not in error["message"]
        assert f"error[{error['kind']}]: {error['message']}\n" in done.stderr
    assert done.stderr.count("error[") == len(answer.get("errors", []))
    for warning in answer.get("warnings", []):
        assert f"warning: {warning}\n" in done.stderr
    return answer


def only_error(folder: Path, *words: str, check: int) -> dict[str, Any]:
    answer = said(folder, *words, check=check)
    assert answer["code"] == check
    (error,) = answer["errors"]
    assert isinstance(error, dict)
    return error


# pictures


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with pictures of every odd form, each 7 x 6 as all others are."""
    KINDS["picture folder"].write_config(tmp_path, epochs=1)
    dark = tmp_path / "pictures" / "dark"
    Image.fromarray(RANDOM.integers(0, 2**16, (7, 6)).astype(np.uint16)).save(dark / "deep.png")
    print_colours = Image.fromarray(RANDOM.integers(0, 80, (7, 6, 4), np.uint8), "CMYK")
    print_colours.save(dark / "print.jpg")
    coloured = Image.fromarray(RANDOM.integers(0, 80, (7, 6, 3), np.uint8))
    coloured.quantize(8).save(dark / "palette.gif")
    note = coloured.getexif()
    note[0x0112] = 6  # to be turned by a quarter
    coloured.transpose(Image.Transpose.ROTATE_90).save(dark / "turned.jpg", exif=note)
    for hidden in (".cache/a.png", "dark/.b.png", "__MACOSX/c.png"):
        path = tmp_path / "pictures" / hidden
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"no picture")
    return tmp_path


def test_odd_pictures_are_taken_and_what_is_left_out_is_named(tree: Path) -> None:
    (tree / "pictures" / "empty").mkdir()
    (tree / "pictures" / "light" / "notes.txt").write_text("a note")
    answer = said(tree, "train", "config.yaml", check=0)
    assert answer["warnings"] == [
        "pictures: folders without a picture are no classes: empty",
        "1 file without the ending of a picture left out: pictures/light/notes.txt",
    ]
    words = [str(tree / "pictures" / "dark" / name) for name in ("deep.png", "turned.jpg")]
    assert len(dlcli("predict", *words, "--quiet", folder=tree).stdout.splitlines()) == 3


def test_broken_pictures_are_all_named_before_the_first_epoch(tree: Path) -> None:
    dark, light = tree / "pictures" / "dark", tree / "pictures" / "light"
    (dark / "text.jpg").write_text("no picture")
    (dark / "void.png").write_bytes(b"")
    (light / "03.png").write_bytes((light / "03.png").read_bytes()[:90])
    error = only_error(tree, "train", "config.yaml", check=4)
    assert error["message"] == "3 of 38 files cannot be read as pictures"
    assert error["suggestion"] == "mend or remove them; `broken: skip` leaves them out"
    assert not (tree / "runs").exists()
    done = dlcli("train", "config.yaml", folder=tree, check=4)
    named = " ".join(done.stderr.split())
    for what in (
        "pictures/dark/text.jpg is no picture;",
        "pictures/dark/void.png is no picture;",
        "pictures/light/03.png is damaged (",
    ):
        assert what in named

    answer = said(tree, "train", "config.yaml", "data.broken=skip", check=0)
    (warning,) = answer["warnings"]
    assert warning.startswith("3 of 38 files cannot be read as pictures and are left out: ")


# sounds


def test_a_sound_that_is_cut_short_is_named(tmp_path: Path) -> None:
    KINDS["sounds"].write_config(tmp_path, epochs=1)
    said(tmp_path, "train", "config.yaml", check=0)
    cut = tmp_path / "sounds" / "low_3.wav"
    cut.write_bytes(cut.read_bytes()[:-300])
    (tmp_path / "void.wav").write_bytes(b"")
    (tmp_path / "text.wav").write_text("no sound")
    for words, message in (
        (["predict", "sounds/low_3.wav"], '"sounds/low_3.wav" is cut short: 500 of 800 bytes'),
        (["predict", "void.wav"], '"void.wav" is empty'),
        (["predict", "text.wav"], '"text.wav" is no sound (Format not recognised)'),
        (["evaluate", "latest", "--data", "sounds"], '"sounds/low_3.wav" is cut short: 500 of'),
    ):
        assert message in only_error(tmp_path, *words, check=4)["message"]
    some = dlcli("predict", "void.wav", "sounds", "--skip-errors", folder=tmp_path)
    assert some.stdout.count("\n") == 1 + 31
    assert "warning: records that cannot be read, left out: 2" in some.stderr
    error = only_error(tmp_path, "train", "config.yaml", check=4)
    assert error["message"] == "1 of 32 files cannot be read as sounds"
    assert error["suggestion"] == "mend or remove them; `broken: skip` leaves them out"
    answer = said(tmp_path, "train", "config.yaml", "data.broken=skip", check=0)
    assert answer["warnings"] == [
        "1 of 32 files cannot be read as sounds and are left out: sounds/low_3.wav is cut short: "
        "500 of 800 bytes of sound are there"
    ]


# texts


def test_empty_and_very_long_texts_are_counted(tmp_path: Path) -> None:
    KINDS["texts"].write_config(tmp_path, epochs=1)
    table = tmp_path / "texts.csv"
    heading, *lines = table.read_text().splitlines()
    lines[3], lines[8], lines[5] = "bad,", "good,   ", "bad," + "dull " * 30_000
    table.write_text("\n".join([heading, *lines]) + "\n")
    answer = said(tmp_path, "train", "config.yaml", "data.split={val: 0, test: 0}", check=0)
    assert answer["warnings"] == [
        "`text` is empty in 2 training rows",
        "`text` is longer than 256 tokens in 1 training row, 30,000 at most: the first 256 are "
        "kept (`text: {max_length: ...}` keeps more)",
    ]
    done = dlcli("predict", '{"text": ""}', "fine " * 20_000, "--quiet", folder=tmp_path)
    assert len(done.stdout.splitlines()) == 3
    error = only_error(tmp_path, "predict", "", check=2)
    assert error["message"] == "an empty text is no input"
    assert error["suggestion"].startswith("a text, a .txt file with one a line")


@pytest.mark.parametrize(
    ("content", "message", "suggestion"),
    [
        (b"", "text.txt is empty", ""),
        (b"\n\n  \n", "the train part has 5 tokens of 5, fewer than two rows of", "at most 2"),
        (b"good " * 40 + b"sch\xf6n", "text.txt, byte 203: 0xf6 is not utf-8 text", "set `encod"),
    ],
    ids=["empty", "blank", "another encoding"],
)
def test_running_text_that_cannot_be_read_is_refused(
    content: bytes, message: str, suggestion: str, tmp_path: Path
) -> None:
    KINDS["running text"].write_config(tmp_path)
    (tmp_path / "text.txt").write_bytes(content)
    words = ["train", "config.yaml", "data.split={val: 0, test: 0}"]
    error = only_error(tmp_path, *words, check=4)
    assert error["message"].startswith(message)
    assert (error["suggestion"] or "").startswith(suggestion)


def test_running_text_may_have_empty_and_very_long_lines(tmp_path: Path) -> None:
    KINDS["running text"].write_config(tmp_path, epochs=1)
    (tmp_path / "text.txt").write_text("\n\n\n" + "ab " * 1000 + "\n" * 50)
    assert said(tmp_path, "train", "config.yaml", check=0)["warnings"] == []


# series


def changed(lines: list[str], row: int, line: str | None) -> list[str]:
    """Return the rows, 1-based, with another or none in the place of one."""
    return [*lines[: row - 1], *([] if line is None else [line]), *lines[row:]]


SERIES: dict[str, tuple[Any, list[str], int, str, str]] = {
    "gaps are refused": (
        lambda rows: changed(rows, 11, None),
        ["data.gaps=refuse"],
        4,
        "series.csv: rows are 1 hour apart, and 1 of 90 are missing, the first after row 10",
        "`gaps: interpolate` draws lines between their neighbours",
    ),
    "missing values are refused": (
        lambda rows: changed(rows, 7, "2024-01-01 06:00,,0.5"),
        ["data.gaps=refuse"],
        4,
        "series.csv: 1 value (`load` 1) is missing, the first in row 7",
        "`gaps: interpolate` draws lines between their neighbours",
    ),
    "shorter than a window": (
        lambda rows: rows[:15],
        [],
        4,
        "series.csv has 15 rows, and a window takes 16: `past: 12` and `horizon: 4`",
        "more rows, or a shorter `past` or `horizon`",
    ),
    "a part shorter than the horizon": (
        lambda rows: rows,
        ["data.split.val=3"],
        4,
        "the val part has 3 rows of 90, fewer than the `horizon` of 4",
        "at least 4, none, or a shorter `horizon`",
    ),
    "no row": (lambda _rows: [], [], 4, "series.csv has a header and no rows", ""),
    "out of order": (
        lambda rows: [rows[1], rows[0], *rows[2:]],
        [],
        4,
        "series.csv, row 2: 2024-01-01 00:00:00 comes after 2024-01-01 01:00:00",
        "sort the rows by time",
    ),
    "a time between two others": (
        lambda rows: changed(rows, 6, "2024-01-01 05:20,3,0.5"),
        [],
        4,
        "series.csv, row 6: 2024-01-01 05:20:00 is not a whole number of steps",
        "`gaps: ignore` takes the rows",
    ),
    "a word among numbers": (
        lambda rows: changed(rows, 51, "2024-01-03 02:00,oops,0.5"),
        [],
        3,
        "a target holds numbers, and `load` is categorical",
        "another column, or say by `na_values` which cells mean missing",
    ),
}


@pytest.mark.parametrize("case", SERIES)
def test_a_series_that_cannot_be_used_is_refused(case: str, tmp_path: Path) -> None:
    change, words, code, message, suggestion = SERIES[case]
    KINDS["series"].write_config(tmp_path)
    file = tmp_path / "series.csv"
    heading, *rows = file.read_text().splitlines()
    file.write_text("\n".join([heading, *change(rows)]) + "\n")
    error = only_error(tmp_path, "train", "config.yaml", *words, check=code)
    assert error["message"].startswith(message)
    assert (error["suggestion"] or "").startswith(suggestion)
    assert not (tmp_path / "runs").exists()


def test_gaps_of_a_series_are_filled_aloud(tmp_path: Path) -> None:
    KINDS["series"].write_config(tmp_path, epochs=1)
    file = tmp_path / "series.csv"
    heading, *rows = file.read_text().splitlines()
    rows[20] = "2024-01-01 20:00,,0.5"
    file.write_text("\n".join([heading, *rows[:10], *rows[12:]]) + "\n")
    answer = said(tmp_path, "train", "config.yaml", check=0)
    assert answer["warnings"][0] == (
        "missing and filled by lines between their neighbours: 2 rows in time and 1 value "
        "(`load` 1)"
    )
    short = tmp_path / "short.csv"
    short.write_text("\n".join([heading, *rows[:9]]) + "\n")
    for words, message in (
        (["predict", "short.csv"], "short.csv: found 9 rows with a target, and a forecast looks"),
        (["predict", "short.csv", "--backtest"], "short.csv: found 9 rows with a target"),
        (["evaluate", "latest", "--data", "short.csv"], "short.csv has 9 rows, and a window ta"),
    ):
        assert only_error(tmp_path, *words, check=4)["message"].startswith(message)
