"""Pictures are decoded once: what is in the cache is what decoding gives."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dlcli.config.data import ImageFolderOptions, ImagesOptions, PictureFileOptions
from dlcli.data.cache import choice
from dlcli.data.encoding import is_mapped
from dlcli.data.prepare import prepare, restore
from dlcli.data.sources import picture_files
from dlcli.data.sources.image_folder import open_image_folder
from dlcli.data.sources.images import open_images
from dlcli.errors import DataError

PARTS = ("train", "val", "test")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("DLCLI_CACHE", str(folder))
    return folder


@pytest.fixture
def decodes(monkeypatch) -> list[int]:
    """The sizes of the files that were decoded."""
    found: list[int] = []

    def counting(data, *rest):
        found.append(len(data))
        return decode(data, *rest)

    decode = picture_files.decoded
    monkeypatch.setattr(picture_files, "decoded", counting)
    return found


def tree(folder: Path, *, seed: int = 0, colours: int = 20) -> Path:
    """Write 20 pictures of two classes, the last ones coloured, with an old time of change."""
    random = np.random.default_rng(seed)
    for number in range(20):
        path = folder / "pictures" / ("cat", "dog")[number % 2] / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        shape = (6, 5, 3) if number >= 20 - colours else (6, 5)
        Image.fromarray(random.integers(0, 256, shape, np.uint8)).save(path)
        os.utime(path, (1000, 1000))
    return folder / "pictures"


def opened(folder: Path, *, use: str = "always", **more):
    options = ImageFolderOptions.model_validate(
        {"path": str(folder), "cache": use, "split": {"val": 4, "test": 4}} | more
    )
    return open_image_folder(options, Path()), options


def prepared(folder: Path, **more):
    sources, options = opened(folder, **more)
    return prepare(sources, options, task=None)


def assert_alike(one, other) -> None:
    assert one.fingerprint == other.fingerprint
    assert one.files == other.files
    assert one.warnings == other.warnings
    assert one.preprocessor.state() == other.preprocessor.state()
    assert all(np.array_equal(one.rows[part], other.rows[part]) for part in PARTS)
    for part in PARTS:
        assert_same_part(one.examples[part], other.examples[part])


def assert_same_part(one, other) -> None:
    assert len(one) == len(other)
    assert one.nbytes == other.nbytes
    assert torch.equal(one.targets, other.targets)
    index = torch.randperm(len(one))
    for a, b in ((one.take(index), other.take(index)), (one.slice(1, 3), other.slice(1, 3))):
        assert torch.equal(a.inputs["image"], b.inputs["image"])
        assert torch.equal(a.targets, b.targets)


@pytest.mark.parametrize("colours", [0, 5, 20])
@pytest.mark.parametrize("held", [True, False], ids=["held", "written"])
def test_a_second_start_decodes_nothing(tmp_path, decodes, monkeypatch, colours, held):
    folder = tree(tmp_path, colours=colours)
    if not held:  # written as they are decoded
        monkeypatch.setattr(choice, "MOST_HELD", 0)
    plain = prepared(folder, use="never")
    assert len(decodes) == 20
    first = prepared(folder)
    assert len(decodes) == 40
    second = prepared(folder)
    assert len(decodes) == 40
    assert is_mapped(first.examples["train"])
    assert not is_mapped(plain.examples["train"])
    assert_alike(first, plain)
    assert_alike(second, plain)


def test_no_file_is_even_read_again(tmp_path, monkeypatch):
    folder = tree(tmp_path)
    first = prepared(folder)
    monkeypatch.setattr(Path, "read_bytes", refused(Path.read_bytes))
    assert_alike(prepared(folder), first)


def refused(read):
    def read_bytes(path):
        assert path.suffix != ".png", "a picture was read"
        return read(path)

    return read_bytes


def test_what_is_decoded_in_a_moment_is_not_kept(tmp_path, cache):
    opened(tree(tmp_path), use="auto")
    assert not cache.exists()


def test_what_took_long_is_kept_though_memory_holds_it(tmp_path, decodes, monkeypatch):
    monkeypatch.setattr(picture_files, "_LONG_SECONDS", 0.0)
    folder = tree(tmp_path)
    first = prepared(folder, use="auto")
    second = prepared(folder, use="auto")
    assert len(decodes) == 20
    assert not is_mapped(second.examples["train"])
    assert_alike(first, second)


@pytest.mark.parametrize("change", [{"pictures": {"size": 4}}, {"pictures": {"mode": "grey"}}])
def test_other_pixels_are_decoded_for_themselves(tmp_path, decodes, change):
    folder = tree(tmp_path)
    prepared(folder)
    assert_alike(prepared(folder, **change), prepared(folder, use="never", **change))
    assert len(decodes) == 60


def test_a_changed_picture_is_decoded(tmp_path, decodes):
    folder = tree(tmp_path)
    before = prepared(folder)
    Image.fromarray(np.full((6, 5, 3), 7, np.uint8)).save(folder / "cat" / "00.png")
    after = prepared(folder)
    assert len(decodes) == 40
    assert before.fingerprint != after.fingerprint
    assert_alike(after, prepared(folder, use="never"))


def test_what_was_wrong_with_the_files_is_said_again(tmp_path):
    folder = tree(tmp_path)
    (folder / "cat" / "99.png").write_bytes(b"no picture")
    os.utime(folder / "cat" / "99.png", (1000, 1000))
    plain = prepared(folder, use="never", broken="skip")
    assert any("99.png" in warning for warning in plain.warnings)
    for _ in range(2):
        assert_alike(prepared(folder, broken="skip"), plain)
    with pytest.raises(DataError, match="1 of 21 files"):
        prepared(folder, broken="refuse")


def test_a_damaged_entry_is_said_and_decoded_anew(tmp_path, cache, decodes):
    folder = tree(tmp_path)
    prepared(folder)
    for pixels in cache.glob("entries/*/pixels"):
        with pixels.open("r+b") as file:
            file.write(b"\1\2\3")
    second = prepared(folder)
    assert len(decodes) == 40
    assert "is damaged" in second.warnings[0]
    plain = prepared(folder, use="never")
    assert_same_part(second.examples["test"], plain.examples["test"])


def test_restored_parts_are_those_of_the_training(tmp_path, decodes):
    folder = tree(tmp_path)
    before = prepared(folder)
    sources, options = opened(folder)
    found = restore(
        sources, options, preprocessor=before.preprocessor, task=before.task, parts=["val", "test"]
    )
    assert list(found) == ["val", "test"]
    assert_same_part(found["test"], before.examples["test"])
    assert len(decodes) == 20


def test_pictures_of_a_table_are_decoded_once_too(tmp_path, decodes):
    folder = tree(tmp_path)
    names = sorted(folder.rglob("*.png"))
    rows = [f"{path.relative_to(tmp_path)},{path.parent.name}" for path in names]
    (tmp_path / "rows.csv").write_text("\n".join(["image,label", *rows]))
    found = []
    for use in ("never", "always", "always"):
        options = ImagesOptions.model_validate(
            {"path": "rows.csv", "target": "label", "cache": use, "split": {"val": 4, "test": 4}}
        )
        found.append(prepare(open_images(options, tmp_path), options, task=None))
    assert len(decodes) == 40
    assert_alike(found[1], found[0])
    assert_alike(found[2], found[0])


def test_many_files_are_decoded_in_processes_to_the_same_pixels_and_faults(tmp_path, monkeypatch):
    folder = tree(tmp_path, colours=3)
    files = sorted(folder.glob("*/*.png"))
    files[3].write_bytes(files[3].read_bytes()[:60])
    files[7].write_text("no picture")
    files.insert(11, folder / "nowhere.png")
    found = []
    for most in (1 << 24, 1):
        monkeypatch.setattr(picture_files, "_BYTES_OF_ONE_PROCESS", most)
        monkeypatch.setattr(picture_files, "_MOST_TOGETHER", 2)
        found.append(picture_files.decode_files(files, PictureFileOptions(), broken="skip"))
    alone, together = found
    assert np.array_equal(alone.pixels, together.pixels)
    assert np.array_equal(alone.kept, together.kept)
    assert len(alone.kept) == 18
    assert alone.digests == together.digests
    assert alone.warnings == together.warnings
