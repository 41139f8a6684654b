"""A check for leaks: an input that alone tells the target."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor
from torch.nn import functional as F

from dlcli.checks.finding import Finding, sound, warning
from dlcli.data.examples import Examples, ResidentExamples
from dlcli.data.spec import CATEGORIES, NUMBERS, DataSpec
from dlcli.training.randomness import epoch_order

_ROWS = 5000
_FEWEST_ROWS = 50
_NEARLY_ALL = 0.98
"""Share of what there is to tell, of errors or of variance, that one input may not tell alone."""


def check_leaks(train: Examples, spec: DataSpec, *, classes: int, seed: int = 0) -> Finding | None:
    """Say which inputs alone tell the target, nearly perfectly.

    Half of the rows are answered from the other half: by the row whose number is nearest, by the
    mean of those of the same category, or by a straight line.

    Args:
        train: The training part.
        spec: Its fields.
        classes: Number of classes; 0 for numbers.
        seed: Draws the rows that are looked at.

    Returns:
        The finding; None where the inputs are no columns of a table, or rows are too few.
    """
    columns = [field for field in spec.inputs if field.block in (NUMBERS, CATEGORIES)]
    is_table = isinstance(train, ResidentExamples) and len(columns) > 1
    if not is_table or len(train) < _FEWEST_ROWS:
        return None
    order = epoch_order(seed, 0, len(train))[:_ROWS].to(train.targets.device)
    batch = train.take(order)
    targets = _table(batch.targets, classes)
    found = {}
    for block, fields in spec.blocks.items():
        if block not in (NUMBERS, CATEGORIES):
            continue
        widths = [prod(field.shape) for field in fields]
        for field, values in zip(fields, torch.split(batch.inputs[block], widths, 1), strict=True):
            skill = max(
                _skill(column, targets, is_number=block == NUMBERS, is_class=classes > 0)
                for column in values.unbind(1)
            )
            if skill >= _NEARLY_ALL:
                found[field.name] = skill
    if not found:
        return sound("leak", f"none of {len(columns)} inputs tells the target alone")
    what = "of the majority class's errors go" if classes else "of its variance"
    told = ", ".join(f"`{name}` ({skill:.1%} {what})" for name, skill in found.items())
    return warning(
        "leak",
        f"one input alone tells the target: {told}",
        "if it is not known when a prediction is asked for, leave it out: "
        f"`data.drop: [{', '.join(found)}]`",
    )


def _table(targets: Tensor, classes: int) -> Tensor:
    """Targets (N,) or (N, D) -> (N, D) float64: classes as one-hot."""
    if classes:
        return F.one_hot(targets.long(), classes).double()
    return targets.double().reshape(len(targets), -1)


def _skill(column: Tensor, targets: Tensor, *, is_number: bool, is_class: bool) -> float:
    """Return how much of the targets (N, D) a column (N,) tells, 1 for all of it.

    Of classes it is the share of errors that the majority class makes and the column does not, of
    numbers the share of variance; of several numbers, that of the one told best.
    """
    first, second = slice(0, len(column) // 2), slice(len(column) // 2, None)
    answer = _nearest if is_number else _alike
    told = torch.empty_like(targets)
    for fit, judged in ((first, second), (second, first)):
        told[judged] = answer(column[fit], targets[fit], column[judged])
    if is_class:
        truth = targets.argmax(1)
        wrong = float((told.argmax(1) != truth).double().mean())
        usual = 1 - float(targets.mean(0).max())
        return 1 - wrong / usual if usual else 0.0
    rest = (targets - told).square().mean(0)
    if is_number:
        rest = torch.minimum(rest, _line_rest(column.double(), targets))
    variance = targets.var(0, unbiased=False)
    shares = 1 - rest / variance.clamp(min=1e-30)
    return float(shares.where(variance > 0, 0).max())  # of one that is constant there is nothing


def _nearest(values: Tensor, targets: Tensor, wanted: Tensor) -> Tensor:
    """Return for each wanted number the targets (n, D) of the row whose value is nearest."""
    ordered, order = values.double().sort()
    wanted = wanted.double()
    above = torch.searchsorted(ordered, wanted).clamp(max=len(ordered) - 1)
    below = (above - 1).clamp(min=0)
    is_below = (wanted - ordered[below]).abs() < (wanted - ordered[above]).abs()
    return targets[order[torch.where(is_below, below, above)]]


def _alike(codes: Tensor, targets: Tensor, wanted: Tensor) -> Tensor:
    """Return for each wanted category the mean target of its rows; of a new one that of all."""
    codes, wanted = codes.long(), wanted.long()
    size = int(max(codes.max(), wanted.max())) + 1
    sums = targets.new_zeros(size, targets.shape[1]).index_add_(0, codes, targets)
    counts = torch.bincount(codes, minlength=size).unsqueeze(1)
    means = torch.where(counts > 0, sums / counts.clamp(min=1), targets.mean(0))
    return means[wanted]


def _line_rest(column: Tensor, targets: Tensor) -> Tensor:
    """Return the mean square (D,) that a straight line leaves of the targets."""
    x, y = column - column.mean(), targets - targets.mean(0)
    slope = (x.unsqueeze(1) * y).sum(0) / x.square().sum().clamp(min=1e-30)
    return (y - x.unsqueeze(1) * slope).square().mean(0)
