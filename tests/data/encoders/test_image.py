"""Images in every form in which they come."""

import json

import numpy as np
import pyarrow as pa
import pytest
import torch

from dlcli.data.encoders.encoder import CellError
from dlcli.data.encoders.image import ImageFit
from dlcli.data.encoders.registry import encoder_from_state

PIXELS = np.random.default_rng(0).integers(0, 17, (5, 3, 2))


def fit(images):
    image_fit = ImageFit("image")
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


@pytest.mark.parametrize("image", [[[1, 2]], [[1, 2], [3, 4], [5, 300]], [[1, 2], [3], [4, 5, 6]]])
def test_another_size_or_range_is_refused(image):
    with pytest.raises(CellError, match="3 rows of 2 pixels from 0 to 255"):
        fit(PIXELS).encode(pa.array([image]))
