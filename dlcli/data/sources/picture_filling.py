"""Pictures put one by one into one array, in memory or in the cache; decodes none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Self

import numpy as np

from dlcli.config.data import PictureFileOptions
from dlcli.data.cache.choice import Use, is_held, without_cache
from dlcli.data.cache.drafts import Draft, drafted
from dlcli.data.cache.entries import Entry, Say
from dlcli.data.cache.errors import CacheError
from dlcli.data.cache.mapped import map_array
from dlcli.data.pictures import with_channels
from dlcli.data.wording import counted
from dlcli.errors import ConfigError, DataError, Fault
from dlcli.files import JSON

PIXELS = "pixels"
_BYTES_AT_ONCE = 32 << 20
_SHOWN = 10


class Filling:
    """An array that pictures are put into; it gets colours with the first coloured one.

    What memory does not hold is written to the cache instead.

    Args:
        count: Most pictures to come.
        options: Their colours.
        use: `data.cache`.
        say: Is told what the user should know.
    """

    def __init__(self, count: int, options: PictureFileOptions, use: Use, say: Say) -> None:
        self._count, self._mode, self._use, self._say = count, options.mode, use, say
        self._sizes: Counter[tuple[int, ...]] = Counter()
        self._shape = (0, 0, 0)
        self._filled = 0
        self._pixels = np.empty((0, 1, 1, 1), np.uint8)
        self._draft: Draft | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, traceback)

    @property
    def is_written(self) -> bool:
        """Whether the pictures go to the cache."""
        return self._draft is not None

    @property
    def pixels(self) -> np.ndarray:
        """Those in memory (N, C, H, W) uint8."""
        return self._pixels[: self._filled]

    def add(self, picture: np.ndarray) -> None:
        """Take in the next picture (C, H, W); one of another size is counted only."""
        self._sizes[picture.shape[1:]] += 1
        if len(self._sizes) > 1:
            return
        channels = {"grey": 1, "rgb": 3}.get(self._mode, max(len(picture), self._shape[0]))
        if self._shape != (channels, *picture.shape[1:]):
            self._reshape((channels, *picture.shape[1:]))
        pixels = with_channels(picture[None], channels)
        if self._draft is None:
            self._pixels[self._filled] = pixels[0]
        else:
            self._draft.write(PIXELS, np.ascontiguousarray(pixels))
        self._filled += 1

    def check(self) -> None:
        """Refuse pictures of several sizes, or none at all."""
        if not self._sizes:
            raise DataError(f"none of {counted(self._count, 'file')} holds a picture")
        if len(self._sizes) > 1:
            found = ", ".join(
                f"{height} x {width} ({count:,})"
                for (height, width), count in self._sizes.most_common(_SHOWN)
            )
            more = ", ..." if len(self._sizes) > _SHOWN else ""
            height, width = self._sizes.most_common(1)[0][0]
            raise ConfigError(
                [
                    Fault(
                        f"the pictures have {len(self._sizes):,} sizes, and a model takes one",
                        path=("data", "pictures", "size"),
                        suggestion=f"`pictures: {{size: [{height}, {width}]}}` brings all to one",
                        note=f"found, height x width: {found}{more}",
                    )
                ]
            )

    def keep(
        self, key: str, content: Mapping[str, JSON], arrays: Mapping[str, np.ndarray]
    ) -> Entry | None:
        """Make a cache entry of the pictures; None where the cache refuses what memory holds.

        Args:
            key: Of the entry.
            content: What to say of it.
            arrays: Small files beside the pixels.

        Raises:
            CacheError: It refuses what is in memory only in part.
        """
        content = {**content, "rows": self._filled, "shape": [self._filled, *self._shape]}
        if self._draft is not None:
            return _kept(self._draft, key, content, arrays)
        try:
            with drafted(size=self.pixels.nbytes) as draft:
                for pixels in _stretches(self.pixels):
                    draft.write(PIXELS, pixels)
                return _kept(draft, key, content, arrays)
        except CacheError as error:
            self._say(f"the decoded pictures cannot be kept, so each start decodes them: {error}")
            return None

    def _reshape(self, shape: tuple[int, int, int]) -> None:
        """Make room for pictures of this shape, and bring those that are there to it."""
        before, self._shape = self._shape, shape
        if self._draft is not None:
            former = self._draft.take_out(PIXELS)
            for pixels in _stretches(map_array(former, "uint8", (self._filled, *before))):
                self._draft.write(PIXELS, with_channels(pixels, shape[0]))
            return
        former_pixels = self.pixels
        if not self._filled:
            self._draft = self._opened(shape)
        if self._draft is None:
            self._pixels = np.empty((self._count, *shape), np.uint8)
            for start in range(0, len(former_pixels), 256):
                some = former_pixels[start : start + 256]
                self._pixels[start : start + len(some)] = with_channels(some, shape[0])

    def _opened(self, shape: tuple[int, int, int]) -> Draft | None:
        """Begin an entry where memory does not hold all pictures, should they have colours."""
        channels = 1 if self._mode == "grey" else 3
        size = self._count * channels * shape[1] * shape[2]
        if is_held(size, "auto" if self._use == "always" else self._use):
            return None
        try:
            return self._stack.enter_context(drafted(size=size))
        except CacheError as error:
            self._say(without_cache(error, size, self._use))
            return None


def _kept(
    draft: Draft, key: str, content: Mapping[str, JSON], arrays: Mapping[str, np.ndarray]
) -> Entry:
    for name, values in arrays.items():
        draft.write(name, values)
    return draft.keep(key, content)


def _stretches(pixels: np.ndarray) -> Iterator[np.ndarray]:
    """Yield pixels some at a time, contiguous."""
    rows = max(1, _BYTES_AT_ONCE // max(1, pixels[:1].nbytes))
    for start in range(0, len(pixels), rows):
        yield np.ascontiguousarray(pixels[start : start + rows])
