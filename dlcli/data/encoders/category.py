"""Categories as codes: 0 for unknown, then one for each category that training showed."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from dlcli.config.data import CategoryOptions, MissingOptions
from dlcli.data.encoders.encoder import CellError
from dlcli.data.encoders.parse import booleans
from dlcli.data.sources.cells import texts
from dlcli.data.spec import Field

CellKind = Literal["categorical", "boolean"]
UNKNOWN = "<unknown>"


@dataclass(frozen=True)
class CategoryEncoder:
    """A column of categories as codes; see `Encoder`.

    Attributes:
        name: The column.
        cells: What the cells are; truth values may be written in several ways.
        categories: In the order of their codes, from code 1.
        missing: The code of missing cells; 0 is unknown, -1 refuses them.
        embedding_size: See `Field`.
    """

    name: str
    cells: CellKind
    categories: tuple[str, ...]
    missing: int = 0
    embedding_size: int = 0

    @property
    def size(self) -> int:
        """Number of codes, the unknown one and that of missing cells among them."""
        return max(len(self.categories), self.missing) + 1

    @property
    def field(self) -> Field:
        """One code."""
        return Field(self.name, "category", (), self.size, self.embedding_size)

    @property
    def is_constant(self) -> bool:
        """Training showed one category only, and no missing cell."""
        return self.size <= 2

    def encode(self, array: pa.Array) -> Tensor:
        """Return codes (N,) in the smallest type that holds them."""
        given = category_texts(array, self.name, self.cells)
        if given.null_count and self.missing < 0:
            raise CellError(self.name, None, "is missing, which is refused for this column")
        codes = _codes(given, self.categories) + 1
        if given.null_count:
            codes[given.is_null().to_numpy(zero_copy_only=False)] = self.missing
        return torch.from_numpy(codes.astype(code_type(self.size)))

    def decode(self, values: Tensor) -> list[str | None]:
        """Return the categories; None for missing, `<unknown>` for unknown."""
        names: list[str | None] = [UNKNOWN, *self.categories]
        if self.missing > len(self.categories):
            names.append(None)
        return [names[code] for code in values.tolist()]

    def notes(self, array: pa.Array, encoded: Tensor) -> dict[str, int]:  # noqa: ARG002
        """Count cells that get the code of unknown ones."""
        unknown = len(encoded) - int(np.count_nonzero(encoded.numpy()))
        return {"category not seen (often enough) in training": unknown} if unknown else {}

    def state(self) -> dict[str, Any]:
        """Return plain data."""
        return {"kind": "category", **asdict(self), "categories": list(self.categories)}


class CategoryFit:
    """Fits a `CategoryEncoder` in one pass.

    Args:
        name: The column.
        cells: What its cells are.
        missing: How to treat missing cells.
        options: How to represent the categories.
    """

    def __init__(
        self, name: str, cells: CellKind, missing: MissingOptions, options: CategoryOptions
    ) -> None:
        self._name, self._cells, self._missing, self._options = name, cells, missing, options
        self._counts: Counter[str] = Counter()
        self._nulls = 0

    def add(self, array: pa.Array) -> None:
        """Take in training cells; see `Fit`."""
        given = category_texts(array, self._name, self._cells)
        self._nulls += given.null_count
        if self._nulls and self._missing.categorical == "refuse":
            reason = "is missing, which `missing.categorical: refuse` forbids"
            raise CellError(self._name, None, reason)
        for entry in pc.value_counts(given.drop_null()).to_pylist():
            self._counts[entry["values"]] += entry["counts"]

    def again(self) -> bool:
        """Return False: one pass is enough."""
        return False

    def finish(self) -> CategoryEncoder:
        """Return the encoder, its categories sorted."""
        fills = self._missing.categorical
        if self._nulls and fills == "constant":
            self._counts[self._missing.fill_category] += self._nulls
        kept = [name for name, count in self._counts.items() if count >= self._options.min_count]
        categories = tuple(sorted(kept))
        missing = self._missing_code(categories)
        size = max(len(categories), missing) + 1
        one_hot = self._options.encoding == "one_hot"
        width = 0 if one_hot else self._options.embedding_size or embedding_width(size)
        return CategoryEncoder(self._name, self._cells, categories, missing, width)

    def _missing_code(self, categories: tuple[str, ...]) -> int:
        fills = self._missing.categorical
        if fills == "refuse":
            return -1
        if fills == "category":
            return len(categories) + 1 if self._nulls else 0
        fill: str | None = self._missing.fill_category
        if fills == "most_frequent":
            fill = min(self._counts, key=lambda name: (-self._counts[name], name), default=None)
        return categories.index(fill) + 1 if fill in categories else 0


def category_texts(array: pa.Array, column: str, cells: CellKind) -> pa.Array:
    """Return cells as the texts that stand for categories."""
    return pc.cast(booleans(array, column), pa.string()) if cells == "boolean" else texts(array)


def embedding_width(size: int) -> int:
    """Return the width of an embedding of so many codes.

    The rule of thumb of fastai (fastai/tabular/model.py, `emb_sz_rule`), capped at 50.
    """
    width: float = 1.6 * size**0.56
    return min(50, round(width))


def code_type(size: int) -> type[np.uint8 | np.int16 | np.int32]:
    """Return the smallest type that holds codes below `size`."""
    if size <= 1 << 8:
        return np.uint8
    return np.int16 if size <= 1 << 15 else np.int32


def _codes(given: pa.Array, categories: tuple[str, ...]) -> np.ndarray:
    """Return each text's place (N,) among the categories, -1 where it is not among them."""
    place = pc.index_in(given, value_set=pa.array(categories, pa.string()))
    return np.array(place.fill_null(-1).to_numpy(zero_copy_only=False))
