"""What the options of sounds do, seen through examples of an epoch."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from dlcli.data.augment.sounds import louder, shifted
from dlcli.data.logmel import mask_of
from dlcli.data.spec import mask_name
from dlcli.models import blocks
from dlcli.models.blocks import Sound
from tests.data.augment.cases import ROWS, SOUND, sounds

ALL = torch.arange(ROWS)


def varied(**options: float) -> tuple[Tensor, Tensor]:
    train = sounds(**options)
    return train.examples.take(ALL).inputs["x"], train.for_epoch(0, 0).take(ALL).inputs["x"]


def test_shift_is_a_roll_with_silence_for_what_came_round():
    stored, _ = varied(gain=1.0)
    later = (ALL - 20) * 7
    found = shifted(stored, later)
    assert found.dtype == torch.int16
    for row, samples in enumerate(later.tolist()):
        expected = stored[row].roll(samples)
        expected[slice(0, samples) if samples >= 0 else slice(samples, None)] = 0
        assert torch.equal(found[row], expected)


def test_shifts_go_either_way_up_to_their_share():
    train = sounds(shift=0.25)
    train.examples.inputs["x"].fill_(1)
    found = train.for_epoch(0, 0).take(ALL).inputs["x"]
    silent = (found == 0).sum(1)
    assert 100 < int(silent.max()) <= 200
    is_later = found[:, 0] == 0
    assert 0.2 < float(is_later.float().mean()) < 0.8


def test_six_decibels_are_twice_as_loud():
    found = louder(torch.ones(3, 4), torch.tensor([20 * torch.log10(torch.tensor(2.0)), 0, -20]))
    torch.testing.assert_close(found[:, 0], torch.tensor([2.0, 1.0, 0.1]))


def test_gain_keeps_to_its_decibels():
    stored, found = varied(gain=6.0)
    decibels = 20 * (found.norm(dim=1) / stored.float().norm(dim=1)).log10()
    assert decibels.abs().max() <= 6.001
    assert decibels.std() > 2


def test_noise_is_white_and_in_proportion():
    stored, found = varied(noise=0.5)
    noise = found - stored
    shares = noise.std(1) / stored.float().std(1)
    assert shares.max() <= 0.55
    assert shares.mean() == pytest.approx(0.25, abs=0.08)
    scaled = noise / noise.std(1, keepdim=True)
    neighbours = (scaled[:, 1:] * scaled[:, :-1]).mean(1)
    assert neighbours.abs().max() < 5 / SOUND.shape[0] ** 0.5
    others = scaled @ scaled.T / SOUND.shape[0] - torch.eye(ROWS)
    assert others.abs().max() < 6 / SOUND.shape[0] ** 0.5


def test_silence_stays_silent():
    train = sounds(noise=0.5, gain=6.0, shift=0.5)
    train.examples.inputs["x"].zero_()
    assert not train.for_epoch(0, 0).take(ALL).inputs["x"].any()


def test_only_training_batches_have_masks():
    train = sounds(time_mask=3)
    epoch = train.for_epoch(0, 0)
    assert mask_name("x") in epoch.take(ALL).inputs
    assert mask_name("x") not in epoch.slice(0, 4).inputs
    assert mask_name("x") not in train.take(ALL).inputs
    assert mask_name("x") not in sounds(gain=1.0).for_epoch(0, 0).take(ALL).inputs


def test_masks_blank_up_to_so_many_frames_and_bands():
    masks = sounds(rows=2000, time_mask=3, frequency_mask=5).for_epoch(0, 0).take(
        torch.arange(2000)
    ).inputs[mask_name("x")]  # fmt: skip
    first_frame, frames, first_band, bands = masks.unbind(1)
    assert torch.bincount(frames).tolist() == pytest.approx([500] * 4, rel=0.15)
    assert torch.bincount(bands).tolist() == pytest.approx([2000 / 6] * 6, rel=0.2)
    assert int((first_frame + frames).max()) == 11
    assert int((first_band + bands).max()) == 16


def test_a_mask_of_nothing_blanks_nothing():
    assert not mask_of(torch.zeros(2, 4, dtype=torch.int64), bands=3, frames=5).any()


class StandIn(nn.Module):
    """Ones in place of a spectrogram."""

    def __init__(self, spectrogram: object) -> None:
        del spectrogram
        super().__init__()

    def frames(self, samples: int) -> int:
        return 1 + samples // 80

    def forward(self, samples: Tensor) -> Tensor:
        return torch.ones(len(samples), 16, 11)


def test_the_model_blanks_what_the_masks_say(monkeypatch):
    monkeypatch.setattr(blocks, "LogMel", StandIn)
    block = Sound(SOUND)
    samples = torch.zeros(2, 800, dtype=torch.int16)
    masks = torch.tensor([[2, 3, 0, 0], [0, 0, 4, 2]])
    found = block(samples, {"x": samples, mask_name("x"): masks})
    expected = torch.ones(2, 1, 16, 11)
    expected[0, :, :, 2:5] = 0
    expected[1, :, 4:6] = 0
    assert torch.equal(found, expected)
    assert block(samples, {"x": samples}).all()
    assert block(samples).all()
