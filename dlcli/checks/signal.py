"""A check of whether the inputs tell anything about the target: shuffled labels do not.

Fits to some of the rows answer the others. The sum of answer times truth over these is compared
with what it would be if the truths stood in any other order: for that its mean (0, both centred)
and its variance are known without drawing one (Hoeffding 1951, for a permutation's bilinear sum).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import isnan, nan, sqrt
from time import monotonic

import torch
from torch import Tensor
from torch.nn import functional as F

from dlcli.build import Learner
from dlcli.checks.finding import Finding, sound, warning
from dlcli.checks.trial import trial
from dlcli.config.config import Config
from dlcli.data.chosen import chosen
from dlcli.data.examples import Examples, WindowExamples
from dlcli.data.spec import DataSpec
from dlcli.errors import DivergedError
from dlcli.models.stems import VectorStem
from dlcli.training.randomness import epoch_order

_ROWS = 2000
_VALUES = 1 << 25
"""Of all inputs of the rows that are looked at."""
_FEWEST_ROWS = 50
_SURE = 4.0
"""Standard errors above chance: by chance once in 30,000 fits."""
_STRENGTHS = (0.01, 0.1, 1.0)
"""Of ridge penalties, as shares of the mean of the kernel's diagonal."""
_ONE_HOT = 256
"""Categories up to which a column becomes one input each; others get random vectors."""
_TOKEN_WIDTH = 256
_PARTS = 3
_STEPS, _SECONDS = 300, 10.0


def check_signal(config: Config, learner: Learner, train: Examples) -> Finding | None:
    """Say whether anything in the inputs tells the target better than chance.

    First by linear and by kernel fits; only where these find nothing is a copy of the network
    trained for a moment, which sees what they do not.

    Returns:
        The finding; None for running text, whose targets are its own next tokens.
    """
    spec = learner.preprocessor.spec
    if spec.is_stream:
        return None
    stem = _stem(spec)
    most = max(_FEWEST_ROWS, min(_ROWS, _VALUES // stem.out.width))
    index = _independent(train, spec, most=most, seed=config.seed)
    rows = len(index)
    if rows < _FEWEST_ROWS:
        return sound("signal", f"{rows} independent rows are too few to tell labels from chance")
    batch = train.take(index)
    targets = _table(batch.targets, len(learner.task.classes))
    parts = _cut(rows, is_ordered=spec.window is not None)
    score = next(
        (s for s in _scores(_vectors(stem, batch.inputs), targets, parts) if s >= _SURE), 0
    )
    if score < _SURE:
        score = _network_score(config, learner, train, index, targets, parts[0])
    if score >= _SURE:
        return sound(
            "signal", f"the inputs tell of the target: {score:.0f} standard errors above chance"
        )
    steps = f"{_STEPS} steps of the network" + (", which diverged," if isnan(score) else "")
    return warning(
        "signal",
        f"the inputs tell nothing about the target: on {rows:,} training rows neither a linear "
        f"fit, a kernel fit nor {steps} answer rows that they have not seen better than chance",
        "see whether inputs and labels still belong together (a shuffled column, a wrong join); "
        "or the rows are too few for what they tell",
    )


def _independent(train: Examples, spec: DataSpec, *, most: int, seed: int) -> Tensor:
    """Return numbers (n,) of rows drawn at random; of windows, of such as do not overlap."""
    device = train.targets.device
    if isinstance(train, WindowExamples) and spec.window is not None:
        every = -(-(spec.window.past + spec.window.horizon) // train.stride)
        if len(train) // every < _FEWEST_ROWS:  # at least no target in two of them
            every = -(-spec.window.horizon // train.stride)
        numbers = torch.arange(0, len(train), every, device=device)
        return numbers[:: -(-len(numbers) // most)]
    return epoch_order(seed, 0, len(train))[:most].to(device)


def _cut(rows: int, *, is_ordered: bool) -> list[Tensor]:
    """Return the places (n,) of each part; of rows in order of time, stretches of it."""
    places = torch.arange(rows)
    if is_ordered:
        return list(places.chunk(_PARTS))
    return [places[part::_PARTS] for part in range(_PARTS)]


def _table(targets: Tensor, classes: int) -> Tensor:
    """Targets -> (N, D) float64: classes as one-hot, numbers scaled and cut at 3 deviations."""
    if classes:
        return F.one_hot(targets.long(), classes).double()
    values = targets.double().flatten(1) if targets.ndim > 1 else targets.double().unsqueeze(1)
    values = values - values.mean(0)
    return (values / values.std(0, unbiased=False).clamp(min=1e-30)).clamp(-3, 3)


def _stem(spec: DataSpec) -> VectorStem:
    """Return what puts all inputs side by side; of many categories and of tokens random vectors."""
    fields = []
    for field in spec.inputs:
        width = field.embedding_size
        if field.kind == "category":
            width = 0 if field.size <= _ONE_HOT else max(width, 64)
        elif field.kind == "tokens":
            width = _TOKEN_WIDTH
        fields.append(replace(field, embedding_size=width))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return VectorStem(replace(spec, inputs=tuple(fields)))


def _vectors(stem: VectorStem, inputs: dict[str, Tensor]) -> Tensor:
    """Input blocks -> all inputs side by side (N, F) float64, each scaled."""
    with torch.no_grad():
        device = next(iter(inputs.values())).device
        values = stem.to(device)(inputs).values.double()
    values = values - values.mean(0)
    deviation = values.std(0, unbiased=False)
    scaled: Tensor = values[:, deviation > 0] / deviation[deviation > 0]
    return scaled


def _scores(values: Tensor, targets: Tensor, parts: list[Tensor]) -> Iterator[float]:
    """Yield the score of each fit to values (N, F)."""
    if values.shape[1] == 0:
        return
    linear = values @ values.T / values.shape[1]  # (N, N)
    squares = linear.diagonal()
    distances = (squares[:, None] + squares[None] - 2 * linear).clamp(min=0)
    for kernel in (linear, torch.exp(-distances / distances.median().clamp(min=1e-12))):
        for strength in _STRENGTHS:
            penalty = strength * float(kernel.diagonal().mean())
            yield _score(
                [_held_out(kernel, targets, part, penalty) for part in parts],
                [targets[part] for part in parts],
            )


def _held_out(kernel: Tensor, targets: Tensor, part: Tensor, penalty: float) -> Tensor:
    """Return the answers (n, D) for a part by kernel ridge regression on all other rows."""
    others = torch.ones(len(targets), dtype=torch.bool, device=targets.device)
    others[part] = False
    fit, mean = kernel[others][:, others], targets[others].mean(0)
    fit = fit + penalty * torch.eye(len(fit), dtype=fit.dtype, device=fit.device)
    weights = torch.linalg.solve(fit, targets[others] - mean)
    answers: Tensor = kernel[part][:, others] @ weights + mean
    return answers


def _score(answers: list[Tensor], truths: list[Tensor]) -> float:
    """Return by how many standard errors answers fit truths (n, D) better than in another order."""
    total = variance = 0.0
    for told, true in zip(answers, truths, strict=True):
        told, true = told - told.mean(0), true - true.mean(0)
        total += float((told * true).sum())
        variance += float(((told.T @ told) * (true.T @ true)).sum()) / (len(told) - 1)
    return total / sqrt(variance) if variance > 0 else 0.0


def _network_score(
    config: Config,
    learner: Learner,
    train: Examples,
    index: Tensor,
    targets: Tensor,
    part: Tensor,
) -> float:
    """Return the score of a copy of the network, trained for a moment on the rows left over.

    NaN where that diverges.
    """
    held_out = index[part.to(index.device)]
    rest = torch.ones(len(train), dtype=torch.bool, device=index.device)
    rest[held_out] = False
    window = learner.preprocessor.spec.window
    if isinstance(train, WindowExamples) and window is not None:  # neighbours would tell of it
        reach = -(-(window.past + window.horizon) // train.stride)
        rest[int(held_out.min()) : int(held_out.max()) + reach] = False
    others = chosen(train, rest.nonzero().flatten())
    trainer = trial(config, learner, others)
    end = monotonic() + _SECONDS
    try:
        for step, _ in enumerate(trainer.steps(others, None, epochs=_STEPS), start=1):
            if step >= _STEPS or monotonic() > end:
                break
    except DivergedError:
        return nan
    judged = chosen(train, held_out)
    place = held_out.argsort()
    outputs = [one for one, _ in learner.evaluation.outputs(trainer.model, judged)]
    answers = torch.cat([learner.loss.link(one).double() for one in outputs])
    return _score([answers.reshape(len(answers), -1)], [targets[part][place.to(targets.device)]])
