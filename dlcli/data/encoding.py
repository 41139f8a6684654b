"""The rows of a data set as a preprocessor encodes them: in memory, in the cache, or shared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch

from dlcli.config.data import RecordOptions
from dlcli.data.cache.choice import is_held, without_cache
from dlcli.data.cache.entries import Say
from dlcli.data.cache.errors import CacheError
from dlcli.data.cached_rows import CachedRows, find_rows, rows_key, write_rows
from dlcli.data.drawn import DrawnParts, numbered
from dlcli.data.encoders.image import ImageEncoder
from dlcli.data.examples import Examples, ResidentExamples
from dlcli.data.fitting import encode_parts, encoded_rows
from dlcli.data.picked import PickedExamples
from dlcli.data.preprocessor import Preprocessor
from dlcli.data.sources.picture_files import PictureSource
from dlcli.data.sources.source import Sources
from dlcli.data.split import PARTS


@dataclass(frozen=True)
class Encoding:
    """How rows become tensors.

    Attributes:
        sources: The data set.
        options: Say whether the cache may be used.
        fold: See `dlcli.data.prepare.prepare`.
        preprocessor: Fitted on the training rows.
    """

    sources: Sources
    options: RecordOptions
    fold: int | None
    preprocessor: Preprocessor

    @cached_property
    def key(self) -> str:
        """That of the cache."""
        return rows_key(self.sources, self.options, self.fold, self.preprocessor)

    def find(self, say: Say) -> CachedRows | None:
        """Return the rows of all parts from the cache; None where they are not there."""
        return None if self.options.cache == "never" else find_rows(self.key, say)

    def encode(
        self, parts: DrawnParts, wanted: Sequence[str], say: Say
    ) -> dict[str, ResidentExamples] | dict[str, PickedExamples]:
        """Return the wanted parts, in the order of PARTS; into the cache all of them are written.

        Raises:
            DataError: A cell is not what its column holds.
            CacheError: They fit neither in the cache nor in memory.
        """
        size = sum(map(len, parts.rows.values())) * self.preprocessor.allocate(1).nbytes
        if is_held(size, self.options.cache):
            return self._held(parts, wanted)
        if self.shares_pixels:
            return self._picked(parts, wanted)
        try:
            kept = write_rows(
                self.key,
                self._stream(parts),
                preprocessor=self.preprocessor,
                numbers=numbered(self.sources, parts.rows),
                options=self.options,
            )
        except CacheError as error:
            say(without_cache(error, size, self.options.cache))
            return self._held(parts, wanted)
        return kept.examples(wanted)

    @property
    def shares_pixels(self) -> bool:
        """Whether the decoded pictures are mapped already, just as they are encoded."""
        (name, encoder), *others = self.preprocessor.inputs.items()
        every = (self.sources.train, self.sources.val, self.sources.test)
        return (
            not others
            and isinstance(encoder, ImageEncoder)
            and all(
                isinstance(source, PictureSource)
                and source.mapped is not None
                and (source.image, source.pixels.shape[1:]) == (name, encoder.shape)
                for source in every
                if source is not None
            )
        )

    def _held(self, parts: DrawnParts, wanted: Sequence[str]) -> dict[str, ResidentExamples]:
        found: dict[str, ResidentExamples] = {}
        for source, part_of, own in parts.by_source(self.sources, wanted):
            found |= encode_parts(source, self.preprocessor, part_of, own)
        return {part: found[part] for part in PARTS if part in found}

    def _stream(self, parts: DrawnParts) -> Iterator[tuple[str, ResidentExamples]]:
        for source, part_of, own in parts.by_source(self.sources, PARTS):
            yield from encoded_rows(source, self.preprocessor, part_of, own)

    def _picked(self, parts: DrawnParts, wanted: Sequence[str]) -> dict[str, PickedExamples]:
        (block,) = self.preprocessor.spec.blocks
        found: dict[str, PickedExamples] = {}
        for source, _, own in parts.by_source(self.sources, wanted):
            assert isinstance(source, PictureSource)
            pixels = torch.from_numpy(source.pixels)
            batches = source.chunks(self.sources.targets)
            targets = torch.cat([self.preprocessor.encode_targets(batch) for batch in batches])
            for part in own:
                rows = torch.from_numpy(parts.rows[part])
                picked = targets.index_select(0, rows)
                found[part] = PickedExamples({block: pixels}, rows, picked, source.mapped)
        return {part: found[part] for part in PARTS if part in found}


def storage(parts: Mapping[str, Examples]) -> str:
    """Return in words where the rows are, and how much they take."""
    size = sum(examples.nbytes for examples in parts.values()) / 1e6
    where = "mapped from the cache" if any(map(is_mapped, parts.values())) else "held in memory"
    return f"{where}, {size:,.1f} MB"


def is_mapped(examples: Examples) -> bool:
    """Say whether examples are mapped from files rather than held in memory."""
    return getattr(examples, "mapped", None) is not None
