"""Best epoch and patience, derived from the history; nothing is kept beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dlcli.training.state import EpochReport


@dataclass(frozen=True)
class Monitor:
    """The value that decides which epoch is best.

    Attributes:
        key: `val_loss`, or `val_` and the name of a metric.
        higher_is_better: Which way is better.
    """

    key: str = "val_loss"
    higher_is_better: bool = False

    def best_epoch(self, history: Sequence[EpochReport]) -> int:
        """Return the 1-based best epoch, the first among equals; 0 for an empty history.

        Where the value was never measured, as without a val part, the last epoch is the best.
        """
        measured = [
            (value if self.higher_is_better else -value, -report.epoch)
            for report in history
            if (value := report.value(self.key)) is not None
        ]
        if measured:
            return -max(measured)[1]
        return history[-1].epoch if history else 0

    def is_patience_spent(self, history: Sequence[EpochReport], patience: int) -> bool:
        """Say whether the last `patience` epochs brought nothing better."""
        return bool(history) and history[-1].epoch - self.best_epoch(history) >= patience
