"""What goes with augmentation is told before any data is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlcli.config.config import Config
from dlcli.config.data import PictureAugmentOptions, SoundAugmentOptions
from dlcli.config.loss import LossOptions
from dlcli.config.options import components
from dlcli.config.read import read_config
from dlcli.errors import ConfigError


def read(tmp_path: Path, data: str, loss: str = "cross_entropy") -> Config:
    path = tmp_path / "c.yaml"
    path.write_text(f"data: {data}\nmodel: mlp\nloss: {loss}\n")
    return read_config(path, (), {}).config


def refusal(tmp_path: Path, data: str, loss: str = "cross_entropy") -> str:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, data, loss)
    (fault,) = caught.value.faults
    assert fault.line in (1, 3)
    return fault.message


@pytest.mark.parametrize("option", ["mixup", "cutmix"])
@pytest.mark.parametrize("loss", [n for n in components(LossOptions) if n != "cross_entropy"])
def test_only_losses_that_understand_mixed_targets_mix(option, loss, tmp_path):
    data = f"{{name: digits, augment: {{{option}: 0.2}}}}"
    if "regression" in components(LossOptions)[loss].tasks:
        assert read(tmp_path, data, loss).loss.name == loss
        return
    assert refusal(tmp_path, data, loss) == (
        f"the loss `{loss}` does not understand targets that `data.augment.{option}` mixes"
    )


def test_class_weights_do_not_go_with_mixing(tmp_path):
    loss = "{name: cross_entropy, class_weights: balanced}"
    assert refusal(tmp_path, "{name: digits, augment: {mixup: 0.2}}", loss) == (
        "`class_weights` do not go with `data.augment.mixup`: a mixed row has no class of its own"
    )
    assert read(tmp_path, "{name: digits, augment: {crop: 1}}", loss)
    smooth = "{name: cross_entropy, label_smoothing: 0.1}"
    assert read(tmp_path, "{name: digits, augment: {mixup: 0.2}}", smooth)


def test_some_mel_bands_stay_unmasked(tmp_path):
    data = "{name: audio, path: ., sound: {n_mels: 8}, augment: {frequency_mask: %d}}"
    assert read(tmp_path, data % 7)
    assert refusal(tmp_path, data % 8) == (
        "`frequency_mask` is 8, and there are 8 mel bands: nothing might be left"
    )


@pytest.mark.parametrize("kind", [PictureAugmentOptions, SoundAugmentOptions])
def test_each_option_is_off_at_its_default_and_switches_augmentation_on(kind):
    assert not kind().is_on
    for name in kind.model_fields:
        value = 1 if isinstance(getattr(kind(), name), int) else 0.5
        assert kind(**{name: value}).is_on == (name != "erase_size")
