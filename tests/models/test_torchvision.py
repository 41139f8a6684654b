"""What is special to torchvision's models: their ends, and weights to begin with."""

from __future__ import annotations

from pathlib import Path

import pytest
import safetensors.torch
import torch
import torchvision
from torch import nn

from dlcli.config.model import TorchvisionModelOptions
from dlcli.errors import ConfigError, DataError
from dlcli.models.features import Features, Shape
from dlcli.models.normalization import BatchNorm
from dlcli.models.torchvision import TorchvisionModel

SMALL = "shufflenet_v2_x0_5"
COLOUR = Shape("image", (3, 16, 16))


def body(shape: Shape = COLOUR, **options: str) -> TorchvisionModel:
    return TorchvisionModel(TorchvisionModelOptions(**{"architecture": SMALL, **options}), shape)


def reference() -> nn.Module:
    torch.manual_seed(1)
    return torchvision.models.get_model(SMALL, weights=None)


@pytest.mark.parametrize(
    ("name", "shape", "width"),
    [
        ("resnet18", (1, 8, 8), 512),
        ("squeezenet1_1", (2, 20, 20), 1000),
        ("mobilenet_v3_small", (3, 16, 12), 1024),
        pytest.param("googlenet", (1, 32, 32), 1024, marks=pytest.mark.slow),
        pytest.param("vit_b_32", (1, 64, 64), 768, marks=pytest.mark.slow),
        pytest.param("swin_t", (3, 32, 32), 768, marks=pytest.mark.slow),
    ],
)
def test_first_and_last_layer_are_those_of_the_data(name, shape, width) -> None:
    built = body(Shape("image", shape), architecture=name)
    assert built.out == Shape("vector", (width,))
    assert built(Features(torch.randn(1, *shape))).values.shape == (1, width)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in built.modules())


@pytest.mark.slow
@pytest.mark.parametrize("name", torchvision.models.list_models(module=torchvision.models))
def test_every_model_takes_pictures_of_two_channels(name: str) -> None:
    try:
        built = body(Shape("image", (2, 224, 224)), architecture=name)
    except RuntimeError as error:  # the largest need 3 GB
        pytest.skip(str(error))
    assert built.out.width > 100


@pytest.mark.parametrize("ending", [".pth", ".safetensors"])
def test_weights_from_a_file_give_what_the_model_gives(tmp_path: Path, ending: str) -> None:
    model = reference()
    state = model.state_dict()
    path = tmp_path / f"weights{ending}"
    if ending == ".pth":
        torch.save(state, path)
    else:
        safetensors.torch.save_file(state, path)
    built = body(weights=path.name).eval()
    (said,) = built.begin(tmp_path)
    assert said.endswith("left out: fc.bias, fc.weight (the head is trained anew)")
    model.fc = nn.Identity()
    pictures = torch.randn(2, 3, 16, 16)
    assert torch.equal(built(Features(pictures)).values, model.eval()(pictures))


def test_weights_of_colours_see_grey_as_equal_colours(tmp_path: Path) -> None:
    torch.save(reference().state_dict(), tmp_path / "w.pth")
    grey = body(Shape("image", (1, 16, 16)), weights="w.pth").eval()
    colour = body(weights="w.pth").eval()
    grey.begin(tmp_path)
    colour.begin(tmp_path)
    pictures = torch.randn(2, 1, 16, 16)
    expected = colour(Features(pictures.expand(-1, 3, -1, -1))).values
    torch.testing.assert_close(grey(Features(pictures)).values, expected, rtol=1e-4, atol=1e-5)


def test_without_a_file_nothing_is_loaded_nor_said(tmp_path: Path) -> None:
    assert body().begin(tmp_path) == []


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        ("other", ConfigError, f"w.pth does not fit `{SMALL}`: `conv1.0.weight` is missing"),
        ("wide", ConfigError, "`conv1.0.weight` is 24 x 9 x 3 x 3, not 24 x 3 x 3 x 3"),
        ("more", ConfigError, "`extra.weight` has no place"),
        ("data", DataError, "w.pth holds something else than named tensors"),
        ("numbered", DataError, "w.pth holds something else than named tensors"),
        ("torn", DataError, "w.pth is damaged, or holds something else"),
        (b"hello", DataError, "w.pth is damaged, or holds something else"),
        (b"", DataError, "w.pth is damaged, or holds something else"),
        (None, DataError, "no file w.pth"),
    ],
)
def test_a_file_that_does_not_fit_is_told(tmp_path: Path, content, error, message) -> None:
    path = tmp_path / "w.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content == "other":
        torch.save({"a": torch.zeros(1)}, path)
    elif content == "data":
        torch.save({"epoch": 3}, path)
    elif content == "numbered":
        torch.save({1: torch.zeros(1)}, path)
    elif content == "torn":
        torch.save({"a": torch.zeros(1)}, path, _use_new_zipfile_serialization=False)
        path.write_bytes(path.read_bytes()[:-32])
    elif content is not None:
        more = {"wide": ("conv1.0.weight", (24, 9, 3, 3)), "more": ("extra.weight", (1,))}[content]
        torch.save({**reference().state_dict(), more[0]: torch.zeros(more[1])}, path)
    with pytest.raises(error, match=message) as caught:
        body(weights="w.pth").begin(tmp_path)
    assert caught.value.faults[0].path == ("model", "weights")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet81", "torchvision has no classification model `resnet81`"),
        ("alexnet", "`alexnet` does not take pictures of 16 x 16 pixels"),
        ("vit_b_32", "`vit_b_32` does not take pictures of 16 x 16 pixels"),
    ],
)
def test_a_model_that_does_not_fit_is_told(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        body(architecture=name)
    assert caught.value.faults[0].path == ("model", "architecture")
    assert (
        "resnet" in caught.value.faults[0].suggestion or "size" in caught.value.faults[0].suggestion
    )


def test_a_batch_norm_keeps_its_own_rate() -> None:
    own = {m.momentum for m in body().modules() if isinstance(m, BatchNorm)}
    theirs = {m.momentum for m in reference().modules() if isinstance(m, nn.BatchNorm2d)}
    assert own == theirs
