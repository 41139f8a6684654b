"""Pictures of an evaluation as PNG files: a confusion matrix, predicted against true numbers."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from dlcli.files import write_bytes
from dlcli.report.classes import ClassReport

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LABELLED_CELLS = 20  # classes up to which each cell has its count written in it
_DOTS = 5000


def save_confusion(path: Path, report: ClassReport) -> None:
    """Save the confusion matrix: rows are true classes, shades the share of the row."""
    from matplotlib.figure import Figure

    size = len(report.names)
    counts = report.confusion.double()
    shares = counts / counts.sum(1, keepdim=True).clamp(min=1)
    side = min(max(3.5, 1.5 + 0.45 * size), 14)
    figure = Figure(figsize=(side + 1, side), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(shares.numpy(), cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, ax=axes, label="share of the true class")
    axes.set_xticks(range(size), report.names, rotation=90 if size > 4 else 0)
    axes.set_yticks(range(size), report.names)
    axes.set_xlabel("answered")
    axes.set_ylabel("true")
    if size <= _LABELLED_CELLS:
        for row in range(size):
            for column in range(size):
                color = "white" if shares[row, column] > 0.5 else "black"
                count = int(counts[row, column])
                axes.text(column, row, f"{count}", ha="center", va="center", color=color)
    _save(path, figure)


def save_scatter(path: Path, answers: Tensor, truths: Tensor, names: Sequence[str]) -> None:
    """Save answers against truths, (N,) or (N, D), one plot per target; the line is perfection."""
    from matplotlib.figure import Figure

    count = len(names)
    figure = Figure(figsize=(4.5 * count, 4.2), layout="constrained")
    columns = zip(
        figure.subplots(1, count, squeeze=False)[0],
        answers.reshape(-1, count).T,
        truths.reshape(-1, count).T,
        names,
        strict=True,
    )
    for axes, answered, true, name in columns:
        every = -(-len(true) // _DOTS)
        axes.scatter(true[::every].numpy(), answered[::every].numpy(), s=8, alpha=0.5)
        low, high = float(true.min()), float(true.max())
        axes.plot([low, high], [low, high], color="black", linewidth=1)
        axes.set_xlabel(f"true {name}")
        axes.set_ylabel(f"predicted {name}")
    _save(path, figure)


def _save(path: Path, figure: Figure) -> None:
    stream = BytesIO()
    figure.savefig(stream, format="png", dpi=120, metadata={"Software": None})
    write_bytes(path, stream.getvalue())
