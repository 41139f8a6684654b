"""Classification models of torchvision, which is imported only with this module."""

from __future__ import annotations

import struct
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from dlcli.config.model import TorchvisionModelOptions
from dlcli.config.names import nearest
from dlcli.data.sources.files import find_files
from dlcli.errors import ConfigError, DataError, MachineError
from dlcli.models.features import Features, Shape
from dlcli.models.normalization import BatchNorm

try:
    import torchvision  # type: ignore[import-untyped]
except (ImportError, RuntimeError) as missing:  # of another build than torch
    raise MachineError(
        f"torchvision does not go with this torch: {missing}",
        suggestion="install both from the same place",
    ) from missing

_WEIGHTS = ("model", "weights")
_NO_WEIGHTS = (
    UnpicklingError,
    RuntimeError,
    EOFError,
    LookupError,
    ValueError,
    TypeError,
    AssertionError,
    struct.error,
)
"""What `torch.load` raises for a file that is none of its own."""
_OWN: dict[str, dict[str, Any]] = {
    name: {"aux_logits": False, "init_weights": True} for name in ("googlenet", "inception_v3")
}
"""What these are built with: one output, and no warning about weights yet to be drawn."""


class TorchvisionModel(nn.Module):
    """A model without its last linear layer, whose place the head takes.

    Raises:
        ConfigError: There is no such model, or it does not take pictures of this size.
    """

    def __init__(self, options: TorchvisionModelOptions, shape: Shape) -> None:
        super().__init__()
        self.options = options
        self.model = _build(options.architecture, shape)
        self.first = _widen(self.model, shape.sizes[0])
        self.classifier = _cut(self.model)
        _take_lone_rows(self.model)
        self.out = Shape("vector", (self._width(shape),))

    def forward(self, features: Features) -> Features:
        """Values (N, C, H, W) -> (N, F)."""
        return Features(self.model(features.values))

    def begin(self, folder: Path) -> list[str]:
        """Load the weights to begin with, where there are any.

        Args:
            folder: What the path is relative to.

        Returns:
            What was loaded, and what of the file has no place here.

        Raises:
            ConfigError: The file is of another architecture.
            DataError: There is no such file, or it holds more than tensors.
        """
        if self.options.weights is None:
            return []
        (path,) = find_files(self.options.weights, folder, _WEIGHTS)
        given, own = _read(path), self.model.state_dict()
        first = f"{self.first}.weight"
        if first in given and own[first].shape[1] == 1 and given[first].dim() == 4:
            given[first] = given[first].sum(1, keepdim=True)  # grey: all three channels are alike
        left = sorted(given.keys() - own.keys())
        if misfits := self._misfits(given, own, left):
            more = f" (and {len(misfits) - 1} more)" if len(misfits) > 1 else ""
            raise ConfigError(
                f"{path.name} does not fit `{self.options.architecture}`: {misfits[0]}{more}",
                path=_WEIGHTS,
            )
        self.model.load_state_dict({**own, **{name: given[name] for name in given if name in own}})
        said = f"weights: {len(own)} tensors of {path.name}"
        return [f"{said}; left out: {', '.join(left)} (the head is trained anew)" if left else said]

    def _misfits(
        self, given: dict[str, Tensor], own: dict[str, Tensor], left: list[str]
    ) -> list[str]:
        """Say what is missing, of another shape, or neither a place nor a classifier's."""
        found = []
        for name, tensor in own.items():
            if name not in given and not name.endswith("num_batches_tracked"):
                found.append(f"`{name}` is missing")
            elif name in given and given[name].shape != tensor.shape:
                found.append(f"`{name}` is {_sizes(given[name])}, not {_sizes(tensor)}")
        heads = (f"{self.classifier}.", "aux", "AuxLogits")
        return found + [f"`{name}` has no place" for name in left if not name.startswith(heads)]

    def _width(self, shape: Shape) -> int:
        """Return how many features there are, by a look at an empty picture."""
        self.model.eval()
        try:
            with torch.no_grad():
                return int(self.model(torch.zeros(1, *shape.sizes)).shape[1])
        except (RuntimeError, AssertionError, ValueError) as error:
            raise _wrong_size(self.options.architecture, shape, error) from error
        finally:
            self.model.train()


def _build(name: str, shape: Shape) -> nn.Module:
    names = torchvision.models.list_models(module=torchvision.models)
    if name not in names:
        near = nearest(name, names)
        raise ConfigError(
            f"torchvision has no classification model `{name}`",
            path=("model", "architecture"),
            suggestion=f"did you mean `{near}`?" if near else f"one of {', '.join(names)}",
        )
    own = _OWN.get(name, {})
    if name.startswith("vit_"):  # its positions are those of one size of pictures
        own = {"image_size": shape.sizes[1]}
    try:
        model: nn.Module = torchvision.models.get_model(name, weights=None, **own)
    except (AssertionError, ValueError) as error:
        raise _wrong_size(name, shape, error) from error
    return model


def _wrong_size(name: str, shape: Shape, error: Exception) -> ConfigError:
    _, height, width = shape.sizes
    return ConfigError(
        f"`{name}` does not take pictures of {height} x {width} pixels: "
        f"{str(error).splitlines()[0]}",
        path=("model", "architecture"),
        suggestion="another `size` in `data`, most often a larger one, or another architecture",
    )


def _widen(model: nn.Module, channels: int) -> str:
    """Let the first convolution take so many channels, and return its name."""
    name: str
    name, first = next((n, m) for n, m in model.named_modules() if isinstance(m, nn.Conv2d))
    if first.in_channels != channels:
        wider = nn.Conv2d(
            channels,
            first.out_channels,
            first.kernel_size,  # type: ignore[arg-type]
            first.stride,  # type: ignore[arg-type]
            first.padding,  # type: ignore[arg-type]
            bias=first.bias is not None,
        )
        model.set_submodule(name, wider)
    return name


def _cut(model: nn.Module) -> str:
    """Take the last linear layer out, and return its name; a model without any stays whole."""
    names: list[str] = [n for n, module in model.named_modules() if isinstance(module, nn.Linear)]
    if not names:
        return "classifier"
    model.set_submodule(names[-1], nn.Identity())
    return names[-1]


def _take_lone_rows(model: nn.Module) -> None:
    """Put batch norms in place that take a lone row too."""
    for name, norm in list(model.named_modules()):
        if isinstance(norm, nn.BatchNorm2d):
            own = BatchNorm(norm.num_features, eps=norm.eps, momentum=norm.momentum)
            own.load_state_dict(norm.state_dict())
            model.set_submodule(name, own)


def _read(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise MachineError(f"cannot read {path}: {error.strerror}") from error
    except (SafetensorError, *_NO_WEIGHTS) as error:
        raise DataError(
            f"{path.name} is damaged, or holds something else than named tensors",
            path=_WEIGHTS,
            suggestion="save `model.state_dict()`",
        ) from error
    if not isinstance(loaded, dict) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in loaded.items()
    ):
        raise DataError(
            f"{path.name} holds something else than named tensors",
            path=_WEIGHTS,
            suggestion="save `model.state_dict()`",
        )
    return dict(loaded)


def _sizes(tensor: Tensor) -> str:
    return " x ".join(map(str, tensor.shape)) or "one number"
