"""Plain text in aligned columns, for a terminal, a pipe or a file; knows no colours."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

_GAP = "  "


def aligned(heads: Sequence[str], rows: Sequence[Sequence[str]], *, width: int = 0) -> str:
    """Return rows under their heads in aligned columns, a line each.

    Args:
        heads: One per column; no head line is written if all are empty.
        rows: One text per column.
        width: Characters of a line; the last column is wrapped to them. 0 wraps nothing.
    """
    lines = [list(heads), *rows] if any(heads) else list(rows)
    sizes = [max(len(line[i]) for line in lines) for i in range(len(heads) - 1)]
    start = sum(sizes) + len(_GAP) * len(sizes)
    text = []
    for line in lines:
        cells = [f"{cell:{size}}" for cell, size in zip(line, sizes, strict=False)]
        last = wrap(line[-1], max(width - start, 30)) if width else [line[-1]]
        text.append(_GAP.join([*cells, *last[:1]]).rstrip())
        text += [" " * start + more for more in last[1:]]
    return "".join(f"{line}\n" for line in text)
