"""Scores of a model over a part: loss and metrics, exact over any batching."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import isnan, nan
from typing import Protocol, TypeVar

import torch
from torch import Tensor, nn

from dlcli.training.distributed import Distribution, SingleProcess
from dlcli.training.protocols import Batch, Examples, Loss
from dlcli.training.state import Scores
from dlcli.training.totals import Totals

E = TypeVar("E", bound=Examples)
Baseline = Callable[[E, int, int], Tensor]
"""(examples, start, stop) -> answers (N, ...) that need no model."""


class Metric(Protocol):
    """A fold over batches."""

    higher_is_better: bool

    def update(self, answers: Tensor, targets: Tensor) -> None:
        """Take in one batch."""
        ...

    def value(self) -> float | None:
        """Return the metric over everything taken in; None where it is undefined."""
        ...


@dataclass(frozen=True)
class Evaluation:
    """How outputs are judged.

    Attributes:
        loss: The training loss, on outputs and targets as the model sees them.
        metrics: Makes the metrics anew, by name.
        answers: Outputs to what metrics judge: probabilities, or numbers in their units.
        truths: Targets likewise.
        batch_size: Rows at a time; the scores do not depend on it.
    """

    loss: Loss
    metrics: Callable[[], Mapping[str, Metric]]
    answers: Callable[[Tensor], Tensor]
    truths: Callable[[Tensor], Tensor]
    batch_size: int = 1024

    def scores(
        self, model: nn.Module, examples: Examples, distribution: Distribution | None = None
    ) -> Scores:
        """Return the loss and every metric of a model over all examples.

        Args:
            model: Of several ranks rank 0's is judged, and the others become like it.
            examples: All of them, on every rank.
            distribution: Who shares the work; the scores do not depend on it.
        """
        metrics = self.metrics()
        totals: Totals | None = None
        for outputs, batch in self.outputs(model, examples, distribution):
            if totals is None:
                totals = Totals(outputs.device)
            totals.add(self.loss(outputs, batch.targets), self.loss.weight(batch.targets))
            answers, truths = self.answers(outputs), self.truths(batch.targets)
            for metric in metrics.values():
                metric.update(answers, truths)
        loss = nan if totals is None else totals.mean()
        return {"loss": _defined(loss)} | _values(metrics)

    def baseline_scores(self, baseline: Baseline[E], examples: E) -> Scores:
        """Return every metric of answers that need no model.

        Args:
            baseline: Answers the examples from a start up to a stop, as a model would.
            examples: What to answer.
        """
        metrics = self.metrics()
        for start in range(0, len(examples), self.batch_size):
            stop = min(start + self.batch_size, len(examples))
            truths = self.truths(examples.slice(start, stop).targets)
            answers = baseline(examples, start, stop).to(truths.device)
            for metric in metrics.values():
                metric.update(answers, truths)
        return _values(metrics)

    def outputs(
        self, model: nn.Module, examples: Examples, distribution: Distribution | None = None
    ) -> Iterator[tuple[Tensor, Batch]]:
        """Yield a model's outputs with their batches, in order, without gradients; see `scores`."""
        ranks = distribution or SingleProcess()
        taken: dict[int, Batch] = {}

        def batch(number: int) -> Batch:
            start = number * self.batch_size
            return examples.slice(start, min(start + self.batch_size, len(examples)))

        def compute(number: int) -> Tensor:
            taken[number] = batch(number)
            outputs: Tensor = model(taken[number].inputs)
            return outputs

        was_training = model.training
        model.eval()
        try:
            with torch.inference_mode():
                ranks.align(model)
                count = -(-len(examples) // self.batch_size)
                for number, outputs in enumerate(ranks.in_turn(compute, count)):
                    yield outputs, taken.pop(number) if number in taken else batch(number)
        finally:
            model.train(was_training)


def _values(metrics: Mapping[str, Metric]) -> Scores:
    return {name: _defined(metric.value()) for name, metric in metrics.items()}


def _defined(value: float | None) -> float | None:
    return None if value is None or isnan(value) else value
