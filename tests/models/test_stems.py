"""From input blocks to what a body takes, and from its steps to one vector."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from dlcli.config.model import CNNOptions, LSTMOptions, MatrixFactorizationOptions
from dlcli.data.spec import DataSpec, Field, Spectrogram, Window
from dlcli.errors import ConfigError
from dlcli.models.features import Features, Shape
from dlcli.models.pooling import Pool
from dlcli.models.stems import SequenceStem, VectorStem, build_stem

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
    message = "`model: lstm` takes sequences or running text, and these `data` are numbers side by"
    with pytest.raises(ConfigError, match=message) as caught:
        build_stem(DataSpec(NUMBERS, TARGET), LSTMOptions())
    assert caught.value.faults[0].path == ("model", "name")


WORDS = Field("words", "tokens", (5,), size=9, embedding_size=4)
TITLE = Field("title", "tokens", (3,), size=7, embedding_size=4)
WINDOW = Window(past=4, horizon=2)


def test_texts_follow_one_another_without_padding_between_them() -> None:
    stem = SequenceStem(DataSpec((WORDS, TITLE), TARGET))
    words = torch.tensor([[3, 2, 0, 0, 0], [1, 2, 3, 4, 0], [0, 0, 0, 0, 0]])
    title = torch.tensor([[5, 6, 1], [2, 0, 0], [0, 0, 0]])
    values, lengths = stem({"words": words, "title": title})
    of_words, of_title = (part.embedding.weight for part in stem.parts)
    assert stem.out == Shape("sequence", (8, 4), varies=True)
    assert lengths.tolist() == [5, 5, 1]
    assert torch.equal(values[0, :2], of_words[[3, 2]])
    assert torch.equal(values[0, 2:5], of_title[[5, 6, 1]])
    assert torch.equal(values[1, :5], torch.cat([of_words[[1, 2, 3, 4]], of_title[[2]]]))
    assert not values[2].any()


def test_other_columns_stand_in_every_step_of_a_text() -> None:
    stem = SequenceStem(DataSpec((WORDS, COLOUR, *NUMBERS), TARGET))
    numbers = torch.randn(2, 3)
    words = torch.tensor([[3, 2, 0, 0, 0], [1, 0, 0, 0, 0]])
    inputs = {"words": words, "numbers": numbers, "categories": torch.tensor([[1], [3]])}
    values, lengths = stem(inputs)
    assert stem.out.sizes == (5, 4 + 3 + 3)
    assert values.shape == (2, 2, 10)  # as long as the longest of the batch
    assert lengths.tolist() == [2, 1]
    colours = stem.others[0].embeddings[0].weight[[1, 3]]
    for step in range(2):
        assert torch.equal(values[:, step, 4:], torch.cat([colours, numbers], 1))


def test_a_text_as_a_vector_is_the_mean_of_its_tokens() -> None:
    stem = VectorStem(DataSpec((WORDS,), TARGET))
    words = torch.tensor([[3, 2, 2, 0, 0], [0, 0, 0, 0, 0]])
    table = stem.blocks[0].bag.weight
    torch.testing.assert_close(
        stem({"words": words}).values,
        torch.stack([table[[3, 2, 2]].mean(0), torch.zeros(4)]),
    )
    shuffled = stem({"words": words[:, [1, 0, 2, 3, 4]]}).values
    torch.testing.assert_close(shuffled, stem({"words": words}).values)


def test_steps_have_their_lengths_and_lose_the_mark() -> None:
    stem = SequenceStem(DataSpec((Field("steps", "steps", (6, 3)),), TARGET))
    steps = torch.randn(2, 6, 3)
    steps[:, :, 2] = torch.tensor([[1, 1, 1, 1, 0, 0], [1, 0, 0, 0, 0, 0]])
    values, lengths = stem({"steps": steps})
    assert stem.out == Shape("sequence", (6, 2), varies=True)
    assert torch.equal(values, steps[:, :4, :2])
    assert lengths.tolist() == [4, 1]
    flat = VectorStem(DataSpec((Field("steps", "steps", (6, 3)),), TARGET))
    assert torch.equal(flat({"steps": steps}).values, steps.flatten(1))
    assert flat.out.sizes == (18,)


def test_a_window_has_numbers_and_categories_in_every_step() -> None:
    spec = DataSpec((*NUMBERS, COLOUR, SHAPE), TARGET, WINDOW)
    numbers, codes = torch.randn(2, 4, 3), torch.randint(0, 4, (2, 4, 2))
    inputs = {"numbers": numbers, "categories": codes}
    stem = build_stem(spec, LSTMOptions())
    values, lengths = stem(inputs)
    assert stem.out == Shape("sequence", (4, 11))
    assert lengths is None
    assert torch.equal(values[:, :, :3], numbers)
    assert torch.equal(values[:, :, 6:], F.one_hot(codes[:, :, 1], 5).float())
    flat = VectorStem(spec)
    assert flat.out.sizes == flat(inputs).values.shape[1:] == (44,)


def test_a_step_can_be_several_rows_of_a_window() -> None:
    spec = DataSpec(NUMBERS, TARGET, replace(WINDOW, patch=2))
    numbers = torch.randn(2, 4, 3)
    stem = build_stem(spec, LSTMOptions())
    assert stem.out.sizes == (2, 6)
    assert torch.equal(stem({"numbers": numbers}).values, numbers.view(2, 2, 6))


def test_a_picture_is_read_row_by_row() -> None:
    stem = build_stem(DataSpec((Field("image", "image", (2, 3, 4)),), TARGET), LSTMOptions())
    pixels = torch.randint(0, 256, (5, 2, 3, 4), dtype=torch.uint8)
    values = stem({"image": pixels}).values
    assert stem.out == Shape("sequence", (3, 8))
    for row in range(3):
        assert torch.equal(values[:, row], pixels[:, :, row].flatten(1).float())


def test_a_sound_is_read_frame_by_frame() -> None:
    spectrogram = Spectrogram(sample_rate=800, window=64, hop=32, n_mels=4)
    field = Field(
        "sound", "sound", (320,), mean=(1.0,) * 4, std=(2.0,) * 4, spectrogram=spectrogram
    )
    spec = DataSpec((field,), TARGET)
    inputs = {"sound": torch.randint(-999, 999, (3, 320), dtype=torch.int16)}
    image = build_stem(spec, CNNOptions())
    frames = build_stem(spec, LSTMOptions())
    channels, bands, steps = image.out.sizes
    assert frames.out == Shape("sequence", (steps, bands))
    assert (channels, bands) == (1, 4)
    picture = image(inputs).values
    assert picture.shape[1:] == image.out.sizes
    assert torch.equal(frames(inputs).values, picture[:, 0].transpose(1, 2))


def test_ids_and_running_text_are_codes() -> None:
    ids = DataSpec((SHAPE, COLOUR), (Field("y", "number", (1,)),))
    stem = build_stem(ids, MatrixFactorizationOptions())
    codes = torch.tensor([[1, 2], [4, 0]], dtype=torch.uint8)
    assert stem.out == Shape("ids", (5, 4))
    assert torch.equal(stem({"categories": codes}).values, codes.long())
    text = Field("text", "tokens", size=9, embedding_size=4)
    stream = build_stem(DataSpec((text,), (text,), WINDOW), LSTMOptions())
    tokens = torch.randint(1, 9, (2, 4))
    assert stream.out == Shape("sequence", (4, 4), is_causal=True)
    assert torch.equal(stream({"text": tokens}).values, stream.embedding.weight[tokens])


LENGTHS = torch.tensor([4, 1, 3])


@pytest.mark.parametrize("pooling", ["mean", "max", "last", "ends", "attention"])
def test_pooling_sees_no_padding(pooling: str) -> None:
    torch.manual_seed(0)
    pool = Pool(Shape("sequence", (4, 6), varies=True, pooling=pooling))
    values = torch.randn(3, 4, 6)
    found = pool(Features(values, LENGTHS))
    for row, length in enumerate(LENGTHS.tolist()):
        alone = pool(Features(values[row : row + 1, :length]))
        torch.testing.assert_close(found[row : row + 1], alone)
    assert found.shape == (3, pool.width)


def test_pooling_is_what_its_name_says() -> None:
    values = torch.randn(2, 5, 4)
    references = {
        "mean": values.mean(1),
        "max": values.amax(1),
        "last": values[:, -1],
        "ends": torch.cat([values[:, -1, :2], values[:, 0, 2:]], 1),
        "flatten": values.flatten(1),
    }
    for pooling, expected in references.items():
        pool = Pool(Shape("sequence", (5, 4), pooling=pooling))
        assert torch.equal(pool(Features(values)), expected)
        assert pool.width == expected.shape[1]
    picture = torch.randn(2, 3, 4, 5)
    for pooling, expected in (("mean", picture.mean((2, 3))), ("max", picture.amax((2, 3)))):
        pool = Pool(Shape("image", (3, 4, 5), pooling=pooling))
        torch.testing.assert_close(pool(Features(picture)), expected)
