"""Pictures from training to prediction, as users meet them."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import dlcli as package
from dlcli.errors import DataError
from tests.command_line import as_json, dlcli

GENERATOR = np.random.default_rng(0)
CONFIG = """\
data: {name: image_folder, path: set/train, test_path: set/test}
model: linear
train: {epochs: 2}
"""


def save(path: Path, brightness: int, size: tuple[int, int] = (6, 6)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    low = GENERATOR.integers(brightness, brightness + 60, (*size, 3))
    Image.fromarray(low.astype(np.uint8)).save(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a set of dark and of bright pictures, and a run trained on it."""
    folder = tmp_path_factory.mktemp("pictures")
    for part, count in (("train", 30), ("test", 5)):
        for label, brightness in (("bright", 180), ("dark", 10)):
            for index in range(count):
                save(folder / "set" / part / label / f"{index:02}.png", brightness)
    (folder / "empty").mkdir()
    (folder / "config.yaml").write_text(CONFIG)
    dlcli("train", "config.yaml", "--name", "tones", folder=folder)
    return folder


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


def test_one_picture_gives_one_word_and_a_folder_a_table(folder: Path) -> None:
    one = dlcli("predict", "set/test/dark/00.png", "--checkpoint", "tones", folder=folder)
    assert one.stdout == "dark\n"
    save(folder / "large.jpg", 180, (90, 50))
    found = rows(
        dlcli("predict", "set/test", "large.jpg", "--checkpoint", "tones", folder=folder).stdout
    )
    assert list(found[0]) == ["file", "prediction", "confidence"]
    assert [row["file"] for row in found[4:6]] == ["set/test/bright/04.png", "set/test/dark/00.png"]
    assert [row["prediction"] for row in found] == ["bright"] * 5 + ["dark"] * 5 + ["bright"]


def test_a_table_of_paths_is_read_from_its_own_folder(folder: Path) -> None:
    table = folder / "set" / "table.csv"
    table.write_text("label,image\ndark,test/dark/00.png\nbright,test/bright/01.png\n")
    found = rows(dlcli("predict", table, "--checkpoint", "tones", folder=folder).stdout)
    assert [row["prediction"] for row in found] == ["dark", "bright"]
    assert [row["file"] for row in found] == ["test/dark/00.png", "test/bright/01.png"]
    assert as_json("evaluate", "tones", "--data", table, folder=folder)["rows"] == 2


def test_a_folder_of_classes_measures_what_the_test_part_does(folder: Path) -> None:
    part = as_json("evaluate", "tones", folder=folder)
    other = as_json("evaluate", "tones", "--data", "set/test", folder=folder)
    assert part["warnings"] == []
    assert part["metrics"] == other["metrics"]
    assert part["metrics"]["accuracy"] == 1


def test_python_users_give_paths_or_pixels(folder: Path) -> None:
    (run,) = (folder / "runs").glob("*tones")
    path = folder / "set" / "test" / "dark" / "00.png"
    pixels = np.asarray(Image.open(path)).transpose(2, 0, 1).tolist()
    assert package.load(run).predict([{"image": str(path)}, {"image": path}]) == ["dark"] * 2
    assert package.load(run).predict([{"image": pixels}]) == ["dark"]


@pytest.mark.parametrize("make", [np.asarray, torch.from_numpy])
def test_python_users_give_arrays_and_tensors(make: Any, folder: Path) -> None:
    (run,) = (folder / "runs").glob("*tones")
    model = package.load(run)
    paths = [folder / "set" / "test" / name / "00.png" for name in ("dark", "bright")]
    arrays = [np.asarray(Image.open(path)).copy() for path in paths]  # (H, W, C)
    grey = np.full((6, 6), 20, np.uint8)
    pictures = [*arrays, arrays[0].transpose(2, 0, 1).copy(), grey, grey[:, :, None]]
    found = model.predict([{"image": make(picture)} for picture in pictures])
    assert found == ["dark", "bright", "dark", "dark", "dark"]
    assert model.predict([{"image": make(arrays[0])}, {"image": str(paths[1])}]) == found[:2]
    for odd in (grey[:5], np.full((6, 6), 0.5), np.zeros((6, 6, 2), np.uint8)):
        with pytest.raises(DataError, match="is not an image of 6 rows of 6 pixels from 0 to 255"):
            model.predict([{"image": make(odd)}])


def test_pixels_beside_files_keep_the_head_of_the_table(folder: Path) -> None:
    pixels = json.dumps({"image": [[[9] * 6] * 6] * 3})
    found = rows(
        dlcli("predict", "set/table.csv", pixels, "--checkpoint", "tones", folder=folder).stdout
    )
    assert [row["file"] for row in found] == ["test/dark/00.png", "test/bright/01.png", ""]


def test_broken_pictures_are_left_out_and_counted_when_asked(folder: Path) -> None:
    broken = folder / "mixed" / "b.png"
    for name in ("a", "c"):
        save(broken.with_name(f"{name}.png"), 10)
    broken.write_bytes(b"no picture")
    words = ["predict", "mixed", "--checkpoint", "tones"]
    assert 'row 2, column `image`: "mixed/b.png" is no picture' in (
        dlcli(*words, folder=folder, check=4).stderr
    )
    done = dlcli(*words, "--skip-errors", folder=folder)
    assert [row["file"] for row in rows(done.stdout)] == ["mixed/a.png", "mixed/c.png"]
    assert done.stderr.splitlines() == [
        'skipped: records, row 2, column `image`: "mixed/b.png" is no picture',
        "warning: records that cannot be read, left out: 1",
    ]
    alone = dlcli("predict", broken, "--checkpoint", "tones", "--skip-errors", folder=folder)
    assert alone.stdout == ""


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["predict", "none.png"], 4, "there is no file `none.png`"),
        (["predict", "config.yaml"], 4, 'row 1, column `image`: "config.yaml" is no picture'),
        (["predict", "empty"], 4, "empty holds no picture"),
        (["evaluate", "--data", "none"], 4, "there is no file `none`"),
        (["evaluate", "--data", "set"], 3, "are parts, not classes: test, train"),
        (["train", "config.yaml", "data.test_path=set"], 3, "are parts, not classes"),
        (["train", "config.yaml", "data.path=none"], 4, "there is no folder"),
        (["train", "config.yaml", "data.path=config.yaml"], 4, "is a file, not a folder"),
    ],
)
def test_what_is_no_picture_is_told_in_one_line(
    folder: Path, words: list[str], code: int, message: str
) -> None:
    if words[0] == "evaluate":
        words = ["evaluate", "tones", *words[1:]]
    elif words[0] == "predict":
        words = [*words, "--checkpoint", "tones"]
    assert message in dlcli(*words, folder=folder, check=code).stderr
