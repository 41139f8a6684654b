"""Each transform against torch's own operations or torchvision's, picture by picture."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from dlcli.data.augment.transforms import (
    Move,
    Warp,
    erased,
    moved,
    recoloured,
    rectangle,
    warped,
)
from tests.data.augment.cases import drawn

STORED = (drawn(6, 3, 7, 9) * 256).to(torch.uint8)
STILL = torch.zeros(6, dtype=torch.int64)
NEVER = torch.zeros(6, dtype=torch.bool)


def rolled(picture: Tensor, down: int, right: int) -> Tensor:
    """Return a picture (C, H, W) shifted by torch.roll, black where it came round."""
    picture = picture.roll((down, right), (1, 2))
    for size, shift, lines in (
        (picture.shape[1], down, picture.transpose(0, 1)),
        (picture.shape[2], right, picture.transpose(0, 2)),
    ):
        lines[slice(0, shift) if shift >= 0 else slice(size + shift, size)] = 0
    return picture


def test_shift_is_a_roll_with_black_for_what_came_round():
    down, right = torch.tensor([0, 1, -1, 3, -3, 2]), torch.tensor([0, -2, 3, 1, -1, -3])
    found = moved(STORED, Move(down, right, NEVER, NEVER), margin=3)
    for row in range(6):
        assert torch.equal(found[row], rolled(STORED[row], int(down[row]), int(right[row])))


@pytest.mark.parametrize("margin", [0, 2])
def test_flips_are_torchs_and_twice_the_identity(margin):
    odd, third = torch.arange(6) % 2 == 1, torch.arange(6) % 3 == 1
    found = moved(STORED, Move(STILL, STILL, third, odd), margin=margin)
    for row in range(6):
        sides = [2] * bool(odd[row]) + [1] * bool(third[row])
        assert torch.equal(found[row], STORED[row].flip(sides))
    assert torch.equal(moved(found, Move(STILL, STILL, third, odd), margin=margin), STORED)


def test_a_flip_comes_before_the_shift():
    always = ~NEVER
    found = moved(STORED, Move(STILL + 1, STILL - 2, always, always), margin=2)
    for row in range(6):
        assert torch.equal(found[row], rolled(STORED[row].flip(1, 2), 1, -2))


@pytest.mark.parametrize("margin", [0, 3])
def test_no_move_is_the_identity(margin):
    assert torch.equal(moved(STORED, Move(STILL, STILL, NEVER, NEVER), margin=margin), STORED)


def test_a_warp_is_torchvisions_affine():
    functional = pytest.importorskip("torchvision.transforms.v2.functional")
    degrees = torch.tensor([0.0, 10.0, -25.0, 90.0, 180.0, 3.0])
    zoom = torch.tensor([1.0, 1.1, 0.8, 1.0, 1.3, 0.9])
    shear = torch.tensor([0.0, 0.0, 12.0, -20.0, 5.0, -40.0])
    down, right = torch.tensor([0, 1, -1, 3, 0, 2]), torch.tensor([0, -2, 3, 0, -1, -3])
    found = warped(STORED, Move(down, right, NEVER, NEVER), Warp(degrees, zoom, shear))
    for row in range(6):
        expected = functional.affine(
            STORED[row].float(),
            angle=float(degrees[row]),
            translate=[float(right[row]), float(down[row])],
            scale=float(zoom[row]),
            shear=[float(shear[row]), 0.0],
            interpolation=functional.InterpolationMode.BILINEAR,
        )
        torch.testing.assert_close(found[row], expected, rtol=1e-4, atol=0.02)


def test_a_warp_that_only_moves_agrees_with_the_move():
    move = Move(torch.tensor([0, 1, -1, 3, -3, 2]), STILL - 1, STILL < 1, torch.arange(6) < 3)
    still = Warp(torch.zeros(6), torch.ones(6), torch.zeros(6))
    expected = moved(STORED, move, margin=3).float()
    torch.testing.assert_close(warped(STORED, move, still), expected, rtol=1e-4, atol=0.02)


@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation"])
@pytest.mark.parametrize("channels", [1, 3])
def test_colours_are_torchvisions(name, channels):
    functional = pytest.importorskip("torchvision.transforms.v2.functional")
    stored = STORED[:, :channels].float()
    factors = torch.tensor([1.0, 0.0, 0.5, 0.9, 1.2, 1.9])
    found = recoloured(stored, **{name: factors})
    for row in range(6):
        scaled = getattr(functional, f"adjust_{name}")(stored[row] / 255, float(factors[row]))
        torch.testing.assert_close(found[row], scaled * 255, rtol=1e-4, atol=0.02)


def test_a_rectangle_is_filled_and_nothing_else():
    tops, lefts = torch.tensor([0, 1, 2, 3, -2, 5]), torch.tensor([0, 4, 1, 7, 1, -3])
    heights, widths = torch.tensor([7, 2, 0, 1, 3, 9]), torch.tensor([9, 3, 4, 2, 2, 4])
    where = rectangle(STORED, tops, lefts, heights, widths)
    found = erased(STORED, where, (10.4, 20.6, 30.0))
    assert found.dtype == torch.uint8
    for row in range(6):
        expected = STORED[row].clone()
        top, left = int(tops[row]), int(lefts[row])
        down = slice(max(0, top), max(0, top + int(heights[row])))
        right = slice(max(0, left), max(0, left + int(widths[row])))
        for channel, value in enumerate((10, 21, 30)):
            expected[channel, down, right] = value
        assert torch.equal(found[row], expected)
