"""The training loop: forward, backward, step. Its consumer saves, shows and stops."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isfinite

import torch
from torch import Tensor, nn

from dlcli.errors import DivergedError
from dlcli.training.averaging import Averaging, NoAveraging
from dlcli.training.diagnosis import first_not_finite
from dlcli.training.distributed import Distribution, SingleProcess
from dlcli.training.evaluation import Evaluation
from dlcli.training.precision import FullPrecision, Precision
from dlcli.training.protocols import Batch, Examples, Optimizer, Schedule
from dlcli.training.randomness import epoch_order, seed_epoch
from dlcli.training.state import EpochReport, State
from dlcli.training.totals import Totals


@dataclass(frozen=True)
class Step:
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
        precision: In which precision to compute.
        averaging: Averages of the weights.
        distribution: This process among others.
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
        precision: Precision | None = None,
        averaging: Averaging | None = None,
        distribution: Distribution | None = None,
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self.schedule = schedule
        self.evaluation = evaluation
        self.seed = seed
        self.batch_size = batch_size
        self.state = state or State()
        self.precision = precision or FullPrecision()
        self.averaging = averaging or NoAveraging()
        self.distribution = distribution or SingleProcess()
        self._parameters = [p for p in model.parameters() if p.requires_grad]
        self._device = self._parameters[0].device
        self._totals = Totals(self._device)

    def steps(self, train: Examples, val: Examples | None, *, epochs: int) -> Iterator[Step]:
        """Train until `epochs` epochs are complete; yield after every optimizer step.

        Raises:
            DivergedError: A loss or gradient is not finite; that step's update was not made.
        """
        self.model.train()
        while self.state.epoch < epochs:
            yield from self._epoch(train, val)

    def tensors(self) -> dict[str, Tensor]:
        """Return all tensors that a checkpoint needs to go on, by name; views, not copies."""
        named = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state(),
            "average": self.averaging.state(),
            "generator": {"cpu": torch.get_rng_state()},
            "totals": {"loss": self._totals.sums},
            "history": {"values": self.state.history_values()},
        }
        if self._device.type == "cuda":
            named["generator"]["cuda"] = torch.cuda.get_rng_state(self._device)
        return {f"{group}/{name}": t for group, part in named.items() for name, t in part.items()}

    def load(self, tensors: dict[str, Tensor]) -> None:
        """Take up the tensors that `tensors` returned, generators included."""
        self.model.load_state_dict(tensors_of(tensors, "model"))
        self.optimizer.load(tensors_of(tensors, "optimizer"))
        self.averaging.load(tensors_of(tensors, "average"))
        self._totals.sums.copy_(tensors["totals/loss"])
        torch.set_rng_state(tensors["generator/cpu"])
        if self._device.type == "cuda" and "generator/cuda" in tensors:
            torch.cuda.set_rng_state(tensors["generator/cuda"], self._device)

    def _epoch(self, train: Examples, val: Examples | None) -> Iterator[Step]:
        state = self.state
        if state.batch == 0:
            seed_epoch(self.seed, state.epoch, self.distribution.rank)
            self._totals = Totals(self._device)
        epoch, batches = state.epoch + 1, -(-len(train) // self.batch_size)
        order = self._order(len(train)).to(self._device)
        train = train.for_epoch(self.seed, state.epoch)
        for number in range(state.batch, batches):
            index = order[number * self.batch_size : (number + 1) * self.batch_size]
            batch = train.take(self.distribution.share(index))
            lr = self.optimizer.lr * self.schedule(state.step, state.history)
            loss = self._update(batch, lr)
            state.step += 1
            state.batch += 1
            report = self._finish_epoch(val, lr) if state.batch == batches else None
            yield Step(epoch, number + 1, batches, len(batch), loss, report)

    def _order(self, rows: int) -> Tensor:
        """Return the order (rows,) of the epoch; rows that fill one batch stand as they are.

        Another order of them would change nothing but the last bits of their sums.
        """
        if self.batch_size >= rows:
            return torch.arange(rows)
        return epoch_order(self.seed, self.state.epoch, rows)

    def _update(self, batch: Batch, lr: float) -> Tensor:
        """Make one optimizer step; return the mean loss of the batch."""
        self.optimizer.zero_grad()
        loss, weight = self._backward(batch)
        self.distribution.synchronize(self.model)
        if not self._is_finite(loss):
            raise self._diverged(batch, loss)
        self.optimizer.step(lr)
        self.averaging.update(self.model)
        self._totals.add(loss, weight)
        return loss

    def _backward(self, batch: Batch) -> tuple[Tensor, Tensor | float]:
        """Add up the gradients of a batch; return its mean loss and weight."""
        weight = self.evaluation.loss.weight(batch.targets)
        if self.state.parts == 1:
            return self._part(batch, None), weight
        losses = [
            self._part(part, self.evaluation.loss.weight(part.targets) / weight)
            for part in batch.parts(self.state.parts)
        ]
        return torch.stack(losses).sum(), weight

    def _part(self, part: Batch, share: Tensor | float | None) -> Tensor:
        """Run forward and backward; `share` is the part's share of its batch's weight."""
        with self.precision.forward():
            loss = self.evaluation.loss(self.model(part.inputs), part.targets)
            if share is not None:
                loss = loss * share
        self.precision.backward(loss)
        return loss.detach()

    def _is_finite(self, loss: Tensor) -> bool:
        """Say whether the loss and every gradient are finite; waits for the device."""
        gradients = [p.grad for p in self._parameters if p.grad is not None]
        found, one = torch.zeros(1, device=self._device), torch.ones(1, device=self._device)
        # One kernel for all; the gradients are multiplied by 1, which changes no bit of them.
        torch._amp_foreach_non_finite_check_and_unscale_(gradients, found, one)
        return not found.item() and isfinite(loss.item())

    def _diverged(self, batch: Batch, loss: Tensor) -> DivergedError:
        state = self.state
        return DivergedError(
            f"training stopped being finite at step {state.step + 1} (epoch {state.epoch + 1}, "
            f"batch {state.batch + 1}), where the loss is {loss.item():.4g}: "
            + first_not_finite(self.model, batch, self.evaluation.loss)
            + "; no update was made with it",
            suggestion="lower `optimizer.lr`, or look at the data of that batch",
        )

    def _finish_epoch(self, val: Examples | None, lr: float) -> EpochReport:
        state = self.state
        state.epoch, state.batch = state.epoch + 1, 0
        self._totals.sums = self.distribution.sum(self._totals.sums)
        with self.averaging.applied(self.model):
            scores = None if val is None else self.evaluation.scores(self.model, val)
        report = EpochReport(state.epoch, state.step, lr, {"loss": self._totals.mean()}, scores)
        state.history.append(report)
        return report


def tensors_of(tensors: Mapping[str, Tensor], group: str) -> dict[str, Tensor]:
    """Return the tensors of one group of `Trainer.tensors`, such as `model`, by their own names."""
    prefix = f"{group}/"
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }
