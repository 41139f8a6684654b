"""Encoded rows in the cache: written in a stream, read as tensors that are mapped from files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlcli.config.data import RecordOptions
from dlcli.data.cache.drafts import drafted
from dlcli.data.cache.entries import Entry, Say, find_entry
from dlcli.data.cache.mapped import map_array, map_tensor
from dlcli.data.cache.seals import key_of
from dlcli.data.examples import ResidentExamples
from dlcli.data.preprocessor import Preprocessor
from dlcli.data.sources.source import Sources
from dlcli.data.split import PARTS
from dlcli.files import JSON

_ROWS = "rows"


@dataclass(frozen=True)
class CachedRows:
    """The rows of every part of a data set, as an entry holds them."""

    entry: Entry

    def examples(self, parts: Sequence[str]) -> dict[str, ResidentExamples]:
        """Return the rows of these parts, mapped; a part without rows is left out."""
        stored = self.entry.content["parts"]
        return {part: self._part(part) for part in parts if part in stored}

    def numbers(self) -> dict[str, np.ndarray]:
        """Return which rows of the data (N,) are those of each part."""
        parts = self.entry.content["parts"]
        return {part: self._numbers(part, parts[part]) for part in PARTS if part in parts}

    def _numbers(self, part: str, stored: Mapping[str, Any]) -> np.ndarray:
        path = self.entry.path / f"{part}.{_ROWS}"
        return map_array(path, stored["numbers"], [stored["rows"]])

    def _part(self, part: str) -> ResidentExamples:
        stored = self.entry.content["parts"][part]
        *blocks, targets = (
            map_tensor(self.entry.path / f"{part}.{number}", dtype, [stored["rows"], *shape])
            for number, (dtype, shape) in enumerate(stored["tensors"])
        )
        inputs = dict(zip(stored["blocks"], blocks, strict=True))
        return ResidentExamples(inputs, targets, mapped=self.entry)


def rows_key(
    sources: Sources, options: RecordOptions, fold: int | None, preprocessor: Preprocessor
) -> str:
    """Return the key of the rows as this preprocessor encodes them."""
    return key_of(
        what="rows",
        preprocessor=preprocessor.state(),
        **deciding(sources, options, fold),
    )


def deciding(sources: Sources, options: RecordOptions, fold: int | None) -> dict[str, JSON]:
    """Return what decides on the rows of each part."""
    without = {"augment", "batch_size", "cache"}
    return {
        "fingerprint": sources.fingerprint,
        "options": options.model_dump(mode="json", exclude=without),
        "fold": fold,
    }


def find_rows(key: str, say: Say) -> CachedRows | None:
    """Return the rows of a key; None where they are to be encoded, and why where it is a surprise.

    Args:
        key: See `rows_key`.
        say: Is told what the user should know.
    """
    entry = find_entry(key, say)
    return None if entry is None else CachedRows(entry)


def write_rows(
    key: str,
    rows: Iterable[tuple[str, ResidentExamples]],
    *,
    preprocessor: Preprocessor,
    numbers: Mapping[str, np.ndarray],
    options: RecordOptions,
) -> CachedRows:
    """Write rows as they come, and return them mapped.

    Args:
        key: See `rows_key`.
        rows: Parts and some of their rows, those of a part in order.
        preprocessor: Of these rows.
        numbers: Which rows of the data (N,) are those of each part.
        options: What to call the data.

    Raises:
        CacheError: They do not fit, or the cache may not be written to.
    """
    row = preprocessor.allocate(1)
    tensors = [tensor.numpy() for tensor in (*row.inputs.values(), row.targets)]
    count = sum(map(len, numbers.values()))
    with drafted(size=count * (row.nbytes + 8)) as draft:
        for part, some in rows:
            for number, block in enumerate((*some.inputs.values(), some.targets)):
                values = np.ascontiguousarray(block.numpy(), tensors[number].dtype)
                draft.write(f"{part}.{number}", values)
        for part, own in numbers.items():
            draft.write(f"{part}.{_ROWS}", np.ascontiguousarray(own))
        layout: dict[str, JSON] = {
            "blocks": list(row.inputs),
            "tensors": [[str(one.dtype), list(one.shape[1:])] for one in tensors],
        }
        parts = {
            part: {"rows": len(own), "numbers": str(own.dtype), **layout}
            for part, own in numbers.items()
        }
        return CachedRows(draft.keep(key, {"what": named(options), "rows": count, "parts": parts}))


def named(options: RecordOptions) -> str:
    """Return what data are called in the list of entries."""
    path = getattr(options, "path", None)
    return " ".join(filter(None, (options.name, path if isinstance(path, str) else None)))
