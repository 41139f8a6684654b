"""The self-test's inputs are the same everywhere, and its thresholds hold."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from dlcli.data.spec import DataSpec, Field, Window
from dlcli.errors import CheckpointError
from dlcli.selftest import compare, generated_inputs, relative_error

SPEC = DataSpec(
    inputs=(
        Field("age", "number", (2,)),
        Field("job", "category", size=3),
        Field("pixels", "image", (1, 2, 2)),
        Field("income", "number", (1,)),
        Field("city", "category", size=1000),
    ),
    targets=(Field("rich", "category", size=2),),
)


def test_each_block_has_its_shape_and_range() -> None:
    inputs = generated_inputs(SPEC, rows=500)
    assert {name: (tuple(block.shape), block.dtype) for name, block in inputs.items()} == {
        "numbers": ((500, 3), torch.float32),
        "categories": ((500, 2), torch.int64),
        "pixels": ((500, 1, 2, 2), torch.uint8),
    }
    numbers, categories, pixels = inputs.values()
    assert -2 <= numbers.min() < -1.9 < 1.9 < numbers.max() <= 2
    assert categories[:, 0].unique().tolist() == [0, 1, 2]
    assert 0 <= categories[:, 1].min() < 100 < 900 < categories[:, 1].max() < 1000
    assert pixels.min() < 10 < 245 < pixels.max()


def test_sequences_have_their_shapes_and_are_never_padding() -> None:
    fields = (
        Field("words", "tokens", (5,), size=4),
        Field("walk", "steps", (6, 3)),
        Field("voice", "sound", (7,)),
    )
    inputs = generated_inputs(DataSpec(fields, ()), rows=400)
    assert {name: (tuple(block.shape), block.dtype) for name, block in inputs.items()} == {
        "words": ((400, 5), torch.int64),
        "walk": ((400, 6, 3), torch.float32),
        "voice": ((400, 7), torch.int16),
    }
    assert inputs["words"].unique().tolist() == [1, 2, 3]
    assert (inputs["walk"][..., -1] == 1).all()
    assert inputs["walk"][..., :-1].unique().numel() > 4000
    assert inputs["voice"].min() < -32_000 < 32_000 < inputs["voice"].max()


def test_with_a_window_every_row_of_it_is_drawn() -> None:
    window = Window(past=4, horizon=2, known=("hour",), targets=(0,))
    numbers = (Field("load", "number", (1,)), Field("hour", "number", (2,)))
    inputs = generated_inputs(DataSpec((*numbers, Field("day", "category", size=7)), (), window))
    assert {name: tuple(block.shape) for name, block in inputs.items()} == {
        "numbers": (8, 4, 3),
        "categories": (8, 4, 1),
        "known": (8, 2, 2),
    }
    stream = DataSpec((Field("text", "tokens", size=9),), (), Window(past=5, horizon=5))
    assert generated_inputs(stream)["text"].shape == (8, 5)


def test_the_inputs_never_change() -> None:
    """A checkpoint that was written years ago is tested with these numbers."""
    inputs = generated_inputs(SPEC, rows=1)
    assert inputs["numbers"].tolist() == [
        [0.5478465557098389, -0.9208533763885498, -1.8361060619354248]
    ]
    assert inputs["categories"].tolist() == [[2, 971]]
    assert inputs["pixels"].flatten().tolist() == [233, 155, 186, 139]


def test_the_global_generators_are_left_alone() -> None:
    torch.manual_seed(0)
    np.random.seed(0)
    before = torch.get_rng_state(), np.random.get_state()[1].tolist()
    generated_inputs(SPEC)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.random.get_state()[1].tolist() == before[1]


def test_another_seed_gives_other_inputs() -> None:
    first, other = generated_inputs(SPEC), generated_inputs(SPEC, seed=1)
    assert not torch.equal(first["numbers"], other["numbers"])


@pytest.mark.parametrize(
    ("outputs", "expected", "error"),
    [
        ([1.0, 2.0], [1.0, 2.0], 0),
        ([1.0, 2.2], [1.0, 2.0], 0.1),
        ([1.0, -4.4], [1.0, -4.0], 0.1),
        ([1e-9, 0.0], [0.0, 0.0], 1e-7),
        ([], [], 0),
        ([1.0], [1.0, 2.0], math.inf),
        ([math.nan], [1.0], math.inf),
        ([1.0], [math.inf], math.inf),
        ([math.nan, 1.0], [None, 1.0], 0),
    ],
)
def test_the_error_is_relative_to_the_largest_output(
    outputs: list[float], expected: list[float], error: float
) -> None:
    assert relative_error(outputs, expected) == pytest.approx(error)


def test_a_small_difference_is_silent_a_larger_one_warns_a_large_one_refuses() -> None:
    assert compare([1.000005], [1.0]) == ""
    assert compare([1.001], [1.0]) == (
        "the checkpoint's self-test differs by 0.001 (relative) on this machine"
    )
    with pytest.raises(CheckpointError, match=r"self-test fails: its outputs differ by 0.02"):
        compare([1.02], [1.0])
