"""When and what a training saves: the last and the best checkpoint of its run."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from torch import Tensor

from dlcli import checkpoint
from dlcli.build import Learner
from dlcli.errors import DivergedError
from dlcli.run import Run
from dlcli.trained import self_test
from dlcli.training.stopping import Monitor
from dlcli.training.trainer import Trainer

_SECONDS = 1.0
"""Epochs that end sooner after a save are not saved: a disk takes some ms to be sure of a file."""


@dataclass(frozen=True)
class _Snapshot:
    """What a checkpoint holds."""

    tensors: Mapping[str, Tensor]
    data: Mapping[str, Any]


class Saver:
    """Saves the position of a training; a best epoch that is not saved at once is kept in memory.

    Args:
        run: Where the checkpoints go.
        trainer: What is saved.
        learner: What the trainer trains.
        monitor: Which epoch is best.
        description: What a checkpoint holds beside state and tensors.
    """

    def __init__(
        self,
        run: Run,
        trainer: Trainer,
        learner: Learner,
        monitor: Monitor,
        description: Mapping[str, Any],
    ) -> None:
        self.run = run
        self.trainer = trainer
        self.learner = learner
        self.monitor = monitor
        self.description = description
        self._saved = -float("inf")
        self._best: _Snapshot | None = None

    def end_epoch(self, *, is_last: bool) -> None:
        """Save the end of an epoch: the first, the last, and others once a second.

        Raises:
            DivergedError: The weights, though finite, are so large that outputs are not.
        """
        state = self.trainer.state
        is_best = self.monitor.best_epoch(state.history) == state.epoch
        if is_last or time.monotonic() - self._saved >= _SECONDS:
            self.save()
            if is_best:
                self.run.keep_as_best()
        elif is_best:
            snapshot = self._snapshot()
            copies = {name: tensor.clone() for name, tensor in snapshot.tensors.items()}
            self._best = _Snapshot(copies, snapshot.data)

    def save(self) -> None:
        """Save where training stands as the last checkpoint; the former one becomes `previous`.

        A best epoch in memory goes to the disk first: the last checkpoint knows of it, so a
        training that goes on from there would not look for it again.

        Raises:
            DivergedError: See `end_epoch`.
        """
        self.save_best()
        snapshot = self._snapshot()
        self.run.rotate_last(
            lambda path: checkpoint.save(path, tensors=snapshot.tensors, data=snapshot.data)
        )
        self._saved = time.monotonic()

    def save_best(self) -> None:
        """Save the best epoch if it is yet in memory alone."""
        if self._best is not None:
            checkpoint.save(self.run.best, tensors=self._best.tensors, data=self._best.data)
            self._best = None

    def _snapshot(self) -> _Snapshot:
        outputs = self_test(self.learner)
        if not all(map(isfinite, outputs)):
            raise DivergedError(
                f"training stopped being finite after step {self.trainer.state.step}: the weights "
                "are so large that the outputs overflow",
                suggestion="lower `optimizer.lr`",
            )
        state = self.trainer.state.to_data()
        return _Snapshot(
            self.trainer.tensors(), {**self.description, "state": state, "self_test": outputs}
        )
