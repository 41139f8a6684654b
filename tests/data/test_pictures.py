"""One picture file, in every mode and with every fault."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dlcli.data.pictures import PictureError, decoded, find_files, with_channels

RGB = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
GREY = RGB[..., 0]


def saved(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    stream = BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def shown(image: Image.Image, kind: str = "PNG", **options: object) -> np.ndarray:
    return decoded(saved(image, kind, **options), None, "crop")


def test_colours_come_first_and_grey_has_one_channel():
    assert np.array_equal(shown(Image.fromarray(RGB)), RGB.transpose(2, 0, 1))
    assert np.array_equal(shown(Image.fromarray(GREY)), GREY[None])


def test_sixteen_bits_are_scaled_and_not_clipped():
    wide = np.array([[0, 255, 256], [257, 40_000, 65_535]], np.uint16)
    assert shown(Image.fromarray(wide)).tolist() == [[[0, 0, 1], [1, 156, 255]]]
    assert shown(Image.fromarray(wide), "TIFF").tolist() == [[[0, 0, 1], [1, 156, 255]]]


def test_pixels_of_32_bits_or_floats_are_refused():
    for values in (np.array([[1 << 20]], np.int32), np.array([[0.5]], np.float32)):
        with pytest.raises(PictureError, match="neither 8 nor 16 bits"):
            shown(Image.fromarray(values), "TIFF")


def test_one_bit_becomes_black_and_white():
    assert set(np.unique(shown(Image.fromarray(GREY > 99)))) == {0, 255}


def test_palette_shows_its_colours():
    image = Image.fromarray(RGB).quantize(16)
    assert np.array_equal(shown(image), np.asarray(image.convert("RGB")).transpose(2, 0, 1))


def test_cmyk_becomes_rgb():
    image = Image.new("CMYK", (4, 4), (0, 255, 255, 0))
    red, green, blue = shown(image, "TIFF")[:, 0, 0]
    assert (red, green, blue) == (255, 0, 0)


@pytest.mark.parametrize(("mode", "channels"), [("RGBA", 3), ("LA", 1)])
def test_what_is_transparent_is_white(mode, channels):
    image = Image.new(mode, (2, 1), 0)
    image.putpixel((0, 0), (10, 20, 30, 255) if mode == "RGBA" else (10, 255))
    pixels = shown(image)
    assert len(pixels) == channels
    assert pixels[:, 0, 1].tolist() == [255] * channels
    assert pixels[:, 0, 0].tolist() == [10, 20, 30][:channels]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_as_its_exif_note_says(orientation):
    upright = Image.fromarray(RGB)
    exif = Image.Exif()
    exif[0x0112] = orientation
    turns = {  # what brings the stored picture upright, by the Exif standard
        1: lambda a: a,
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, -1),
        7: lambda a: np.rot90(a, 2).transpose(1, 0, 2),
        8: np.rot90,
    }
    expected = turns[orientation](np.asarray(upright)).transpose(2, 0, 1)
    assert np.array_equal(shown(upright, exif=exif), expected)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"])
def test_a_file_cut_short_is_told(kind):
    whole = saved(Image.fromarray(np.tile(RGB, (8, 8, 1))), kind)
    with pytest.raises(PictureError, match=r"is damaged|is no picture"):
        decoded(whole[: len(whole) * 2 // 3], None, "crop")


@pytest.mark.parametrize("data", [b"", b"text", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"])
def test_other_bytes_are_no_picture(data):
    with pytest.raises(PictureError):
        decoded(data, None, "crop")


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_damage_is_told_or_harmless(data):
    kind = data.draw(st.sampled_from(["PNG", "JPEG", "GIF", "BMP"]))
    whole = bytearray(saved(Image.fromarray(RGB), kind))
    for _ in range(3):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        pixels = decoded(bytes(whole), (4, 4), "crop")
    except PictureError:
        return
    assert pixels.shape in ((1, 4, 4), (3, 4, 4))


def test_crop_keeps_the_middle_pad_adds_black_stretch_keeps_all():
    halves = np.zeros((10, 30), np.uint8)
    halves[:, 10:20] = 200
    data = saved(Image.fromarray(halves))
    assert (decoded(data, (10, 10), "crop") == 200).all()
    padded = decoded(data, (30, 30), "pad")[0]
    assert (padded[:10] == 0).all()
    assert (padded[20:] == 0).all()
    assert np.array_equal(padded[10:20], halves)
    stretched = decoded(data, (10, 10), "stretch")[0]
    assert stretched[0, 0] == 0
    assert stretched[0, 5] == 200


@pytest.mark.parametrize("resize", ["crop", "pad", "stretch"])
def test_every_rule_gives_the_size_asked_for(resize):
    data = saved(Image.fromarray(np.tile(RGB, (20, 30, 1))), "JPEG")
    assert decoded(data, (7, 5), resize).shape == (3, 7, 5)


def test_a_large_photo_read_at_a_fraction_stays_the_same_picture():
    slope = np.linspace(0, 255, 1600).astype(np.uint8)
    photo = Image.fromarray(np.tile(slope, (1200, 1)))
    found = decoded(saved(photo, "JPEG"), (24, 32), "crop")[0].astype(int)
    expected = np.asarray(photo.resize((32, 24), Image.Resampling.BILINEAR)).astype(int)
    assert abs(found - expected).max() <= 4


def test_grey_is_that_of_pillow_and_comes_back():
    pixels = RGB.transpose(2, 0, 1)[None]
    assert np.array_equal(
        with_channels(pixels, 1)[0, 0], np.asarray(Image.fromarray(RGB).convert("L"))
    )
    grey = GREY[None, None]
    assert np.array_equal(with_channels(with_channels(grey, 3), 1), grey)


def test_hidden_files_and_folders_are_not_found(tmp_path):
    for name in ("b.PNG", "a/c.jpg", ".x.jpg", ".git/d.jpg", "__MACOSX/e.jpg", "a/note.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found, others = find_files(tmp_path, frozenset({".png", ".jpg"}))
    assert [path.relative_to(tmp_path).as_posix() for path in found] == ["a/c.jpg", "b.PNG"]
    assert [path.name for path in others] == ["note.txt"]
