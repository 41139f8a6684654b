"""The first data set: y = 2x at four points."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from dlcli.config.data.embedded import LineOptions
from dlcli.data.sources.memory import MemorySource
from dlcli.data.sources.source import Sources


def open_line(options: LineOptions, folder: Path) -> Sources:  # noqa: ARG001 - one shape for all
    """Return x = 0, 1, 2, 3 and y = 2x, a regression."""
    table = pa.table({"x": [0.0, 1.0, 2.0, 3.0], "y": [0.0, 2.0, 4.0, 6.0]})
    source = MemorySource(table, {"x": "numeric", "y": "numeric"}, "line")
    return Sources(source, None, None, ("y",), ("x",), source.fingerprint(), task="regression")
