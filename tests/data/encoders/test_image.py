"""Images in every form in which they come."""

import json

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image

from dlcli.config.data import NormalizeOptions, PictureFileOptions
from dlcli.data.encoders.encoder import CellError
from dlcli.data.encoders.image import ImageFit
from dlcli.data.encoders.registry import encoder_from_state
from dlcli.data.sources.picture_files import picture_cells
from dlcli.errors import ConfigError

PIXELS = np.random.default_rng(0).integers(0, 17, (5, 3, 2))


def fit(images, normalize=None, **files):
    image_fit = ImageFit("image", PictureFileOptions(**files), normalize)
    image_fit.add(pa.array(images[:2].tolist()))
    image_fit.add(pa.array(images[2:].tolist()))
    return image_fit.finish()


def test_mean_and_deviation_are_those_of_the_pixels():
    encoder = fit(PIXELS)
    assert encoder.shape == (1, 3, 2)
    np.testing.assert_allclose(encoder.mean, [PIXELS.mean()], rtol=1e-12)
    np.testing.assert_allclose(encoder.std, [PIXELS.std()], rtol=1e-12)
    assert encoder_from_state(json.loads(json.dumps(encoder.state()))) == encoder


def test_images_stay_bytes_and_come_back():
    encoder = fit(PIXELS)
    encoded = encoder.encode(pa.array(PIXELS.tolist()))
    assert encoded.dtype == torch.uint8
    assert encoder.decode(encoded) == PIXELS.tolist()
    texts = pa.array([json.dumps(image) for image in PIXELS.tolist()])
    assert torch.equal(encoder.encode(texts), encoded)


def test_colour_images_have_channels_first():
    images = np.random.default_rng(0).integers(0, 256, (4, 3, 2, 2))
    encoder = fit(images)
    np.testing.assert_allclose(encoder.mean, images.mean(axis=(0, 2, 3)), rtol=1e-12)
    assert encoder.encode(pa.array(images.tolist())).shape == (4, 3, 2, 2)


COLOURS = np.random.default_rng(0).integers(0, 256, (5, 3, 4, 6), np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
def test_bytes_held_in_memory_are_those_of_lists(channels):
    pixels = COLOURS[:, :channels]
    cells = picture_cells(pixels)
    shown = pixels[:, 0] if channels == 1 else pixels
    assert cells.to_pylist() == shown.tolist()
    encoder = fit(shown)
    assert encoder.encode(cells).equal(torch.from_numpy(pixels))
    assert encoder.encode(cells.slice(2, 2)).equal(torch.from_numpy(pixels[2:4]))


def test_bytes_are_seen_where_they_lie():
    cells = picture_cells(COLOURS)
    encoded = fit(COLOURS).encode(cells.slice(1))
    pixels = cells.flatten().flatten().flatten()
    address = pixels.buffers()[1].address + COLOURS[0].nbytes
    assert encoded.data_ptr() == address
    del cells, pixels  # what is seen is kept
    assert encoded.equal(torch.from_numpy(COLOURS[1:]))


NUMBERS = [np.int8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64]
FLOATS = [np.float16, np.float32, np.float64]


def wide(values):
    """Return numbers as cells of one picture each, as wide as need be; three rows of two."""
    flat = pa.FixedSizeListArray.from_arrays(pa.array(values), 2)
    return pa.FixedSizeListArray.from_arrays(flat, 3)


@pytest.mark.parametrize("dtype", [*NUMBERS, *FLOATS])
def test_numbers_of_any_type_are_the_same_pixels(dtype):
    pixels = np.resize(np.arange(128 if dtype is np.int8 else 256), 6 * 20_000)
    encoded = fit(PIXELS).encode(wide(pixels.astype(dtype)).slice(3))
    assert encoded.equal(torch.from_numpy(pixels.astype(np.uint8)).view(-1, 1, 3, 2)[3:])


@pytest.mark.parametrize("place", [0, 6 * 20_000 - 1])
@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        *((value, dtype) for value in (-1, 0.5, 255.5, 256, np.nan, np.inf) for dtype in FLOATS),
        *((value, np.int64) for value in (-1, 256, 2**40, -(2**63))),
        *((-1, np.int8), (257, np.uint16), (2**63, np.uint64)),
    ],
)
def test_numbers_that_are_no_pixels_are_refused(value, dtype, place):
    pixels = np.zeros(6 * 20_000, dtype)
    pixels[place] = value
    with pytest.raises(CellError, match=r"3 rows of 2 pixels from 0 to 255|is infinite"):
        fit(PIXELS).encode(wide(pixels))


def test_a_picture_with_a_pixel_missing_is_refused():
    with pytest.raises(CellError, match="3 rows of 2 pixels from 0 to 255"):
        fit(PIXELS).encode(wide([1, 2, None, 4, 5, 6]))


def test_grey_pictures_stored_with_three_channels_become_grey():
    grey = COLOURS[:, [0, 0, 0]]
    assert fit(grey).shape == (1, 4, 6)
    assert fit(grey) == fit(grey[:, 0])
    assert fit(grey, mode="rgb").shape == (3, 4, 6)
    assert fit(grey).encode(picture_cells(grey)).equal(torch.from_numpy(grey[:, :1]))
    coloured = np.concatenate([grey, COLOURS[:1]])
    assert fit(coloured).encode(picture_cells(grey[:, :1])).equal(torch.from_numpy(grey))


def test_given_figures_are_of_values_from_0_to_1():
    encoder = fit(COLOURS, NormalizeOptions(mean=[0.2, 0.4, 0.6], std=[0.1, 1.0, 2.0]))
    assert encoder.mean == pytest.approx([51, 102, 153])
    assert encoder.std == pytest.approx([25.5, 255, 510])
    one = NormalizeOptions(mean=[0.5], std=[0.5])
    assert fit(COLOURS, one).mean == (127.5, 127.5, 127.5)
    with pytest.raises(ConfigError, match="`normalize` is for 3 channels, and the pictures have 1"):
        fit(PIXELS, NormalizeOptions(mean=[0.5] * 3, std=[0.5] * 3))


def test_a_path_is_a_picture_brought_to_the_size_of_training(tmp_path):
    encoder = encoder_from_state(fit(COLOURS, resize="stretch").state())
    path = tmp_path / "large.png"
    large = Image.fromarray(np.random.default_rng(1).integers(0, 256, (9, 30, 3), np.uint8))
    large.save(path)
    expected = np.asarray(large.resize((6, 4), Image.Resampling.BILINEAR)).transpose(2, 0, 1)
    rows = json.dumps(COLOURS[0].tolist())
    encoded = encoder.encode(pa.array([str(path), rows, json.dumps(str(path))]))
    assert encoded.numpy().tolist() == [expected.tolist(), COLOURS[0].tolist(), expected.tolist()]


def test_a_file_that_is_no_picture_is_named(tmp_path):
    (tmp_path / "a.png").write_bytes(b"text")
    for name, words in (("a.png", "is no picture"), ("b.png", "is no file that can be read")):
        with pytest.raises(CellError, match=words) as caught:
            fit(COLOURS).encode(pa.array([str(tmp_path / name)]))
        assert caught.value.value == str(tmp_path / name)


@pytest.mark.parametrize(
    "text",
    [
        "[[1, 2",
        "[[1, 2], [" + 300 * "3",
        "[[1, 2]]",
        '[["a"]]',
        "[[[]]]",
        "[[1, 2], [3, 4], [5, true]]",
        "[[1, 2], [3, 4], [5, 123456789012345678901234567890]]",
    ],
)
def test_json_that_is_no_such_image_is_refused(text):
    with pytest.raises(CellError, match="3 rows of 2 pixels from 0 to 255") as caught:
        fit(PIXELS).encode(pa.array([json.dumps(PIXELS[0].tolist()), text]))
    assert caught.value.value == text


def test_grey_and_coloured_images_go_together():
    grey, coloured = COLOURS[0, 0].tolist(), COLOURS[1].tolist()
    encoded = fit(COLOURS).encode(pa.array([json.dumps(grey), json.dumps(coloured)]))
    assert encoded.tolist() == [[grey] * 3, coloured]


def test_no_images_are_none_of_the_right_shape():
    assert fit(PIXELS).encode(pa.array([], pa.string())).shape == (0, 1, 3, 2)


def test_nested_without_end_is_no_image():
    image_fit = ImageFit("image", PictureFileOptions(), None)
    with pytest.raises(CellError, match="is not an image"):
        image_fit.add(pa.array(["[" * 100_000]))


@pytest.mark.parametrize("image", [[[1, 2]], [[1, 2], [3, 4], [5, 300]], [[1, 2], [3], [4, 5, 6]]])
def test_another_size_or_range_is_refused(image):
    with pytest.raises(CellError, match="3 rows of 2 pixels from 0 to 255"):
        fit(PIXELS).encode(pa.array([image]))
