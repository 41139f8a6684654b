"""Records in, predictions out: reading, encoding and computing go on side by side; order is kept.

A batch is read while the one before it is encoded, and that one while the network computes on the
one before it. So memory holds a few batches, however many there are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from dlcli.commands.ahead import ahead
from dlcli.commands.inputs import Given
from dlcli.commands.wishes import Wishes
from dlcli.data.sources.source import origin
from dlcli.data.unseen import Names, part_of, records_to_predict
from dlcli.errors import DataError
from dlcli.progress import Talk
from dlcli.report.predictions import Predictions
from dlcli.rounding import rounded
from dlcli.trained import TrainedModel

if TYPE_CHECKING:
    import pyarrow as pa
    from torch import Tensor


@dataclass(frozen=True)
class _Encoded:
    """A batch as the network takes it.

    Attributes:
        blocks: Inputs (N, ...) by name.
        names: What each record is called.
    """

    blocks: Mapping[str, Tensor]
    names: Names


def predictions(
    model: TrainedModel, given: Given, wishes: Wishes, notes: Counter[str], talk: Talk
) -> Iterator[Predictions]:
    """Yield the predictions for one input; what is odd about its records is counted in `notes`.

    Raises:
        DataError: A record cannot be read, and they are not to be left out; or the input cannot.
    """
    encode = partial(_encoded, model, notes)
    if wishes.is_skipping:
        encode = partial(_readable, model, notes, talk)
    batches = ahead(records_to_predict(given, model.config.data, model.learner.preprocessor))
    for one in ahead(one for batch, names in batches for one in encode(batch, names)):
        yield _predicted(model, one, wishes)


def _encoded(
    model: TrainedModel, notes: Counter[str], records: pa.RecordBatch, names: Names
) -> Iterator[_Encoded]:
    """Yield the one batch that records are."""
    blocks, found = model.learner.preprocessor.encode_noting(records)
    for column, odd in found.items():
        notes.update({f"column `{column}`, {what}": count for what, count in odd.items()})
    yield _Encoded(blocks, names)


def _readable(
    model: TrainedModel, notes: Counter[str], talk: Talk, records: pa.RecordBatch, names: Names
) -> Iterator[_Encoded]:
    """Yield the records that can be read, found by halving; say the others.

    They are numbered where they have no names: with some left out, their order would mislead.
    """
    count, first = records.num_rows, origin(records)[1] + 1
    names = names or {"row": range(first, first + count)}
    try:
        yield from _encoded(model, notes, records, names)
    except DataError as error:
        if count == 1:
            talk.say(f"skipped: {error}")
            notes["records that cannot be read, left out"] += 1
            return
        for part in (slice(0, count // 2), slice(count // 2, count)):
            some = part_of(records, part.start, part.stop - part.start)
            theirs = {name: cells[part] for name, cells in names.items()}
            yield from _readable(model, notes, talk, some, theirs)


def _predicted(model: TrainedModel, batch: _Encoded, wishes: Wishes) -> Predictions:
    answers = model.compute(batch.blocks)
    task = model.learner.task
    values, names = task.decode(answers), task.names
    if not model.has_confidence:
        return Predictions(names, values, places=batch.names)
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
    return Predictions(names, values, confidence, probabilities, ranked, batch.names)


def _ranked(answers: Tensor, classes: Sequence[str], count: int) -> list[list[tuple[str, float]]]:
    shares, codes = answers.topk(min(count, len(classes)), dim=1)
    places = [
        [(classes[code], share) for code, share in zip(column.tolist(), sure, strict=True)]
        for column, sure in zip(codes.unbind(1), map(rounded, shares.unbind(1)), strict=True)
    ]
    return [list(ranked) for ranked in zip(*places, strict=True)]
