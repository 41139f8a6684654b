"""`data` of pictures: their size, colours and files; reads none."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from dlcli.config.data.augment import PictureAugmentOptions
from dlcli.config.data.base import RecordOptions
from dlcli.config.data.table import TableOptions
from dlcli.config.options import DataPath, Options, PositiveFloat

Side = Annotated[int, Field(ge=1, le=2**14)]
Size = Side | Annotated[list[Side], Field(min_length=2, max_length=2)]
PICTURE_FORMS = frozenset({"vector", "image", "sequence"})


class NormalizeOptions(Options):
    """Figures for the channels of a picture whose values go from 0 to 1."""

    mean: Annotated[list[float], Field(min_length=1, max_length=4)] = Field(
        description="Subtracted from each channel; ImageNet's: `[0.485, 0.456, 0.406]`."
    )
    std: Annotated[list[PositiveFloat], Field(min_length=1, max_length=4)] = Field(
        description="What each channel is divided by; ImageNet's: `[0.229, 0.224, 0.225]`."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(self.mean) != len(self.std):
            raise ValueError(f"`mean` has {len(self.mean)} channels and `std` {len(self.std)}")
        return self


class PictureOptions(RecordOptions):
    """What every kind of data whose input is a picture has."""

    forms = PICTURE_FORMS  # type: ignore[assignment]

    normalize: NormalizeOptions | None = Field(
        None, description="Given figures; null takes those of the training part."
    )
    augment: PictureAugmentOptions | None = Field(
        None, description="How training pictures are varied; null leaves them as they are."
    )

    @model_validator(mode="after")
    def _no_columns(self) -> Self:
        for key in ("column", "group"):
            if getattr(self.split, key) is not None:
                raise ValueError(f"`split.{key}` names a column, and these pictures have none")
        return self


class PictureFileOptions(Options):
    """How a picture file becomes pixels; kept for prediction."""

    size: Size | None = Field(
        None,
        description="Side of a square, or `[height, width]`; null keeps pictures that are all of "
        "one size.",
    )
    resize: Literal["crop", "pad", "stretch"] = Field(
        "crop",
        description="To another shape: cut the longer side, fill the shorter one with black, or "
        "stretch.",
    )
    mode: Literal["auto", "grey", "rgb"] = Field(
        "auto", description="Colours; `auto` is grey where every training picture is."
    )


class ImageFolderOptions(PictureOptions):
    """Pictures in a folder per class: `CLASS/*.jpg`."""

    name: Literal["image_folder"] = "image_folder"
    builds: ClassVar[str] = "dlcli.data.sources.image_folder:open_image_folder"

    path: DataPath = Field(description="Folder that holds a folder for each class.")
    val_path: DataPath | None = Field(
        None, description="Such a folder with validation pictures; null draws them from `path`."
    )
    test_path: DataPath | None = Field(
        None, description="Such a folder with test pictures; null draws them from `path`."
    )
    pictures: PictureFileOptions = Field(
        PictureFileOptions(), description="How a file becomes pixels."
    )
    broken: Literal["refuse", "skip"] = Field(
        "refuse", description="What to do with files that hold no picture."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.split.folds is not None and self.test_path is not None:
            raise ValueError("`split.folds` draws the test parts, so `test_path` cannot be given")
        return self


class ImagesOptions(TableOptions):
    """A table with a column of picture files."""

    forms = PICTURE_FORMS  # type: ignore[assignment]

    name: Literal["images"] = "images"  # type: ignore[assignment]
    builds: ClassVar[str] = "dlcli.data.sources.images:open_images"

    image: str = Field("image", description="Column of paths, relative to the table or `root`.")
    root: DataPath | None = Field(
        None, description="Folder that the paths start from; null is the table's own."
    )
    pictures: PictureFileOptions = Field(
        PictureFileOptions(), description="How a file becomes pixels."
    )
    broken: Literal["refuse", "skip"] = Field(
        "refuse", description="What to do with files that hold no picture."
    )
    normalize: NormalizeOptions | None = Field(
        None, description="Given figures; null takes those of the training part."
    )
    augment: PictureAugmentOptions | None = Field(
        None, description="How training pictures are varied; null leaves them as they are."
    )
