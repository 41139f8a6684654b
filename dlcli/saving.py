"""When and what a training saves: the last and the best checkpoint of its run."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from math import isfinite
from typing import Any, Self

from torch import Tensor

from dlcli import checkpoint
from dlcli.build import Learner
from dlcli.description import SelfTest
from dlcli.errors import DivergedError
from dlcli.run import Run
from dlcli.run.background import Background
from dlcli.training.stopping import Monitor
from dlcli.training.trainer import Trainer

_SECONDS = 1.0
"""Epochs that end sooner after a save are not saved: a disk takes some ms to be sure of a file."""


@dataclass(frozen=True)
class _Snapshot:
    """What a checkpoint holds."""

    tensors: Mapping[str, Tensor]
    data: Mapping[str, Any]

    def copied(self) -> _Snapshot:
        """Return one that training does not change, in main memory."""
        copies = {
            name: tensor.detach().to("cpu", copy=True) for name, tensor in self.tensors.items()
        }
        return _Snapshot(copies, self.data)

    def is_on_device(self) -> bool:
        """Say whether tensors are elsewhere than in main memory, and so are copied anyway."""
        return any(tensor.device.type != "cpu" for tensor in self.tensors.values())


class Saver:
    """Saves the position of a training; a best epoch that is not saved at once is kept in memory.

    What is on a device has to be copied into main memory, and is hashed and written from there
    while training goes on, one checkpoint at a time. Where training computes on the processor it
    gains nothing by that: a copy and the cores that hash are taken from it. (20 M parameters saved
    each epoch, two cores, torch 2.15, medians of 5 x 6 epochs: 1.63 s an epoch, beside it 1.67 s.)

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
        self.monitor = monitor
        self.description = description
        self._test = SelfTest.of(learner)
        self._saved = -float("inf")
        self._since = time.monotonic()
        self._best: _Snapshot | None = None
        self._background = Background()

    def end_epoch(self, *, is_last: bool, is_due: bool) -> None:
        """Save the end of an epoch, the last and those that are due; or keep it if it is the best.

        Args:
            is_last: Training ends here.
            is_due: See `is_due`.

        Raises:
            DivergedError: The weights, though finite, are so large that outputs are not.
            MachineError: This save, or the one before, failed.
        """
        state = self.trainer.state
        is_best = self.monitor.best_epoch(state.history) == state.epoch
        if is_last or is_due:
            self.save(is_last=is_last, is_best=is_best)
        elif is_best:
            snapshot = self._snapshot()
            self._best = snapshot.copied() if self._writes else None

    def is_due(self, seconds: float | None, *, is_epoch: bool) -> bool:
        """Say whether it is time to save: at the end of the first epoch, and after others a second.

        Args:
            seconds: Within an epoch, after so many from the last save or the beginning; None never.
            is_epoch: This is the end of an epoch.
        """
        now = time.monotonic()
        if is_epoch:
            return now - self._saved >= _SECONDS
        return seconds is not None and now - self._since >= seconds

    @property
    def _writes(self) -> bool:
        """Whether this rank does; every rank has its part in a snapshot."""
        return self.trainer.distribution.rank == 0

    def save(self, *, is_last: bool, is_best: bool = False) -> None:
        """Save where training stands as the last checkpoint; the former one becomes `previous`.

        A best epoch in memory goes to the disk first: the last checkpoint knows of it, so a
        training that goes on from there would not look for it again.

        Args:
            is_last: Training ends here, so there is nothing to do meanwhile.
            is_best: This is the end of the best epoch.

        Raises:
            DivergedError, MachineError: See `end_epoch`.
        """
        self._background.wait()
        snapshot = self._snapshot()
        best, self._best = None if is_best else self._best, None
        if not self._writes:
            pass
        elif snapshot.is_on_device() and not is_last:
            self._background.start(partial(self._write, snapshot.copied(), best, is_best=is_best))
        else:
            self._write(snapshot, best, is_best=is_best)
        self._saved = self._since = time.monotonic()

    def check(self) -> None:
        """Raise the error of a save that failed meanwhile."""
        self._background.check()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Bring to the disk what is on its way there, and a best epoch that is in memory alone."""
        try:
            self._background.wait()
        finally:
            best, self._best = self._best, None
            if best is not None:
                self._write_best(best)

    def _write(self, snapshot: _Snapshot, best: _Snapshot | None, *, is_best: bool) -> None:
        """Write `best`, then `last`, which becomes the best if it is that."""
        if best is not None:
            self._write_best(best)
        self.run.rotate_last(
            lambda path: checkpoint.save(
                path, tensors=snapshot.tensors, data=snapshot.data, name=self.run.last
            )
        )
        if is_best:
            self.run.keep_as_best()

    def _write_best(self, best: _Snapshot) -> None:
        checkpoint.save(self.run.best, tensors=best.tensors, data=best.data)

    def _snapshot(self) -> _Snapshot:
        with self.trainer.averaging.applied():
            outputs = self._test.outputs()
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
