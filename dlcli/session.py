"""A training within its run: drives the trainer, saves, shows and stops."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from dlcli.config.train import TrainOptions
from dlcli.errors import DivergedError, DlcliError, is_out_of_memory, out_of_memory
from dlcli.files import relative
from dlcli.interrupts import Interrupts
from dlcli.progress import Talk, TrainingProgress
from dlcli.run import Run
from dlcli.saving import Saver
from dlcli.training.distributed import Poll
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
            DivergedError: A loss or gradient was not finite.
            MachineError: The disk or the memory refused. Either names the last good checkpoint.
        """
        train, state = examples["train"], self.trainer.state
        steps = self.trainer.steps(train, examples.get("val"), epochs=self.options.epochs)
        done = state.epoch * len(train) + state.batch * self.trainer.batch_size
        progress = TrainingProgress(
            self.talk, epochs=self.options.epochs, rows=len(train), done=done
        )
        if state.batch == 0 and self._is_patience_spent():
            return "early_stopping", None
        started, poll = time.monotonic(), Poll(self.trainer.distribution)
        try:
            with Interrupts() as interrupts, progress, self.saver:
                parts = state.parts
                for step in steps:
                    if state.parts > parts:
                        parts = state.parts
                        self.talk.warn(
                            f"out of memory: from now on each batch is cut into {parts} parts, the "
                            f"result is the same (`train.accumulate: {parts}` begins so)"
                        )
                    seconds = time.monotonic() - started
                    signal_number, is_over, is_due = self._agreed(
                        poll, step, seconds, interrupts.received
                    )
                    reason = self._stop_reason(step, signal_number, is_over=is_over)
                    self._keep(step, seconds, is_last=reason is not None, is_due=is_due)
                    progress.show(step)
                    if reason is not None:
                        return reason, signal_number
            (late,) = self.trainer.distribution.agree(interrupts.received or 0)
            if late:  # while the last step was saved
                return "interrupted", late
        except DlcliError as error:
            raise self._with_checkpoint(error) from error
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            raise self._with_checkpoint(out_of_memory()) from error
        return "epochs", None

    def _agreed(
        self, poll: Poll, step: Step, seconds: float, signal_number: int | None
    ) -> tuple[int | None, bool, bool]:
        """Return what clock and signals say to any rank, so that all of them do the same.

        Within an epoch ranks hear of it a step late, so that no step waits for it.

        Returns:
            The number of a signal, whether the time is over, and whether a save is due.
        """
        most = self.options.max_time
        is_over = most is not None and seconds >= most
        is_due = self.saver.is_due(self.options.save_seconds, is_epoch=step.report is not None)
        received, *agreed = poll(
            signal_number or 0, int(is_over), int(is_due), is_late=step.report is None
        )
        return received or None, bool(agreed[0]), bool(agreed[1])

    def _stop_reason(self, step: Step, signal_number: int | None, *, is_over: bool) -> str | None:
        if signal_number is not None:
            return "interrupted"
        if is_over:
            return "max_time"
        return "early_stopping" if step.report and self._is_patience_spent() else None

    def _is_patience_spent(self) -> bool:
        stopping, history = self.options.early_stopping, self.trainer.state.history
        return stopping is not None and self.monitor.is_patience_spent(history, stopping.patience)

    def _keep(self, step: Step, seconds: float, *, is_last: bool, is_due: bool) -> None:
        """Save what a step calls for: an epoch's end, a step where asked, a stop always."""
        self.saver.check()
        state, every = self.trainer.state, self.options.save_steps
        if step.report is not None:
            self.run.add_metrics(step.report.to_data() | {"seconds": round(seconds, 3)})
            is_last = is_last or state.epoch == self.options.epochs
            self.saver.end_epoch(is_last=is_last, is_due=is_due)
        elif is_last or is_due or (every and state.step % every == 0):
            self.saver.save(is_last=is_last)

    def _with_checkpoint(self, error: DlcliError) -> DlcliError:
        """Return the error with what is left: the best weights, or where to go on from."""
        is_diverged = isinstance(error, DivergedError)
        names = ("best", "last", "previous") if is_diverged else ("last", "previous", "best")
        good = [path for name in names if (path := getattr(self.run, name)).exists()]
        where = f"the last good checkpoint is {relative(good[0])}" if good else "nothing was saved"
        first, *more = error.faults
        return type(error)([replace(first, message=f"{first.message}; {where}"), *more])
