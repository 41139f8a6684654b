"""Rows written in the config itself."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from dlcli.config.data import InlineOptions
from dlcli.data.sources.cells import column_array
from dlcli.data.sources.memory import MemorySource
from dlcli.data.sources.source import ColumnKind, Sources


def open_inline(options: InlineOptions, folder: Path) -> Sources:  # noqa: ARG001 - one shape for all
    """Return the rows: inputs `x`, or `x1`, `x2`, ... where a row has several; target `y`."""
    rows = [row if isinstance(row, list) else [row] for row in options.x]
    width = len(rows[0])
    names = ("x",) if width == 1 else tuple(f"x{index + 1}" for index in range(width))
    columns = {
        name: pa.array(values) for name, values in zip(names, zip(*rows, strict=True), strict=True)
    }
    table = pa.table({**columns, "y": column_array(list(options.y))})
    kinds: dict[str, ColumnKind] = dict.fromkeys(names, "numeric")
    kinds["y"] = _kind(table.schema.field("y").type)
    source = MemorySource(table, kinds, "inline data")
    return Sources(source, None, None, ("y",), names, source.fingerprint())


def _kind(arrow_type: pa.DataType) -> ColumnKind:
    if pa.types.is_string(arrow_type):
        return "categorical"
    return "boolean" if pa.types.is_boolean(arrow_type) else "numeric"
