"""Bootstrap confidence intervals: how far a score would move with other rows of the same kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from dlcli.training.evaluation import Metric

_RESAMPLES = 1000
_FEWEST_RESAMPLES = 100
_BUDGET = 20_000_000  # rows in all resamples together: some seconds of work


def bootstrap_intervals(
    answers: Tensor, truths: Tensor, metrics: Callable[[], Mapping[str, Metric]], *, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """Return the percentile bootstrap's 95 % interval of every metric (Efron 1979).

    Rows are drawn with replacement 1,000 times, on large data less often, at least 100 times.

    Args:
        answers: (N, K) probabilities, or (N,) or (N, D) numbers.
        truths: (N, ...) targets.
        metrics: Makes the metrics anew.
        seed: Draws the rows.

    Returns:
        By metric, the 2.5 % and the 97.5 % quantile; a metric that was ever undefined is left out.
    """
    rows = len(truths)
    resamples = max(_FEWEST_RESAMPLES, min(_RESAMPLES, _BUDGET // max(rows, 1)))
    generator = torch.Generator().manual_seed(seed)
    values: dict[str, list[float | None]] = {}
    for _ in range(resamples):
        drawn = torch.randint(rows, (rows,), generator=generator)
        for name, metric in metrics().items():
            metric.update(answers[drawn], truths[drawn])
            values.setdefault(name, []).append(metric.value())
    return {
        name: _bounds([value for value in each if value is not None])
        for name, each in values.items()
        if None not in each
    }


def _bounds(values: list[float]) -> tuple[float, float]:
    low, high = torch.tensor(values, dtype=torch.float64).quantile(
        torch.tensor([0.025, 0.975], dtype=torch.float64)
    )
    return float(low), float(high)
