"""Pictures in folders and in tables, with every fault that such trees have."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from dlcli.config.data import ImageFolderOptions, ImagesOptions, PictureFileOptions, SplitOptions
from dlcli.data.prepare import prepare, restore
from dlcli.data.sources.image_folder import folder_records, open_image_folder
from dlcli.data.sources.images import open_images
from dlcli.errors import ConfigError, DataError

GENERATOR = np.random.default_rng(0)


def pixels(height=4, width=5, *, is_grey=False):
    shape = (height, width) if is_grey else (height, width, 3)
    return GENERATOR.integers(0, 256, shape, np.uint8)


def save(path: Path, values: np.ndarray) -> np.ndarray:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)
    return values


def tree(folder: Path, *, count=12, classes=("cat", "dog"), **options):
    for name in classes:
        for index in range(count):
            save(folder / name / f"{index:02}.png", pixels(**options))
    return folder


def options(folder: Path, **more):
    return ImageFolderOptions(path=str(folder), **more)


def table_of(source) -> pa.Table:
    return pa.Table.from_batches(list(source.chunks()))


def told(error: DataError | ConfigError) -> str:
    (fault,) = error.faults
    return f"{fault.message} | {fault.suggestion} | {fault.note}"


def test_rows_are_the_files_by_class_and_name(tmp_path):
    grey = save(tmp_path / "b" / "deep" / "2.png", pixels(is_grey=True))
    other = save(tmp_path / "b" / "1.PNG", pixels(is_grey=True))
    first = save(tmp_path / "a" / "9.bmp", pixels(is_grey=True))
    sources = open_image_folder(options(tmp_path), Path())
    found = table_of(sources.train).to_pydict()
    assert found["label"] == ["a", "b", "b"]
    assert found["image"] == [first.tolist(), other.tolist(), grey.tolist()]
    assert sources.task == "classification"


def test_one_coloured_picture_makes_all_of_them_coloured(tmp_path):
    grey = save(tmp_path / "a" / "1.png", pixels(is_grey=True))
    colour = save(tmp_path / "a" / "2.png", pixels())
    found = table_of(open_image_folder(options(tmp_path), Path()).train).to_pydict()
    expected = [[grey.tolist()] * 3, colour.transpose(2, 0, 1).tolist()]
    assert found["image"] == expected


def test_a_part_with_a_folder_of_its_own_keeps_the_classes_of_training(tmp_path):
    tree(tmp_path / "train", classes=("ant", "bee", "cat"))
    tree(tmp_path / "test", classes=("bee", "cat"), count=3)
    given = options(tmp_path / "train", test_path=str(tmp_path / "test"))
    prepared = prepare(open_image_folder(given, Path()), given, task=None)
    assert prepared.preprocessor.classes == ("ant", "bee", "cat")
    assert prepared.examples["test"].targets.tolist() == [1] * 3 + [2] * 3
    again = restore(
        open_image_folder(given, Path()),
        given,
        preprocessor=prepared.preprocessor,
        task=None,
        parts=("val",),
    )["val"]
    assert again.inputs["image"].equal(prepared.examples["val"].inputs["image"])


def test_colours_of_test_pictures_do_not_reach_what_is_fitted(tmp_path):
    tree(tmp_path / "train", is_grey=True)
    tree(tmp_path / "test", count=2)
    given = options(tmp_path / "train", test_path=str(tmp_path / "test"))
    alone = options(tmp_path / "train", split=SplitOptions(test=0.0))
    fitted = [
        prepare(open_image_folder(one, Path()), one, task=None).preprocessor.state()["inputs"]
        for one in (given, alone)
    ]
    assert fitted[0] == fitted[1]
    assert fitted[0][0]["shape"] == [1, 4, 5]


@pytest.mark.parametrize(("mode", "channels"), [("auto", 3), ("grey", 1), ("rgb", 3)])
def test_mode_and_size_are_those_asked_for(tmp_path, mode, channels):
    tree(tmp_path, count=3)
    save(tmp_path / "cat" / "large.png", pixels(30, 20))
    files = PictureFileOptions(size=[6, 7], mode=mode)
    given = options(tmp_path, pictures=files, split=SplitOptions(val=0, test=0))
    prepared = prepare(open_image_folder(given, Path()), given, task=None)
    assert prepared.examples["train"].inputs["image"].shape == (7, channels, 6, 7)


def test_a_file_is_encoded_as_it_was_in_training(tmp_path):
    tree(tmp_path, count=3)
    save(tmp_path / "cat" / "large.png", pixels(30, 20))
    files = PictureFileOptions(size=6)
    given = options(tmp_path, pictures=files, split=SplitOptions(val=0, test=0))
    prepared = prepare(open_image_folder(given, Path()), given, task=None)
    records = folder_records(tmp_path, "image", "label")
    encoded = prepared.preprocessor.encode(records)
    assert encoded.inputs["image"].equal(prepared.examples["train"].inputs["image"])
    assert encoded.targets.equal(prepared.examples["train"].targets)


def test_what_is_no_class_and_no_picture_is_left_out_and_named(tmp_path):
    tree(tmp_path)
    tree(tmp_path, classes=(".ipynb_checkpoints", "__MACOSX"), count=1)
    save(tmp_path / "cat" / ".hidden.png", pixels(9, 9))
    (tmp_path / "empty").mkdir()
    (tmp_path / "cat" / "notes.txt").touch()
    sources = open_image_folder(options(tmp_path), Path())
    assert set(table_of(sources.train)["label"].to_pylist()) == {"cat", "dog"}
    assert len(sources.warnings) == 2
    assert "folders without a picture are no classes: empty" in sources.warnings[0]
    assert "1 file without the ending of a picture left out" in sources.warnings[1]


def broken_tree(folder: Path) -> Path:
    tree(folder)
    whole = (folder / "cat" / "03.png").read_bytes()
    (folder / "cat" / "03.png").write_bytes(whole[: len(whole) // 2])
    (folder / "dog" / "05.png").write_bytes(b"no picture")
    (folder / "dog" / "06.png").write_bytes(b"")
    return folder


def test_broken_files_are_all_named_before_training(tmp_path):
    with pytest.raises(DataError) as caught:
        open_image_folder(options(broken_tree(tmp_path)), Path())
    message = told(caught.value)
    assert "3 of 24 files cannot be read as pictures" in message
    assert all(name in message for name in ("cat/03.png is damaged", "dog/05.png", "dog/06.png"))
    assert "`broken: skip` leaves them out" in message


def test_broken_files_can_be_skipped(tmp_path):
    given = options(broken_tree(tmp_path), broken="skip", test_path=str(tmp_path))
    sources = open_image_folder(given, Path())
    whole = open_image_folder(options(tree(tmp_path / "other")), Path())
    labels = table_of(sources.train)["label"].to_pylist()
    assert labels == ["cat"] * 11 + ["dog"] * 10 == table_of(sources.test)["label"].to_pylist()
    assert "6 of 48 files cannot be read as pictures and are left out" in sources.warnings[-1]
    assert sources.fingerprint != whole.fingerprint


def test_several_sizes_ask_for_one(tmp_path):
    tree(tmp_path)
    save(tmp_path / "cat" / "large.png", pixels(30, 20))
    with pytest.raises(ConfigError) as caught:
        open_image_folder(options(tmp_path), Path())
    assert caught.value.faults[0].path == ("data", "pictures", "size")
    message = told(caught.value)
    assert "the pictures have 2 sizes" in message
    assert "`pictures: {size: [4, 5]}`" in message
    assert "4 x 5 (24), 30 x 20 (1)" in message


def test_folders_that_cannot_be_meant_are_told(tmp_path):
    tree(tmp_path / "set" / "train")
    tree(tmp_path / "set" / "test")
    tree(tmp_path / "more", classes=("cat", "dogs"))
    save(tmp_path / "flat" / "1.png", pixels())
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.csv").touch()
    faults = {
        "set": (ConfigError, "are parts, not classes: test, train | name each: `"),
        "sett": (DataError, "there is no folder"),
        "flat": (DataError, "flat holds 1 picture, but no folder of a class does"),
        "empty": (DataError, "has no folder with pictures"),
        "file.csv": (DataError, "is a file, not a folder"),
    }
    for name, (kind, words) in faults.items():
        with pytest.raises(kind) as caught:
            open_image_folder(options(Path(name)), tmp_path)
        assert words in told(caught.value)
        assert caught.value.faults[0].path == ("data", "path")
    given = options(Path("set/train"), test_path="more")
    with pytest.raises(DataError, match="more has classes that `path` lacks: dogs") as caught:
        open_image_folder(given, tmp_path)
    assert caught.value.faults[0].suggestion == "did you mean `dog`?"


def test_a_split_by_columns_is_refused(tmp_path):
    with pytest.raises(
        ValueError, match=r"`split.group` names a column, and these pictures have none"
    ):
        options(tmp_path, split=SplitOptions(group="patient"))


def table(folder: Path, rows: list[tuple[str, object]], name="table.csv") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / name).open("w") as file:
        csv.writer(file).writerows([("image", "age", "comment"), *((*row, "free") for row in rows)])
    return folder / name


def test_a_table_of_paths_gives_the_same_pictures_as_a_folder(tmp_path):
    tree(tmp_path)
    files = sorted(tmp_path.rglob("*.png"))
    rows = [(str(file.relative_to(tmp_path)), file.parent.name) for file in files]
    given = ImagesOptions(path=str(table(tmp_path, rows)), target="age")
    mine = open_images(given, Path())
    theirs = open_image_folder(options(tmp_path), Path())
    assert table_of(mine.train)["image"].equals(table_of(theirs.train)["image"])
    assert table_of(mine.train)["age"].to_pylist() == table_of(theirs.train)["label"].to_pylist()
    assert mine.inputs == ("image",)
    assert mine.warnings == ()


def test_a_number_can_be_told_from_a_picture(tmp_path):
    tree(tmp_path / "set", count=15)
    files = sorted((tmp_path / "set").rglob("*.png"))
    rows = [
        (str(file.relative_to(tmp_path / "set")), place / 2) for place, file in enumerate(files)
    ]
    given = ImagesOptions(path=str(table(tmp_path, rows)), target="age", root=str(tmp_path / "set"))
    prepared = prepare(open_images(given, Path()), given, task=None)
    assert prepared.task == "regression"
    assert len(prepared.examples["test"]) == 3


def test_what_is_wrong_with_a_table_of_paths_is_told(tmp_path):
    tree(tmp_path)
    file = str(table(tmp_path, [("cat/01.png", 1), ("cat/99.png", 2), ("", 3), ("dog/01.png", 4)]))
    with pytest.raises(DataError) as caught:
        open_images(ImagesOptions(path=file, target="age"), Path())
    assert "2 of 4 files cannot be read as pictures" in told(caught.value)
    assert "cat/99.png is no file" in told(caught.value)
    skipped = open_images(ImagesOptions(path=file, target="age", broken="skip"), Path())
    assert table_of(skipped.train)["age"].to_pylist() == ["1", "4"]
    with pytest.raises(ConfigError, match=r"table\.csv has no column `picture`"):
        open_images(ImagesOptions(path=file, target="age", image="picture"), Path())
    with pytest.raises(ConfigError, match="`age` is the column of pictures"):
        open_images(ImagesOptions(path=file, target="age", image="age"), Path())


def test_parts_are_numbered_by_all_files_of_theirs(tmp_path):
    tree(tmp_path / "train")
    tree(tmp_path / "test", count=4)
    for broken in ("train/cat/03.png", "test/cat/00.png"):
        (tmp_path / broken).write_text("no picture")
    given = options(tmp_path / "train", test_path=str(tmp_path / "test"), broken="skip")
    prepared = prepare(open_image_folder(given, Path()), given, task=None)
    drawn = np.concatenate([prepared.rows["train"], prepared.rows["val"]])
    assert sorted(drawn) == [row for row in range(24) if row != 3]
    assert prepared.rows["test"].tolist() == list(range(1, 8))
