"""Where a training stands: everything about its position that a checkpoint keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from math import isnan, nan
from typing import Any

import torch
from torch import Tensor

Scores = dict[str, float | None]
"""`loss` and each metric by name; None where a metric is undefined."""


@dataclass(frozen=True)
class EpochReport:
    """What one epoch gave.

    Attributes:
        epoch: 1-based.
        step: Optimizer steps taken since the beginning.
        lr: Learning rate of the epoch's last step.
        train: Mean loss over the epoch's batches, measured while the weights moved.
        val: Scores on the val part after the epoch; None without a val part.
    """

    epoch: int
    step: int
    lr: float
    train: Scores
    val: Scores | None

    def to_data(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return asdict(self)

    def value(self, monitor: str) -> float | None:
        """Return a monitored value such as `val_loss`; None if it was not measured."""
        part, _, key = monitor.partition("_")
        scores = self.train if part == "train" else self.val
        return None if scores is None else scores.get(key)


@dataclass
class State:
    """The position of a training.

    Attributes:
        epoch: Epochs completed.
        batch: Batches done in the epoch under way.
        step: Optimizer steps taken.
        parts: Parts into which each batch is cut (micro-batches in a step).
        history: The reports of the epochs completed.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    parts: int = 1
    history: list[EpochReport] = field(default_factory=list)

    def to_data(self) -> dict[str, Any]:
        """Return the state as plain data, its history as the names of `history_values`."""
        return {
            "epoch": self.epoch,
            "batch": self.batch,
            "step": self.step,
            "parts": self.parts,
            "history": list(_flat(self.history[-1])) if self.history else [],
        }

    def history_values(self) -> Tensor:
        """Return the history (epochs, values) float64, NaN for what is undefined.

        A table of numbers, because every epoch's checkpoint holds all of it.
        """
        rows = [list(_flat(report).values()) for report in self.history]
        return torch.tensor(rows, dtype=torch.float64)

    @classmethod
    def from_data(cls, data: Mapping[str, Any], values: Tensor) -> State:
        """Rebuild the state from `to_data` and `history_values`."""
        history = [
            _report(epoch, dict(zip(data["history"], row, strict=True)))
            for epoch, row in enumerate(values.tolist(), start=1)
        ]
        return cls(**{**data, "history": history})


def _flat(report: EpochReport) -> dict[str, float]:
    """Return everything but the epoch's number by name: `step`, `train loss`, `val accuracy`."""
    scores = {"train": report.train, "val": report.val or {}}
    flat = {f"{part} {name}": scores[part][name] for part in scores for name in scores[part]}
    values = {"step": report.step, "lr": report.lr} | flat
    return {name: nan if value is None else value for name, value in values.items()}


def _report(epoch: int, flat: dict[str, float]) -> EpochReport:
    parts: dict[str, Scores] = {"train": {}, "val": {}}
    for name, value in flat.items():
        part, _, score = name.partition(" ")
        if score:
            parts[part][score] = None if isnan(value) else value
    return EpochReport(epoch, int(flat["step"]), flat["lr"], parts["train"], parts["val"] or None)
