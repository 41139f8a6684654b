"""One picture file as pixels, by one rule for training and prediction; knows no data set.

Pillow is imported when the first picture is decoded.
"""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

ENDINGS = frozenset(
    {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
)
"""How the names of picture files end, in small letters."""

Resize = Literal["crop", "pad", "stretch"]


class PictureError(ValueError):
    """Bytes that hold no picture; the message says why, to follow the file's name."""


def find_files(folder: Path, endings: frozenset[str]) -> tuple[list[Path], list[Path]]:
    """Return the files below a folder whose names end so, and the others; each sorted, none hidden.

    Args:
        folder: Where to look, with the folders in it.
        endings: In small letters, with their point.
    """
    found: list[tuple[str, ...]] = []
    others: list[tuple[str, ...]] = []
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not is_hidden(name)]
        above = Path(place).parts
        for name in names:
            if not is_hidden(name):
                is_wanted = PurePath(name).suffix.lower() in endings
                (found if is_wanted else others).append((*above, name))
    # as texts: paths take several times as long to sort
    return [Path(*parts) for parts in sorted(found)], [Path(*parts) for parts in sorted(others)]


def is_hidden(name: str) -> bool:
    """Say whether a file or folder is none of the user's."""
    return name.startswith(".") or name in {"__MACOSX", "Thumbs.db"}


def decoded(data: bytes, size: tuple[int, int] | None, resize: Resize) -> np.ndarray:
    """Return a picture's pixels (C, H, W) uint8; C is 1 where the file is grey, else 3.

    It is turned as its EXIF note says, what is transparent is white, and of 16 bits the upper 8
    are kept. Of several pages the first is taken.

    Args:
        data: A picture file.
        size: (H, W) to bring it to; None leaves it as it is.
        resize: How, where its shape is another: see `PictureFileOptions`.

    Raises:
        PictureError: The bytes hold no picture, or only a part of one.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(BytesIO(data)) as image:
            if size is not None:  # a JPEG file can be decoded at 1/2, 1/4, 1/8 of its size
                image.draft(None, (2 * max(size), 2 * max(size)))
            image.load()
            ImageOps.exif_transpose(image, in_place=True)
            plain = _plain(image)
    except (PictureError, MemoryError):
        raise
    except Exception as error:  # Pillow's decoders raise nearly anything on damaged bytes
        raise PictureError(_reason(error)) from error
    if size is not None and (plain.height, plain.width) != size:
        plain = _resized(plain, size, resize)
    pixels = np.asarray(plain)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def with_channels(pixels: np.ndarray, channels: int) -> np.ndarray:
    """Return pixels (N, C, H, W) with so many channels: grey from colours, or three equal ones."""
    if pixels.shape[1] == channels:
        return pixels
    if channels != 1:
        return np.repeat(pixels, channels, axis=1)
    red, green, blue = (pixels[:, [channel]].astype(np.uint32) for channel in range(3))
    # ITU-R 601, in Pillow's integers: exact where all three are equal
    return ((19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16).astype(np.uint8)


def _reason(error: Exception) -> str:
    if type(error).__name__ == "UnidentifiedImageError":
        return "is no picture"
    return f"is damaged ({str(error).rstrip('.') or type(error).__name__})"


def _plain(image: Image.Image) -> Image.Image:
    """Return the picture in mode L or RGB."""
    mode = image.mode
    if mode in {"L", "RGB"} and "transparency" not in image.info:
        return image
    if mode == "1":
        return image.convert("L")
    if mode.startswith(("I", "F")):
        return _eight_bits(image)
    if mode in {"LA", "La", "PA", "RGBA", "RGBa"} or "transparency" in image.info:
        return _on_white(image)
    return image.convert("RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    """Return a picture of 16 bits as one of 8."""
    from PIL import Image

    values = np.asarray(image)
    if values.dtype.kind == "f" or values.min() < 0 or values.max() > 0xFFFF:
        raise PictureError("has pixels of neither 8 nor 16 bits: convert it to one of them")
    return Image.fromarray((values >> 8).astype(np.uint8))


def _on_white(image: Image.Image) -> Image.Image:
    from PIL import Image

    is_grey = image.mode in {"L", "LA", "La"}
    layers = image.convert("RGBA")
    flat = Image.alpha_composite(Image.new("RGBA", image.size, "white"), layers)
    return flat.convert("L" if is_grey else "RGB")


def _resized(image: Image.Image, size: tuple[int, int], resize: Resize) -> Image.Image:
    """Return the picture at (H, W): bilinear, over all pixels that go into one."""
    from PIL import Image, ImageOps

    width_height, method = size[::-1], Image.Resampling.BILINEAR
    if resize == "stretch":
        return image.resize(width_height, method)
    if resize == "pad":
        return ImageOps.pad(image, width_height, method, color=0)
    return ImageOps.fit(image, width_height, method)
