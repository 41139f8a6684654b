"""Fits a preprocessor in passes over the training rows, and fills tensors with encoded rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import torch

from dlcli.config.data import DataOptions, Scaling
from dlcli.data.encoders.encoder import CellError, Encoder, Fit
from dlcli.data.encoders.registry import class_fit, input_fit, number_target_fit
from dlcli.data.examples import ResidentExamples
from dlcli.data.preprocessor import Preprocessor, located
from dlcli.data.sources.source import Source, Sources, Task
from dlcli.data.split import PARTS
from dlcli.errors import DataError

_KEPT_BYTES = 48 << 20  # values kept at once for medians and quartiles


def fit_preprocessor(
    sources: Sources,
    options: DataOptions,
    *,
    task: Task,
    target_scaling: Scaling,
    part_of: np.ndarray,
    watch: Callable[[pa.RecordBatch], None],
) -> Preprocessor:
    """Fit every column on the training rows.

    Args:
        sources: The data set.
        options: How to fill and scale.
        task: Decides on the encoders of the targets.
        target_scaling: For regression.
        part_of: Part of each row of `sources.train` as its index in `PARTS`, or -1.
        watch: Is shown the training rows of the first pass as well.

    Raises:
        DataError: A cell is not what its column holds.
    """
    kinds = sources.train.kinds
    fits = {name: input_fit(name, kinds[name], options, sources.folder) for name in sources.inputs}
    target_fits: dict[str, Fit] = {
        name: class_fit(name, kinds[name])
        if task == "classification"
        else number_target_fit(name, target_scaling)
        for name in sources.targets
    }
    finished = fit_columns(sources.train, {**fits, **target_fits}, part_of, watch)
    return Preprocessor(
        {name: finished[name] for name in fits}, {name: finished[name] for name in target_fits}
    )


def fit_columns(
    source: Source,
    fits: Mapping[str, Fit],
    part_of: np.ndarray,
    watch: Callable[[pa.RecordBatch], None] | None = None,
) -> dict[str, Encoder]:
    """Fit columns in passes over the training rows; see `fit_preprocessor`."""
    _pass(source, fits, part_of, watch)
    wanting = [name for name, fit in fits.items() if fit.again()]
    rows = int((part_of == 0).sum())
    at_once = max(1, _KEPT_BYTES // (8 * rows))
    finished: dict[str, Encoder] = {}
    for start in range(0, len(wanting), at_once):
        some = wanting[start : start + at_once]
        _pass(source, {name: fits[name] for name in some}, part_of)
        finished |= {name: _finish(fits[name]) for name in some}
    return finished | {name: _finish(fit) for name, fit in fits.items() if name not in finished}


def encode_parts(
    source: Source, preprocessor: Preprocessor, part_of: np.ndarray, parts: Sequence[str]
) -> dict[str, ResidentExamples]:
    """Return the rows of these parts as tensors, each allocated once and filled in file order.

    Args:
        source: The rows.
        preprocessor: Encodes them.
        part_of: Part of each row as its index in `PARTS`, or -1.
        parts: Those to return; a part without rows is left out.
    """
    counts = {part: int((part_of == PARTS.index(part)).sum()) for part in parts}
    filled = {part: preprocessor.allocate(count) for part, count in counts.items() if count}
    places = dict.fromkeys(filled, 0)
    for part, rows in encoded_rows(source, preprocessor, part_of, list(filled)):
        places[part] = _put(filled[part], places[part], rows)
    return filled


def encoded_rows(
    source: Source, preprocessor: Preprocessor, part_of: np.ndarray, parts: Sequence[str]
) -> Iterator[tuple[str, ResidentExamples]]:
    """Yield the rows of these parts in file order, some at a time; see `encode_parts`."""
    wanted = [PARTS.index(part) for part in parts]
    for batch, part_here in _with_parts(source, _columns(preprocessor), part_of):
        is_wanted = np.isin(part_here, wanted)
        chosen, part_here = _filter(batch, is_wanted), part_here[is_wanted]
        if not chosen.num_rows:
            continue
        encoded = preprocessor.encode(chosen, among=batch)
        whole = ResidentExamples(dict(encoded.inputs), encoded.targets)
        for part, number in zip(parts, wanted, strict=True):
            mask = part_here == number
            if mask.any():
                yield part, whole if mask.all() else _masked(whole, mask)


def encode_labelled(
    batches: Iterator[pa.RecordBatch], preprocessor: Preprocessor
) -> ResidentExamples:
    """Return new labelled records as tensors, in their order.

    Raises:
        DataError: There are none, or a cell is not what its column holds.
    """
    encoded = [preprocessor.encode(batch) for batch in batches]
    if not encoded:
        raise DataError("there are no records")
    blocks = {
        name: torch.cat([batch.inputs[name] for batch in encoded]) for name in encoded[0].inputs
    }
    return ResidentExamples(blocks, torch.cat([batch.targets for batch in encoded]))


def _columns(preprocessor: Preprocessor) -> list[str]:
    return [*preprocessor.inputs, *preprocessor.targets]


def _pass(
    source: Source,
    fits: Mapping[str, Fit],
    part_of: np.ndarray,
    watch: Callable[[pa.RecordBatch], None] | None = None,
) -> None:
    for batch, part_here in _with_parts(source, list(fits), part_of):
        trained = _filter(batch, part_here == 0)
        if not trained.num_rows:
            continue
        for name, fit in fits.items():
            try:
                fit.add(trained.column(name))
            except CellError as error:
                raise located(error, batch) from error
        if watch is not None:
            watch(trained)


def _with_parts(
    source: Source, columns: list[str], part_of: np.ndarray
) -> Iterator[tuple[pa.RecordBatch, np.ndarray]]:
    row = 0
    for batch in source.chunks(columns):
        yield batch, part_of[row : row + batch.num_rows]
        row += batch.num_rows
    if row != len(part_of):
        raise DataError(f"the data changed while they were read: {row} rows, {len(part_of)} before")


def _filter(batch: pa.RecordBatch, mask: np.ndarray) -> pa.RecordBatch:
    return batch if mask.all() else batch.filter(pa.array(mask))


def _finish(fit: Fit) -> Encoder:
    try:
        return fit.finish()
    except CellError as error:
        raise DataError(
            f"column `{error.column}`: its largest training value, {error.value}, {error.reason}",
            suggestion="mend that cell, or leave the column out",
        ) from error


def _masked(rows: ResidentExamples, mask: np.ndarray) -> ResidentExamples:
    """Return some of the rows. With numpy: torch would wait for its threads at each small copy."""
    blocks = {name: torch.from_numpy(block.numpy()[mask]) for name, block in rows.inputs.items()}
    return ResidentExamples(blocks, torch.from_numpy(rows.targets.numpy()[mask]))


def _put(examples: ResidentExamples, start: int, rows: ResidentExamples) -> int:
    """Copy rows to their place; return where the next ones go. With numpy: see `_masked`."""
    end = start + len(rows)
    for name, block in examples.inputs.items():
        block.numpy()[start:end] = rows.inputs[name].numpy()
    examples.targets.numpy()[start:end] = rows.targets.numpy()
    return end
