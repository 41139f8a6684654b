"""A picture of a network: its parts as boxes, from the inputs to the outputs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from textwrap import shorten

from dlcli.report.layers import Layer
from dlcli.report.pictures import save_figure

_COLOURS = {"stem": "#dbe7f3", "body": "#fbe6cf", "head": "#dcefdc", "net": "#fbe6cf"}
_WIDEST = 52


def save_boxes(path: Path, boxes: Sequence[Layer], *, title: str) -> None:
    """Save boxes one below the other: layers, parameters, and on the arrows the sizes between."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 0.95 * (len(boxes) + 1)), layout="constrained")
    axes = figure.subplots()
    axes.set_xlim(-0.75, 0.75)
    axes.set_ylim(len(boxes) - 0.1, -0.9)
    axes.set_axis_off()
    axes.set_title(title)
    arrow = {"arrowstyle": "-|>", "color": "0.35"}
    shapes = [boxes[0].inputs, *(box.outputs for box in boxes)]
    for row, shape in enumerate(shapes):
        axes.annotate("", (0, row - 0.3), (0, row - 0.7), arrowprops=arrow)
        axes.text(0.03, row - 0.5, sizes(shape), va="center", fontsize="small", color="0.35")
    for row, box in enumerate(boxes):
        counted = f"{box.parameters:,} parameters" if box.parameters else "no parameters"
        axes.text(
            0,
            row,
            f"{shorten(box.kind, _WIDEST, placeholder=' ...')}\n{counted}",
            ha="center",
            va="center",
            fontsize="small",
            bbox={
                "boxstyle": "round,pad=0.5",
                "facecolor": _colour(box.name),
                "edgecolor": "0.45",
            },
        )
        axes.text(-0.72, row, box.name, va="center", fontsize="x-small", color="0.35")
    save_figure(path, figure)


def sizes(shape: Sequence[int]) -> str:
    """Return a shape as a person writes it."""
    return " x ".join(f"{size:,}" for size in shape) or "1"


def _colour(name: str) -> str:
    return next((_COLOURS[part] for part in name.split(".") if part in _COLOURS), "#eeeeee")
