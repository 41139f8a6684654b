"""What the options of pictures do, seen through examples of an epoch."""

from __future__ import annotations

import pytest
import torch

from dlcli.data.augment.draws import whole
from tests.data.augment.cases import CLASSES, NUMBER, PICTURE, ROWS, pictures

ALL = torch.arange(ROWS)


def varied(**options: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the pictures of a part as stored, and as an epoch has them."""
    train = pictures(**options)
    return train.examples.take(ALL).inputs["x"], train.for_epoch(0, 0).take(ALL).inputs["x"]


def rows_changed(stored: torch.Tensor, found: torch.Tensor) -> float:
    return float((stored != found).flatten(1).any(1).float().mean())


@pytest.mark.parametrize(("name", "side"), [("horizontal_flip", 3), ("vertical_flip", 2)])
def test_a_certain_flip_is_a_flip(name, side):
    stored, found = varied(**{name: 1.0})
    assert torch.equal(found, stored.flip(side))
    assert found.dtype == torch.uint8


@pytest.mark.parametrize("name", ["horizontal_flip", "vertical_flip", "erase"])
def test_a_probability_is_the_share_of_pictures(name):
    train = pictures(rows=10_000, **{name: 0.3})
    stored, found = (one.take(torch.arange(10_000)) for one in (train, train.for_epoch(0, 0)))
    assert rows_changed(stored.inputs["x"], found.inputs["x"]) == pytest.approx(0.3, abs=0.015)


def test_a_crop_shifts_each_way_alike():
    train = pictures(rows=2000, crop=1)
    train.examples.inputs["x"].fill_(255)
    found = train.for_epoch(0, 0).take(torch.arange(2000)).inputs["x"][:, 0]
    shares = [(side == 0).all(1).float().mean() for side in
              (found[:, 0], found[:, -1], found[:, :, 0], found[:, :, -1])]  # fmt: skip
    assert all(float(share) == pytest.approx(1 / 3, abs=0.04) for share in shares)


@pytest.mark.parametrize(
    "options",
    [{"rotation": 20.0}, {"scale": 0.2}, {"shear": 10.0}, {"brightness": 0.3}, {"contrast": 0.3},
     {"saturation": 0.3}, {"crop": 2}, {"mixup": 1.0}, {"cutmix": 1.0}],
    ids=lambda options: next(iter(options)),
)  # fmt: skip
def test_every_option_changes_most_pictures_within_their_range(options):
    stored, found = varied(**options)
    assert found.shape == stored.shape
    assert rows_changed(stored.to(found.dtype), found) > 0.5
    assert found.min() >= 0
    assert found.max() <= 255


def test_an_erased_rectangle_has_the_mean_colour_and_at_most_the_size():
    stored, found = varied(erase=1.0, erase_size=0.5)
    changed = (stored != found).any(1)
    assert set(found.permute(0, 2, 3, 1)[changed].flatten(0, -2).unique(dim=0)[0].tolist()) == {
        100, 120, 140,
    }  # fmt: skip
    assert changed.any(2).sum(1).max() <= 0.5 * PICTURE.shape[1]
    assert changed.any(1).sum(1).max() <= 0.5 * PICTURE.shape[2]


@pytest.mark.parametrize(
    "options", [{"mixup": 0.5}, {"cutmix": 0.5}, {"mixup": 0.5, "cutmix": 1.0}]
)
def test_mixed_targets_are_shares_of_classes(options):
    train = pictures(**options)
    targets = train.for_epoch(0, 0).take(ALL).targets
    assert targets.shape == (ROWS, CLASSES)
    torch.testing.assert_close(targets.sum(1), torch.ones(ROWS))
    assert targets.min() >= 0
    assert ((targets > 0).sum(1) <= 2).all()


@pytest.mark.parametrize(
    "options", [{"mixup": 1.0}, {"cutmix": 1.0}, {"mixup": 0.3, "cutmix": 3.0}]
)
def test_the_share_of_a_target_is_that_of_the_pixels(options):
    """Pictures whose every value is their target: the mean of a mixed one is its target."""
    train = pictures(NUMBER, **options)
    values = torch.arange(ROWS, dtype=torch.float32)
    train.examples.inputs["x"].copy_(values.view(-1, 1, 1, 1))
    train.examples.targets.copy_(values)
    batch = train.for_epoch(0, 0).take(ALL)
    torch.testing.assert_close(batch.inputs["x"].mean((1, 2, 3)), batch.targets)
    assert (batch.targets != values).float().mean() > 0.5


def test_a_cut_pastes_one_rectangle_of_a_partner():
    train = pictures(NUMBER, cutmix=1.0)
    values = torch.arange(ROWS, dtype=torch.float32)
    train.examples.inputs["x"].copy_(values.view(-1, 1, 1, 1))
    found = train.for_epoch(0, 0).take(ALL).inputs["x"][:, 0]
    pasted = found != values.view(-1, 1, 1)
    for row in range(ROWS):
        height, width = pasted[row].any(1).sum(), pasted[row].any(0).sum()
        assert pasted[row].sum() == height * width
        assert len(found[row].unique()) <= 2


def test_both_ways_of_mixing_are_taken_half_of_the_time():
    train = pictures(NUMBER, rows=4000, mixup=1.0, cutmix=1.0)
    values = torch.arange(4000) % 2 * 255.0
    train.examples.inputs["x"].copy_(values.view(-1, 1, 1, 1))
    found = train.for_epoch(0, 0).take(torch.arange(4000)).inputs["x"]
    is_blended = ((found > 0) & (found < 255)).flatten(1).any(1)  # half of the partners are alike
    assert float(is_blended.float().mean()) == pytest.approx(0.25, abs=0.03)


def test_a_partner_is_varied_as_its_own_row_is():
    options = {"crop": 2, "horizontal_flip": 0.5}
    alone = pictures(**options).for_epoch(0, 0).take(ALL).inputs["x"].float()
    epoch = pictures(mixup=1.0, **options).for_epoch(0, 0)
    assert epoch.draws is not None
    partners = whole(epoch.draws["partner"], ROWS)
    expected = torch.lerp(alone[partners], alone, epoch.draws["mixup"].view(-1, 1, 1, 1))
    torch.testing.assert_close(epoch.take(ALL).inputs["x"], expected)


def test_targets_with_several_numbers_are_mixed_alike():
    train = pictures(NUMBER, mixup=1.0)
    single = train.for_epoch(0, 0).take(ALL).targets
    two = torch.stack([train.targets, 2 * train.targets], 1)
    object.__setattr__(train.examples, "targets", two)
    found = train.for_epoch(0, 0).take(ALL).targets
    torch.testing.assert_close(found, torch.stack([single, 2 * single], 1))
