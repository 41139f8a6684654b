"""The training loop: forward, backward, step. Its consumer saves, shows and stops."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from math import isnan
from typing import NamedTuple

import torch
from torch import Tensor, nn

from dlcli.errors import DivergedError
from dlcli.training.averaging import Averaging, NoAveraging
from dlcli.training.clipping import Clipping
from dlcli.training.diagnosis import first_not_finite
from dlcli.training.distributed import Distribution, SingleProcess
from dlcli.training.evaluation import Evaluation
from dlcli.training.failure import FirstFailure
from dlcli.training.gradients import Gradients
from dlcli.training.precision import FullPrecision, Precision
from dlcli.training.protocols import Batch, Examples, Optimizer, Schedule
from dlcli.training.randomness import Order, drawn_order, seed_epoch
from dlcli.training.state import EpochReport, Scores, State
from dlcli.training.totals import Totals


class Step(NamedTuple):
    """What the trainer yields after every optimizer step.

    Attributes:
        epoch: 1-based.
        batch: 1-based within the epoch.
        batches: Batches of an epoch.
        rows: Rows of this batch.
        loss: Mean loss of the batch, a scalar on the model's device; reading it may wait.
        report: The epoch's report on its last step, else None.
    """

    epoch: int
    batch: int
    batches: int
    rows: int
    loss: Tensor
    report: EpochReport | None


class _Share(NamedTuple):
    """One rank's part of a batch.

    Attributes:
        batch: Its rows; one row that counts for nothing where there are fewer rows than ranks.
        first_row: Of the whole batch.
        is_idle: Whether the row counts for nothing.
        of_rows: Rows of the whole batch.
    """

    batch: Batch
    first_row: int
    is_idle: bool
    of_rows: int


class Trainer:
    """Trains a model; everything that a checkpoint needs to go on is in `state` and `tensors`.

    Args:
        model: Takes a batch's inputs, returns outputs; its parameters are updated in place.
        optimizer: Turns gradients into steps.
        schedule: Factor of the learning rate by step and history.
        evaluation: The loss, and how the val part is judged.
        seed: Row order and dropout derive from it.
        batch_size: Rows of a step.
        state: Where to go on; the beginning unless given.
        network: What is called in training in the model's place, as where it is compiled.
        whole: Does for a whole batch what forward and backward do; see `Layerwise`.
        precision: In which precision to compute.
        averaging: Averages of the weights.
        clipping: How gradients are cut.
        distribution: This process among others.
        row_weights: (N,) float64, how likely an epoch draws each row; None takes each once.
        is_deferred: Whether a step that is not finite is found at the next report, so that the host
            never waits for the device; unless given, on every device but the CPU.
        rescues: Whether a batch that memory does not hold is tried again in twice the parts; unless
            given, on CUDA.
    """

    def __init__(
        self,
        *,
        model: nn.Module,
        optimizer: Optimizer,
        schedule: Schedule,
        evaluation: Evaluation,
        seed: int,
        batch_size: int,
        state: State | None = None,
        network: nn.Module | None = None,
        whole: Callable[[Batch], Tensor] | None = None,
        precision: Precision | None = None,
        averaging: Averaging | None = None,
        clipping: Clipping | None = None,
        distribution: Distribution | None = None,
        row_weights: Tensor | None = None,
        is_deferred: bool | None = None,
        rescues: bool | None = None,
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self.schedule = schedule
        self.evaluation = evaluation
        self.seed = seed
        self.batch_size = batch_size
        self.state = state or State()
        self.distribution = distribution or SingleProcess()
        self._placement = self.distribution.placement
        trained = self._placement.parameters(model).values()
        self._parameters = [p for p in trained if p.requires_grad]
        self._device = self._parameters[0].device
        self.precision = precision or FullPrecision(self._device)
        self.averaging = averaging or NoAveraging()
        self.clipping = clipping or Clipping()
        self._row_weights = row_weights
        self._is_deferred = self._device.type != "cpu" if is_deferred is None else is_deferred
        self._gradients = Gradients(
            model,
            model if network is None else network,  # a compiled one has no truth
            evaluation.loss,
            self.precision,
            self.distribution,
            rescues=self._device.type == "cuda" if rescues is None else rescues,
            whole=whole,
        )
        self._totals = Totals(self._device)
        self._failure = FirstFailure(self._device)
        self._visited: tuple[Examples, Order] | None = None  # rows of this epoch

    def steps(self, train: Examples, val: Examples | None, *, epochs: int) -> Iterator[Step]:
        """Train until `epochs` epochs are complete; yield after every optimizer step.

        Raises:
            DivergedError: A loss or gradient is not finite; that step's update was not made.
            MachineError: Memory does not hold a single row.
        """
        self.model.train()
        while self.state.epoch < epochs:
            yield from self._epoch(train, val)

    def tensors(self) -> dict[str, Tensor]:
        """Return all tensors that a checkpoint needs to go on, by name; views, not copies.

        Every rank calls it at the same step.

        Raises:
            DivergedError: A step before was not finite, which was not known until now.
        """
        self._ask()
        named = {
            "model": self._placement.whole(self.model.state_dict()),
            "optimizer": self._placement.whole(self.optimizer.state()),
            "average": self._placement.whole(self.averaging.state()),
            "precision": self.precision.state(),
            "generator": self._generators(),
            "totals": {"loss": self._totals.state()},
            "history": {"values": self.state.history_values()},
        }
        return {f"{group}/{name}": t for group, part in named.items() for name, t in part.items()}

    def load(self, tensors: dict[str, Tensor]) -> None:
        """Take up the tensors that `tensors` returned, generators included.

        A rank that was not there, or not on such a device, draws as at the beginning of an epoch.
        """
        self._placement.load(self.model, tensors_of(tensors, "model"))
        self.optimizer.load(self._placement.own(tensors_of(tensors, "optimizer")))
        self.averaging.load(self._placement.own(tensors_of(tensors, "average")))
        self.precision.load(tensors_of(tensors, "precision"))
        self._totals.load(tensors["totals/loss"])
        seed_epoch(self.seed, self.state.epoch, self.distribution.rank)
        of_rank = _of_rank(self.distribution.rank)
        if (name := f"generator/cpu{of_rank}") in tensors:
            torch.set_rng_state(tensors[name])
        if self._device.type == "cuda" and (name := f"generator/cuda{of_rank}") in tensors:
            torch.cuda.set_rng_state(tensors[name], self._device)

    def _generators(self) -> dict[str, Tensor]:
        """Return the states of every rank's generators: `cpu` and `cuda`, then `cpu.1` ..."""
        own = {"cpu": torch.get_rng_state()}
        if self._device.type == "cuda":
            own["cuda"] = torch.cuda.get_rng_state(self._device)
        ranks = enumerate(self.distribution.gather(own))
        return {
            f"{name}{_of_rank(rank)}": s for rank, states in ranks for name, s in states.items()
        }

    def load_weights(self, tensors: Mapping[str, Tensor]) -> None:
        """Give the model of every rank the parameters and buffers that rank 0 has, on the CPU."""
        self._placement.load(self.model, self.distribution.spread(tensors))

    def _epoch(self, train: Examples, val: Examples | None) -> Iterator[Step]:
        state = self.state
        if state.batch == 0:
            seed_epoch(self.seed, state.epoch, self.distribution.rank)
            self._totals = Totals(self._device)
        epoch, batches = state.epoch + 1, -(-len(train) // self.batch_size)
        order = self._order(train).to(self._device)
        train = train.for_epoch(self.seed, state.epoch)
        self._visited = train, order
        for number in range(state.batch, batches):
            rows = self._rows(train, number)
            # As many steps as there would be had every epoch been as long as this one.
            place = state.epoch * batches + number
            lr = self.optimizer.lr * self.schedule(place, state.history)
            loss = self._update(self._share(train, order, number), lr)
            state.step += 1
            state.batch += 1
            report = self._finish_epoch(val, lr) if state.batch == batches else None
            yield Step(epoch, number + 1, batches, rows, loss, report)

    def _order(self, train: Examples) -> Order:
        """Return the order of the epoch; rows that fill one batch stand as they are.

        Another order of them would change nothing but the last bits of their sums.
        """
        if self._row_weights is not None:
            return drawn_order(self.seed, self.state.epoch, self._row_weights)
        if self.batch_size >= len(train):
            return torch.arange(len(train))
        return train.order(self.seed, self.state.epoch)

    def _share(self, train: Examples, order: Order, number: int) -> _Share:
        """Return this rank's part of a batch (0-based); every rank takes part in every step."""
        first, rows = number * self.batch_size, self._rows(train, number)
        place = self.distribution.share(rows)
        is_idle = place.start == place.stop
        start, stop = (0, 1) if is_idle else (place.start, place.stop)
        batch = train.take(order[first + start : first + stop])
        return _Share(batch, place.start, is_idle, rows)

    def _rows(self, train: Examples, number: int) -> int:
        """Return how many rows a batch (0-based) has; the last one may have fewer."""
        return min(self.batch_size, len(train) - number * self.batch_size)

    def _update(self, share: _Share, lr: float) -> Tensor:
        """Make one optimizer step; return the mean loss of the batch."""
        self.optimizer.zero_grad()
        loss, weight = self._computed(share)
        gradients = [p.grad for p in self._parameters if p.grad is not None]
        faults = self._placement.any(self.precision.faults(gradients, loss))
        skip: Tensor | None = None
        if self._is_deferred:
            self._failure.note(faults.bool() & self.precision.is_spent(), self.state.step)
            skip = faults.masked_fill(self._failure.has_happened(), 1.0)
        elif faults.item():
            if self.precision.is_spent().item():
                raise self._diverged(share, loss, self.state.step)
            self.precision.adapt(faults)
            return loss
        self.clipping(self._parameters)
        self.optimizer.step(lr, skip)
        self.averaging.update(skip)
        self.precision.adapt(faults)
        self._totals.add(loss, weight, skip=skip)
        return loss

    def _computed(self, share: _Share) -> tuple[Tensor, Tensor | float]:
        """Put the batch's gradients in place; return its mean loss, and what that divides by."""
        return self._gradients.compute(
            share.batch, self.state, of_rows=share.of_rows, is_idle=share.is_idle
        )

    def _ask(self) -> None:
        """Wait for the device, and stop if one of the steps so far was not finite.

        Raises:
            DivergedError: One was not. Nor was any update made after it.
        """
        step = self._failure.step() if self._is_deferred else None
        if step is None or self._visited is None:
            return
        share = self._share(*self._visited, self.state.batch - (self.state.step - step))
        self.optimizer.zero_grad()
        loss, _ = self._computed(share)
        raise self._diverged(share, loss, step)

    def _diverged(self, share: _Share, loss: Tensor, step: int) -> DivergedError:
        number = self.state.batch - (self.state.step - step)
        own = first_not_finite(
            self.model,
            share.batch,
            self.evaluation.loss,
            self._placement.parameters(self.model),
            first_row=share.first_row,
        )
        found = min(self.distribution.gather(own))  # the rank where it began
        return DivergedError(
            f"training stopped being finite at step {step + 1} (epoch {self.state.epoch + 1}, "
            f"batch {number + 1}), where the loss is {loss.item():.4g}: {found.words}; "
            "no update was made with it",
            suggestion="lower `optimizer.lr`, or look at the data of that batch",
        )

    def _finish_epoch(self, val: Examples | None, lr: float) -> EpochReport:
        self._ask()
        state = self.state
        state.epoch, state.batch = state.epoch + 1, 0
        with self.averaging.applied():
            scores = (
                None if val is None else self.evaluation.scores(self.model, val, self.distribution)
            )
        loss = self._totals.mean()  # NaN if no step could be made
        train: Scores = {"loss": None if isnan(loss) else loss}
        report = EpochReport(state.epoch, state.step, lr, train, scores)
        state.history.append(self.distribution.first(report))  # what hangs on it hangs together
        return state.history[-1]


def _of_rank(rank: int) -> str:
    """Return how the names of a rank's own tensors end; of rank 0 they are those of one process."""
    return f".{rank}" if rank else ""


def tensors_of(tensors: Mapping[str, Tensor], group: str) -> dict[str, Tensor]:
    """Return the tensors of one group of `Trainer.tensors`, such as `model`, by their own names."""
    prefix = f"{group}/"
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }
