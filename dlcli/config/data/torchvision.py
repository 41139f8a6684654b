"""`data` of the picture sets that torchvision knows; reads no file."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from dlcli.config.data.base import ShareOrRows
from dlcli.config.data.image import PictureOptions
from dlcli.config.options import DataPath


class TorchvisionOptions(PictureOptions):
    """A picture set with a train and a test part of its own; val is drawn from train."""

    builds: ClassVar[str] = "dlcli.data.sources.torchvision:open_torchvision"

    path: DataPath = Field(
        "data", description="Folder that holds the set's files, or the set's own folder in it."
    )
    download: bool = Field(False, description="Fetch the files where they are missing.")
    rows: ShareOrRows | None = Field(
        None, description="Take only so many of the training rows, the first ones; null takes all."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.split.folds is not None:
            raise ValueError("this set has a test part of its own: `split.folds` draws no other")
        return self


class MNISTOptions(TorchvisionOptions):
    """70,000 handwritten digits, grey, 28 x 28."""

    name: Literal["mnist"] = "mnist"


class FashionMNISTOptions(TorchvisionOptions):
    """70,000 pictures of clothes in 10 classes, grey, 28 x 28."""

    name: Literal["fashion_mnist"] = "fashion_mnist"


class KMNISTOptions(TorchvisionOptions):
    """70,000 handwritten Japanese letters in 10 classes, grey, 28 x 28."""

    name: Literal["kmnist"] = "kmnist"


class QMNISTOptions(TorchvisionOptions):
    """120,000 handwritten digits, grey, 28 x 28: MNIST with its whole test part."""

    name: Literal["qmnist"] = "qmnist"


class EMNISTOptions(TorchvisionOptions):
    """Up to 814,255 handwritten letters and digits, grey, 28 x 28."""

    name: Literal["emnist"] = "emnist"
    variant: Literal["byclass", "bymerge", "balanced", "letters", "digits", "mnist"] = Field(
        "balanced", description="Which classes: torchvision calls it `split`."
    )


class USPSOptions(TorchvisionOptions):
    """9,298 handwritten digits from letters, grey, 16 x 16."""

    name: Literal["usps"] = "usps"


class CIFAR10Options(TorchvisionOptions):
    """60,000 colour pictures of animals and vehicles in 10 classes, 32 x 32."""

    name: Literal["cifar10"] = "cifar10"


class CIFAR100Options(TorchvisionOptions):
    """60,000 colour pictures in 100 classes, 32 x 32."""

    name: Literal["cifar100"] = "cifar100"


class SVHNOptions(TorchvisionOptions):
    """99,289 digits from house numbers in colour, 32 x 32."""

    name: Literal["svhn"] = "svhn"


class STL10Options(TorchvisionOptions):
    """13,000 labelled colour pictures of animals and vehicles in 10 classes, 96 x 96."""

    name: Literal["stl10"] = "stl10"
