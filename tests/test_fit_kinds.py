"""Law 6 for every kind of data: nothing of val and test rows reaches what is fitted."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dlcli.build import open_sources
from dlcli.config.read import read_config
from dlcli.data.prepare import Prepared, prepare
from tests.kinds import KINDS
from tests.sound_files import write_wav

Rows = set[int]


def prepared_of(config: Path) -> Prepared:
    read = read_config(config, ["data.split={val: 0.2, test: 0.2}"])
    return prepare(open_sources(read.config, config.parent), read.config.data, task=None)


def whiten(folder: Path, rows: Rows) -> None:
    for row, file in enumerate(sorted((folder / "pictures").glob("*/*.png"))):
        if row in rows:
            Image.new("RGB", (6, 7), "white").save(file)


def drown_in_noise(folder: Path, rows: Rows) -> None:
    """Longer than every other sound, too."""
    noise = np.random.default_rng(0).uniform(-1, 1, 4000)
    for row, file in enumerate(sorted((folder / "sounds").iterdir())):
        if row in rows:
            write_wav(file, noise, rate=4000)


def change_cells(file: str, **cells: str) -> Callable[[Path, Rows], None]:
    """Return what puts these cells into the rows of a table."""

    def change(folder: Path, rows: Rows) -> None:
        with (folder / file).open(newline="") as table:
            read = list(csv.DictReader(table))
        with (folder / file).open("w", newline="") as table:
            writer = csv.DictWriter(table, read[0])
            writer.writeheader()
            writer.writerows(one | cells if row in rows else one for row, one in enumerate(read))

    return change


def lengthen(folder: Path, rows: Rows) -> None:
    """Change and lengthen sequences; their numbers are their ids."""
    file = folder / "sequences.csv"
    heading, *lines = file.read_text().splitlines()
    cells = [line.split(",") for line in lines]
    spoiled = [
        f"{number},{step},{1e9 if int(number) in rows else x},{way}"
        for number, step, x, way in cells
    ]
    ways = {int(number): way for number, _step, _x, way in cells}
    more = [f"{row},{step},1e9,{ways[row]}" for row in sorted(rows) for step in range(10, 20)]
    file.write_text("\n".join([heading, *spoiled, *more]) + "\n")


def change_letters(folder: Path, rows: Rows) -> None:
    text = (folder / "text.txt").read_text()
    spoiled = ("ß" if place in rows else letter for place, letter in enumerate(text))
    (folder / "text.txt").write_text("".join(spoiled))


NONSENSE = {
    "picture folder": whiten,
    "picture table": whiten,
    "sounds": drown_in_noise,
    "texts": change_cells("texts.csv", text="1e9 " * 30),
    "texts by character": change_cells("texts.csv", text="ß" * 200),
    "series": change_cells("series.csv", load="1e9", wind="-1e9"),
    "series of several targets": change_cells("series.csv", load="1e9", wind="-1e9"),
    "sequences": lengthen,
    "ratings": change_cells("ratings.csv", user="a stranger", rating="1e9"),
    "running text": change_letters,
}


@pytest.mark.parametrize("name", KINDS)
def test_law_6_nothing_of_val_and_test_rows_reaches_what_is_fitted(
    name: str, tmp_path: Path
) -> None:
    config = tmp_path / KINDS[name].write_config(tmp_path)
    first = prepared_of(config)
    others = {int(row) for part in ("val", "test") for row in first.rows[part]}
    NONSENSE[name](tmp_path, others)
    second = prepared_of(config)

    assert second.preprocessor.state() == first.preprocessor.state()
    for part, are_the_same in (("train", True), ("val", False), ("test", False)):
        left, right = (one.examples[part] for one in (first, second))
        index = torch.arange(len(left))
        ours, theirs = left.take(index), right.take(index)
        same = all(torch.equal(block, theirs.inputs[key]) for key, block in ours.inputs.items())
        assert same is are_the_same
        if are_the_same:
            assert torch.equal(ours.targets, theirs.targets)
