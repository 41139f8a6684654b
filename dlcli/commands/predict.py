"""`dlcli predict`: records in, predictions out, batch by batch in constant memory."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import torch

from dlcli.build import choose_threads
from dlcli.commands.inputs import Given, read_words
from dlcli.data.sources.dialect import dialect_of
from dlcli.data.sources.records import read_records
from dlcli.errors import MachineError, UsageError
from dlcli.files import relative, replacing
from dlcli.progress import Talk
from dlcli.report.predictions import FORMATS, Predictions, open_writer
from dlcli.rounding import rounded
from dlcli.run import find_checkpoint
from dlcli.trained import TrainedModel, open_trained

if TYPE_CHECKING:
    import pyarrow as pa
    from torch import Tensor

_ROWS_AT_ONCE = 1 << 13
"""Rows of a batch, about: for a choice of threads."""


@dataclass(frozen=True)
class Wishes:
    """What is wanted of each prediction beside the answer itself.

    Attributes:
        has_probabilities: The probability of every class.
        top_k: So many of the likeliest classes; None for none.
        min_confidence: Leave predictions below this probability empty; None leaves none.
    """

    has_probabilities: bool = False
    top_k: int | None = None
    min_confidence: float | None = None

    @property
    def needs_probabilities(self) -> bool:
        """Whether any of it can only be told from probabilities."""
        return self.has_probabilities or self.top_k is not None or self.min_confidence is not None


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
    model = open_trained(path, device=device)
    torch.set_num_threads(choose_threads(model.config, model.learner.network, rows=_ROWS_AT_ONCE))
    for warning in model.warnings:
        talk.warn(warning)
    if wishes.needs_probabilities and not model.has_confidence:
        learner = model.learner
        raise UsageError(
            "--probs, --top-k and --min-confidence need a classifier that gives probabilities; "
            f"this is {learner.task.name} with the loss `{learner.loss_options.name}`"
        )
    given = list(read_words(words, list(model.learner.preprocessor.inputs)))
    files = [one for one in given if isinstance(one, Path)]
    if output is not None and output.exists() and any(output.samefile(file) for file in files):
        raise UsageError(f"{output} is what is being read", suggestion="give another --output")
    notes: Counter[str] = Counter()
    batches = (batch for one in given for batch in _predictions(model, one, wishes, notes))
    if chosen is None and output is None and _is_lone(given) and not wishes.needs_probabilities:
        _write_bare(next(batches))
    else:
        _write(batches, output, chosen or ("table" if sys.stdout.isatty() else "csv"))
    for note, count in notes.items():
        talk.warn(f"{note}: {count:,}")


def _format_of(output: Path | None) -> str | None:
    """Return the format that an output's ending asks for; csv for any other file."""
    if output is None:
        return None
    ending = output.suffix.lower().removeprefix(".")
    return {"json": "json", "jsonl": "jsonl", "ndjson": "jsonl", "txt": "table"}.get(ending, "csv")


def _is_lone(given: Sequence[Given]) -> bool:
    return len(given) == 1 and isinstance(given[0], list) and len(given[0]) == 1


def _predictions(
    model: TrainedModel, given: Given, wishes: Wishes, notes: Counter[str]
) -> Iterator[Predictions]:
    """Yield the predictions for one input; what is odd about its records is counted in `notes`."""
    preprocessor = model.learner.preprocessor
    batches = read_records(
        given,
        dialect_of(model.config.data),
        needed=list(preprocessor.inputs),
        optional=list(preprocessor.targets),
    )
    for records in batches:
        batch = preprocessor.parsed(records)
        for column, found in preprocessor.notes(batch).items():
            notes.update({f"column `{column}`, {what}": count for what, count in found.items()})
        yield _predict_batch(model, batch, wishes)


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


def _opened(output: Path | None, output_format: str) -> AbstractContextManager[BinaryIO]:
    if output is not None:
        return replacing(output)
    return _at_once() if output_format == "json" else _stdout()


def _stdout() -> BinaryIO:
    """Open stdout anew: under PYTHONUNBUFFERED its own buffer may write less than it is given."""
    return open(sys.stdout.fileno(), "wb", closefd=False)


@contextmanager
def _at_once() -> Iterator[BinaryIO]:
    """Yield a file that goes to stdout if nothing fails: half a JSON array is none."""
    with tempfile.TemporaryFile() as file:
        yield file
        file.seek(0)
        with _stdout() as stdout:
            shutil.copyfileobj(file, stdout)


def _write(batches: Iterator[Predictions], output: Path | None, output_format: str) -> None:
    if output is not None and not output.parent.is_dir():
        raise MachineError(f"there is no folder {output.parent} to write {output.name} in")
    with _opened(output, output_format) as stream:
        writer = open_writer(output_format, stream)
        for predictions in batches:
            writer.write(predictions)
        writer.finish()
