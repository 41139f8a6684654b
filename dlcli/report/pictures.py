"""Pictures of an evaluation as files: confusion, predicted against true numbers, forecasts."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from dlcli.errors import UsageError
from dlcli.files import write_bytes
from dlcli.report.classes import ClassReport
from dlcli.report.forecasts import Forecasts

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ENDINGS = (".png", ".svg", ".pdf")
"""What the name of a picture may end with."""

_NO_DATE = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
_LABELLED_CELLS = 20  # classes up to which each cell has its count written in it
_NAMED_CLASSES = 80  # up to which each has its name beside it; more stand on each other
_LONGEST_NAME = 30
_DOTS = 5000
_TARGETS = 8  # of a forecast, rows of plots at most


def check_ending(path: Path) -> None:
    """Refuse a name that does not say of which format a picture is to be.

    Raises:
        UsageError: It does not.
    """
    if path.suffix.lower() not in ENDINGS:
        raise UsageError(
            f"{path} is to be a picture, and its name does not say of which format",
            suggestion=f"endings: {', '.join(ENDINGS)}",
        )


def save_confusion(path: Path, report: ClassReport) -> None:
    """Save the confusion matrix: rows are true classes, shades the share of the row."""
    from matplotlib.figure import Figure

    size = len(report.names)
    counts = report.confusion.double()
    shares = counts / counts.sum(1, keepdim=True).clamp(min=1)
    every = -(-size // _NAMED_CLASSES)
    names = [_plain(name) for name in report.names[::every]]
    digits = len(str(int(counts.max())))
    side = min(max(2.4, max(0.45, 0.12 * digits) * size), 13)  # inches, the matrix alone
    room = 0.09 * max(map(len, names))  # inches, the names beside it
    is_upright = sum(map(len, names)) > 9 * side
    below = room if is_upright else 0.2
    figure = Figure(figsize=(side + room + 1.4, side + below + 0.5), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(shares.numpy(), cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, ax=axes, label="share of the true class", shrink=0.8)
    axes.set_xticks(range(0, size, every), names, rotation=90 if is_upright else 0)
    axes.set_yticks(range(0, size, every), names)
    axes.set_xlabel("answered")
    axes.set_ylabel("true")
    if size <= _LABELLED_CELLS:
        for row in range(size):
            for column in range(size):
                count = int(counts[row, column])
                color = "white" if shares[row, column] > 0.5 else "black" if count else "0.7"
                axes.text(column, row, f"{count}", ha="center", va="center", color=color)
    save_figure(path, figure)


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
        axes.set_xlabel(f"true {_plain(name)}")
        axes.set_ylabel(f"predicted {_plain(name)}")
    save_figure(path, figure)


def save_forecasts(path: Path, forecasts: Forecasts, names: Sequence[str]) -> None:
    """Save forecasts beside what came and the last value repeated: a row of plots per target."""
    from matplotlib.figure import Figure

    count, horizon = forecasts.truths.shape[:2]
    shown = list(names)[:_TARGETS]
    size = (4.2 * count, 2.4 * len(shown) + 0.4)
    figure = Figure(figsize=size, layout="constrained")
    plots = figure.subplots(len(shown), count, squeeze=False, sharex=True)
    past = forecasts.past[:, -2 * horizon :]
    before, ahead = range(1 - past.shape[1], 1), range(1, horizon + 1)
    for target, name in enumerate(shown):
        for place, axes in enumerate(plots[target]):
            came = [*past[place, :, target].tolist(), *forecasts.truths[place, :, target].tolist()]
            axes.plot([*before, *ahead], came, color="black", linewidth=1, label="came")
            naive = forecasts.naive[place, :, target].tolist()
            axes.plot(ahead, naive, color="0.6", linestyle="--", label="last value")
            told = forecasts.answers[place, :, target].tolist()
            axes.plot(ahead, told, color="C0", label="forecast")
            axes.axvline(0.5, color="0.8", linewidth=1)
        plots[target][0].set_ylabel(_plain(name))
    for axes, number in zip(plots[0], forecasts.numbers, strict=True):
        axes.set_title(f"window {number + 1:,}", fontsize="medium")
    for axes in plots[-1]:
        axes.set_xlabel("rows ahead")
    plots[0][0].legend(fontsize="small")
    save_figure(path, figure)


def _plain(name: str) -> str:
    """Return a name short enough, without what matplotlib would read as a formula."""
    shown = name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 3]}..."
    return shown.replace("$", r"\$")


def save_figure(path: Path, figure: Figure) -> None:
    """Write a figure in the format that its name ends with, the same bytes each time."""
    from matplotlib import rc_context

    stream = BytesIO()
    ending = path.suffix.lower().removeprefix(".")
    with warnings.catch_warnings(), rc_context({"svg.hashsalt": "dlcli"}):
        warnings.filterwarnings("ignore", "Glyph")  # the font lacks a letter: a box stands for it
        figure.savefig(stream, format=ending, dpi=120, metadata=_NO_DATE[ending])
    write_bytes(path, stream.getvalue())
