"""A training within its run: drives the trainer, saves, shows and stops."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from dlcli.config.train import TrainOptions
from dlcli.errors import DivergedError
from dlcli.files import relative
from dlcli.interrupts import Interrupts
from dlcli.progress import Talk, TrainingProgress
from dlcli.run import Run
from dlcli.saving import Saver
from dlcli.training.protocols import Examples
from dlcli.training.stopping import Monitor
from dlcli.training.trainer import Step, Trainer


@dataclass(frozen=True)
class Session:
    """One sitting of a training.

    Attributes:
        run: The run directory, owned by this process.
        trainer: At the beginning, or where a checkpoint left it.
        saver: Saves it in the run.
        options: When to stop and save.
        monitor: Which epoch is best.
        talk: Where to show progress.
    """

    run: Run
    trainer: Trainer
    saver: Saver
    options: TrainOptions
    monitor: Monitor
    talk: Talk

    def drive(self, examples: Mapping[str, Examples]) -> tuple[str, int | None]:
        """Train to the end, or until something stops it; all that was done is saved.

        Args:
            examples: The part `train`, and `val` where there is one.

        Returns:
            Why training stopped, and the number of the signal if one did it.

        Raises:
            DivergedError: A loss or gradient was not finite; the last good checkpoint is named.
        """
        train, state = examples["train"], self.trainer.state
        steps = self.trainer.steps(train, examples.get("val"), epochs=self.options.epochs)
        done = state.epoch * len(train) + state.batch * self.trainer.batch_size
        progress = TrainingProgress(
            self.talk, epochs=self.options.epochs, rows=len(train), done=done
        )
        if state.batch == 0 and self._is_patience_spent():
            return "early_stopping", None
        started = time.monotonic()
        with Interrupts() as interrupts, progress:
            try:
                for step in steps:
                    seconds = time.monotonic() - started
                    reason = self._stop_reason(step, seconds, interrupts.received)
                    self._keep(step, seconds, is_last=reason is not None)
                    progress.show(step)
                    if reason is not None:
                        return reason, interrupts.received
            except DivergedError as error:
                self.saver.save_best()
                raise self._with_checkpoint(error) from error
            finally:
                self.saver.save_best()
            if interrupts.received is not None:  # while the last step was saved
                return "interrupted", interrupts.received
        return "epochs", None

    def _stop_reason(self, step: Step, seconds: float, signal_number: int | None) -> str | None:
        most = self.options.max_time
        if signal_number is not None:
            return "interrupted"
        if most is not None and seconds >= most:
            return "max_time"
        return "early_stopping" if step.report and self._is_patience_spent() else None

    def _is_patience_spent(self) -> bool:
        stopping, history = self.options.early_stopping, self.trainer.state.history
        return stopping is not None and self.monitor.is_patience_spent(history, stopping.patience)

    def _keep(self, step: Step, seconds: float, *, is_last: bool) -> None:
        """Save what a step calls for: an epoch's end, a step where asked, a stop always."""
        state, every = self.trainer.state, self.options.checkpoint_every
        if step.report is not None:
            self.run.add_metrics(step.report.to_data() | {"seconds": round(seconds, 3)})
            self.saver.end_epoch(is_last=is_last or state.epoch == self.options.epochs)
        elif is_last or (every and state.step % every == 0):
            self.saver.save()

    def _with_checkpoint(self, error: DivergedError) -> DivergedError:
        good = [path for path in (self.run.best, self.run.last) if path.exists()]
        where = f"the last good checkpoint is {relative(good[0])}" if good else "nothing was saved"
        return DivergedError(f"{error}; {where}", suggestion=error.faults[0].suggestion)
