"""From input blocks to one vector."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from dlcli.data.spec import DataSpec, Field
from dlcli.errors import ConfigError
from dlcli.models.stems import VectorStem, build_stem

NUMBERS = (Field("a", "number", (1,)), Field("b", "number", (2,)))
COLOUR = Field("colour", "category", size=4, embedding_size=3)
SHAPE = Field("shape.kind", "category", size=5)
TARGET = (Field("y", "category", size=2),)


def test_of_numbers_alone_the_block_is_passed_on() -> None:
    stem = VectorStem(DataSpec(NUMBERS, TARGET))
    numbers = torch.randn(6, 3)
    assert stem({"numbers": numbers}).values is numbers
    assert stem.out.sizes == (3,)
    assert not list(stem.parameters())


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32, torch.int64])
def test_categories_are_embedded_or_one_hot(dtype: torch.dtype) -> None:
    stem = VectorStem(DataSpec((COLOUR, SHAPE), TARGET))
    codes = torch.tensor([[0, 4], [3, 0], [1, 1]], dtype=dtype)
    values = stem({"categories": codes}).values
    table = stem.blocks[0].embeddings[0].weight
    assert torch.equal(values[:, :3], table[codes[:, 0].long()])
    assert torch.equal(values[:, 3:], F.one_hot(codes[:, 1].long(), 5).float())
    assert stem.out.sizes == (8,)
    assert values.shape == (3, 8)


def test_images_are_normalised_per_channel_then_flattened() -> None:
    field = Field("image", "image", (2, 3, 3), mean=(4.0, 8.0), std=(2.0, 4.0))
    stem = VectorStem(DataSpec((field,), TARGET))
    pixels = torch.randint(0, 17, (5, 2, 3, 3), dtype=torch.uint8)
    expected = torch.stack([(pixels[:, 0] - 4.0) / 2, (pixels[:, 1] - 8.0) / 4], 1).flatten(1)
    torch.testing.assert_close(stem({"image": pixels}).values, expected)
    assert stem.out.sizes == (18,)
    assert set(stem.state_dict()) == {"blocks.0.mean", "blocks.0.std"}


def test_an_image_that_is_not_normalised_is_only_flattened() -> None:
    stem = VectorStem(DataSpec((Field("image", "image", (1, 2, 2)),), TARGET))
    pixels = torch.arange(4, dtype=torch.uint8).reshape(1, 1, 2, 2)
    assert stem({"image": pixels}).values.tolist() == [[0.0, 1.0, 2.0, 3.0]]


def test_mixed_blocks_stand_in_the_order_of_the_spec() -> None:
    image = Field("image", "image", (1, 2, 2))
    spec = DataSpec((COLOUR, *NUMBERS, image, SHAPE), TARGET)
    stem = VectorStem(spec)
    inputs = {
        "numbers": torch.randn(2, 3),
        "categories": torch.tensor([[1, 2], [0, 4]]),
        "image": torch.zeros(2, 1, 2, 2, dtype=torch.uint8),
    }
    values = stem(inputs).values
    assert values.shape == (2, *stem.out.sizes) == (2, 15)
    assert torch.equal(values[:, 8:11], inputs["numbers"])


def test_a_body_that_takes_no_vector_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"takes sequence features.* `a` \(number\)") as caught:
        build_stem(DataSpec(NUMBERS, TARGET), ("sequence",))
    assert caught.value.faults[0].path == ("model",)
