"""A picture of the loss over the learning rate."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from dlcli.report.pictures import save_figure


class Point(Protocol):
    """The loss at one learning rate."""

    @property
    def lr(self) -> float:
        """The rate."""

    @property
    def loss(self) -> float:
        """Of one batch."""

    @property
    def smoothed(self) -> float:
        """Of the batches around it."""


def save_lr_curve(path: Path, curve: Sequence[Point], *, chosen: float | None, title: str) -> None:
    """Save losses over learning rates, and where the suggested one stands."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.subplots()
    rates = [point.lr for point in curve]
    axes.plot(rates, [point.loss for point in curve], color="0.75", linewidth=1, label="loss")
    smoothed = [point.smoothed for point in curve]
    axes.plot(rates, smoothed, color="C0", label="smoothed")
    if chosen is not None:
        axes.axvline(chosen, color="C1", linestyle="--", label=f"suggested: {chosen:.1e}")
    axes.set_xscale("log")
    low, high = min(smoothed), max(smoothed[0], min(smoothed))
    room = 0.5 * max(high - low, 1e-12)
    axes.set_ylim(low - room, high + room)  # what explodes would flatten all else
    axes.set_xlabel("learning rate")
    axes.set_ylabel("loss")
    axes.set_title(title.replace("$", r"\$"))
    axes.legend(fontsize="small")
    save_figure(path, figure)
