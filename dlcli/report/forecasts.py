"""Some forecasts of a part beside what came, for a picture; knows no model by name."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dlcli.data.examples import WindowExamples
from dlcli.tasks.task import Baseline
from dlcli.training.evaluation import Evaluation

_COUNT = 3


@dataclass(frozen=True)
class Forecasts:
    """Forecasts of a few windows, in units, on the CPU.

    Attributes:
        numbers: Which windows of the part, 0-based.
        past: What the targets were before (N, past, D).
        truths: What came (N, H, D).
        answers: What was told (N, H, D).
        naive: The last value over and over (N, H, D).
    """

    numbers: tuple[int, ...]
    past: Tensor
    truths: Tensor
    answers: Tensor
    naive: Tensor


def some_forecasts(
    evaluation: Evaluation, network: nn.Module, examples: WindowExamples, naive: Baseline
) -> Forecasts:
    """Return forecasts of windows that lie as far apart in the part as can be."""
    count = min(_COUNT, len(examples))
    numbers = torch.linspace(0, len(examples) - 1, count).round().long()
    few = examples.of(numbers.to(examples.rows.device))
    ((outputs, batch),) = evaluation.outputs(network, few)
    return Forecasts(
        tuple(numbers.tolist()),
        evaluation.truths(few.past_targets(0, count)).cpu(),
        evaluation.truths(batch.targets).cpu(),
        evaluation.answers(outputs).cpu(),
        naive(few, 0, count).cpu(),
    )
