"""`dlcli predict`: records in, predictions out, batch by batch in constant memory."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from dlcli.build import choose_threads
from dlcli.commands.forecast import forecasts
from dlcli.commands.generate import write_continuations
from dlcli.commands.inputs import Given, read_words
from dlcli.commands.wishes import Wishes
from dlcli.commands.writing import write_predictions
from dlcli.data.sources.dialect import dialect_of
from dlcli.data.sources.source import origin
from dlcli.data.unseen import Names, part_of, records_to_predict
from dlcli.errors import DataError, UsageError
from dlcli.files import relative
from dlcli.progress import Talk
from dlcli.report.predictions import FORMATS, Predictions
from dlcli.rounding import rounded
from dlcli.run import find_checkpoint
from dlcli.trained import TrainedModel, open_trained

if TYPE_CHECKING:
    import pyarrow as pa
    from torch import Tensor

_ROWS_AT_ONCE = 1 << 13
"""Rows of a batch, about: for a choice of threads."""


def predict_inputs(
    words: Sequence[str],
    *,
    checkpoint: str,
    wishes: Wishes,
    output: Path | None = None,
    is_forced: bool = False,
    output_format: str | None = None,
    runs_dir: Path,
    device: str,
    trust_code: bool = False,
    is_quiet: bool = False,
) -> None:
    """Predict what the words of the command line name, and write it.

    Args:
        words: See `dlcli.commands.inputs`.
        checkpoint: A file, a run directory, a run's name, or `latest`.
        wishes: What to write beside the answers.
        output: File to write; None writes to stdout.
        is_forced: Replace an output that exists.
        output_format: One of `FORMATS`; None takes a table on a terminal, else the output's ending
            or csv; a lone record with one answer gives the bare value.
        runs_dir: Where named runs are.
        device: Where to compute.
        trust_code: Whether code that the checkpoint holds may run.
        is_quiet: Say nothing on stderr.

    Raises:
        DlcliError: See `dlcli.errors` for each cause.
    """
    talk = Talk(is_quiet=is_quiet)
    if output is not None and output.exists() and not is_forced:
        raise UsageError(f"{output} exists", suggestion="--force replaces it")
    chosen = output_format or _format_of(output)
    if chosen is not None and chosen not in FORMATS:
        raise UsageError(f"--format {chosen} is unknown", suggestion=", ".join(FORMATS))
    path = find_checkpoint(checkpoint, runs_dir)
    if checkpoint == "latest":
        talk.say(f"checkpoint: {relative(path)}")
    model = open_trained(path, device=device, trust_code=trust_code)
    torch.set_num_threads(choose_threads(model.config, model.learner.network, rows=_ROWS_AT_ONCE))
    for warning in model.warnings:
        talk.warn(warning)
    _check_wishes(wishes, model.learner.task.name)
    if model.learner.task.name == "language_modeling":
        write_continuations(model, words, wishes, output, output_format, talk)
        return
    if wishes.needs_probabilities and not model.has_confidence:
        learner = model.learner
        raise UsageError(
            "--probs, --top-k and --min-confidence need a classifier that gives probabilities; "
            f"this is {learner.task.name} with the loss `{learner.loss_options.name}`"
        )
    has_header = dialect_of(model.config.data).header
    given = list(read_words(words, model.learner.preprocessor.spec.inputs, has_header=has_header))
    _check_overwriting(output, given)
    notes: Counter[str] = Counter()
    batches = _alike(_answers(model, given, wishes, notes, talk))
    is_plain = chosen is None and output is None and not wishes.needs_probabilities
    if is_plain and _is_lone(given) and not wishes.is_skipping:
        _write_bare(next(batches))
    else:
        write_predictions(batches, output, chosen or ("table" if sys.stdout.isatty() else "csv"))
    for note, count in notes.items():
        talk.warn(f"{note}: {count:,}")


def _check_overwriting(output: Path | None, given: Sequence[Given]) -> None:
    """Refuse an output that is one of the inputs.

    Raises:
        UsageError: It is.
    """
    files = [one for one in given if isinstance(one, Path)]
    if output is not None and output.exists() and any(output.samefile(file) for file in files):
        raise UsageError(f"{output} is what is being read", suggestion="give another --output")


def _check_wishes(wishes: Wishes, task: str) -> None:
    """Refuse options that mean nothing for a task.

    Raises:
        UsageError: One is given.
    """
    if wishes.is_skipping and task in {"forecasting", "language_modeling"}:
        raise UsageError(f"--skip-errors leaves out single records, and {task} has none")
    own: dict[str, dict[str, object]] = {
        "forecasting": {"--horizon": wishes.horizon, "--backtest": wishes.is_backtest or None},
        "language_modeling": {
            "--length": wishes.length,
            "--temperature": wishes.temperature,
            "--seed": wishes.seed,
        },
    }
    for other, options in own.items():
        given = [option for option, value in options.items() if value is not None]
        if given and task != other:
            raise UsageError(f"{given[0]} is for {other}, and this model was trained for {task}")


def _format_of(output: Path | None) -> str | None:
    """Return the format that an output's ending asks for; csv for any other file."""
    if output is None:
        return None
    ending = output.suffix.lower().removeprefix(".")
    return {"json": "json", "jsonl": "jsonl", "ndjson": "jsonl", "txt": "table"}.get(ending, "csv")


def _is_lone(given: Sequence[Given]) -> bool:
    return len(given) == 1 and isinstance(given[0], list) and len(given[0]) == 1


def _answers(
    model: TrainedModel, given: Sequence[Given], wishes: Wishes, notes: Counter[str], talk: Talk
) -> Iterator[Predictions]:
    """Yield the answers for all inputs; forecasts of several series say of which each is."""
    for one in given:
        if model.learner.task.name != "forecasting":
            yield from _predictions(model, one, wishes, notes, talk)
            continue
        for told in forecasts(model, one, wishes, notes):
            name = (
                str(one) if isinstance(one, Path) else "records" if isinstance(one, list) else "-"
            )
            file = {"file": [name] * len(told)} if len(given) > 1 else {}
            yield replace(told, places=file | dict(told.places))


def _predictions(
    model: TrainedModel, given: Given, wishes: Wishes, notes: Counter[str], talk: Talk
) -> Iterator[Predictions]:
    """Yield the predictions for one input; what is odd about its records is counted in `notes`."""
    preprocessor = model.learner.preprocessor
    for records, names in records_to_predict(given, model.config.data, preprocessor):
        if not wishes.is_skipping:
            yield _predict_records(model, records, names, wishes, notes)
            continue
        first = origin(records)[1] + 1  # with rows left out, their order alone would mislead
        rows = range(first, first + records.num_rows)
        yield from _readable(model, records, names or {"row": rows}, wishes, notes, talk)


def _readable(
    model: TrainedModel,
    records: pa.RecordBatch,
    names: Names,
    wishes: Wishes,
    notes: Counter[str],
    talk: Talk,
) -> Iterator[Predictions]:
    """Yield the predictions for the records that can be read, found by halving; say the others."""
    try:
        told = _predict_records(model, records, names, wishes, notes)
    except DataError as error:
        count = records.num_rows
        if count == 1:
            talk.say(f"skipped: {error}")
            notes["records that cannot be read, left out"] += 1
            return
        for part in (slice(0, count // 2), slice(count // 2, count)):
            some = part_of(records, part.start, part.stop - part.start)
            theirs = {name: cells[part] for name, cells in names.items()}
            yield from _readable(model, some, theirs, wishes, notes, talk)
    else:
        yield told


def _predict_records(
    model: TrainedModel, records: pa.RecordBatch, names: Names, wishes: Wishes, notes: Counter[str]
) -> Predictions:
    batch = model.learner.preprocessor.parsed(records)
    found = model.learner.preprocessor.notes(batch)
    told = replace(_predict_batch(model, batch, wishes), places=names)
    for column, odd in found.items():
        notes.update({f"column `{column}`, {what}": count for what, count in odd.items()})
    return told


def _alike(batches: Iterator[Predictions]) -> Iterator[Predictions]:
    """Yield every batch with the places that the first one has: a table has one head."""
    names: list[str] | None = None
    for one in batches:
        names = list(one.places) if names is None else names
        blank = [""] * len(one)
        yield replace(one, places={name: one.places.get(name, blank) for name in names})


def _predict_batch(model: TrainedModel, batch: pa.RecordBatch, wishes: Wishes) -> Predictions:
    answers = model.answers(batch)
    task = model.learner.task
    values, names = task.decode(answers), task.names
    if not model.has_confidence:
        return Predictions(names, values)
    confidence = rounded(answers.amax(1))
    if wishes.min_confidence is not None:
        least = wishes.min_confidence
        values = [
            [value if sure >= least else None for value, sure in zip(each, confidence, strict=True)]
            for each in values
        ]
    probabilities: dict[str, Sequence[float]] | None = None
    if wishes.has_probabilities:
        columns = zip(task.classes, answers.unbind(1), strict=True)
        probabilities = {name: rounded(column) for name, column in columns}
    ranked = None if wishes.top_k is None else _ranked(answers, task.classes, wishes.top_k)
    return Predictions(names, values, confidence, probabilities, ranked)


def _ranked(answers: Tensor, classes: Sequence[str], count: int) -> list[list[tuple[str, float]]]:
    shares, codes = answers.topk(min(count, len(classes)), dim=1)
    places = [
        [(classes[code], share) for code, share in zip(column.tolist(), sure, strict=True)]
        for column, sure in zip(codes.unbind(1), map(rounded, shares.unbind(1)), strict=True)
    ]
    return [list(ranked) for ranked in zip(*places, strict=True)]


def _write_bare(predictions: Predictions) -> None:
    sys.stdout.write(" ".join(str(column[0]) for column in predictions.values) + "\n")
