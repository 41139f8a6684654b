"""Tables in long format: the rows of an id become one sequence of steps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dlcli.config.data import SequencesOptions
from dlcli.data.encoders.encoder import CellError
from dlcli.data.encoders.parse import numbers
from dlcli.data.encoders.steps import StepsEncoder
from dlcli.data.preprocessor import Preprocessor, located
from dlcli.data.sources.cells import texts
from dlcli.data.sources.dates import parse_dates
from dlcli.data.sources.dialect import dialect_of
from dlcli.data.sources.memory import MemorySource
from dlcli.data.sources.records import read_records
from dlcli.data.sources.roles import column_names
from dlcli.data.sources.source import ColumnKind, Source, Sources, origin, with_origin
from dlcli.data.sources.table import open_table
from dlcli.data.wording import counted
from dlcli.errors import ConfigError, DataError, Fault

STEPS = "steps"
"""Name of the column of sequences."""
_SHOWN = 10
_Origin = tuple[str, int, int]
"""Of a batch: its file, its first row there, 0-based, and how many."""


def open_sequences(options: SequencesOptions, folder: Path) -> Sources:
    """Open the table and gather the rows of each id.

    Args:
        options: The `data` section.
        folder: What relative paths start from.

    Raises:
        ConfigError: The config names columns that are not there, or no column holds numbers.
        DataError: A file is missing or damaged, an id or time is missing, or an id has two
            targets or two rows of one time.
    """
    column_names(options, folder, ["id", "time"])
    types = {**options.types, options.id: "categorical"}
    if options.time is not None:  # inferred all the same, but known to be no row id
        types.setdefault(options.time, None)  # type: ignore[arg-type]
    opened = open_table(options.model_copy(update={"types": types}), folder)
    kinds = opened.train.kinds
    if options.time is not None and kinds[options.time] not in ("numeric", "date"):
        raise ConfigError(
            f"`{options.time}` is {kinds[options.time]}, neither numbers nor dates",
            path=("data", "time"),
        )
    others = [name for name in opened.inputs if name not in (options.id, options.time)]
    values = [name for name in others if kinds[name] == "numeric"]
    if not values:
        raise ConfigError("no column of numbers is left to predict from", path=("data",))
    warnings = opened.warnings
    if left := [name for name in others if name not in values]:
        warnings += (
            f"left out, not numbers: {', '.join(left)} "
            f"(`drop: [{', '.join(left)}]` says that it is meant)",
        )
    once = {name: kinds[name] for name in opened.targets}
    beside = {name: kinds[name] for name in (options.split.column, options.split.group) if name}

    def gathered(source: Source, once: Mapping[str, ColumnKind]) -> MemorySource:
        names = [name for name in (options.id, options.time, *values, *once) if name]
        batch = gather(source.chunks(names), options, values, once)
        if options.missing.numeric == "refuse":
            _refuse_missing(batch, options.id)
        place = origin(batch)[0]
        return MemorySource(pa.table(batch), {**once, STEPS: "steps"}, place)

    return replace(
        opened,
        train=gathered(opened.train, once | beside),
        val=gathered(opened.val, once) if opened.val else None,
        test=gathered(opened.test, once) if opened.test else None,
        inputs=(STEPS,),
        warnings=warnings,
    )


def read_sequences(
    given: Path | BinaryIO | Sequence[Mapping[str, object]],
    options: SequencesOptions,
    preprocessor: Preprocessor,
    *,
    has_targets: bool = False,
) -> Iterator[pa.RecordBatch]:
    """Yield sequences to predict: the columns `steps`, targets, and the id where rows have one.

    Args:
        given: A table in long format, a stream of one, or records; or records that have `steps`.
        options: The `data` section of the training.
        preprocessor: Fitted there.
        has_targets: Gather the targets, too.

    Raises:
        DataError: Columns are missing, or a cell is not what its column holds.
    """
    dialect = dialect_of(options)
    encoder = preprocessor.inputs[STEPS]
    assert isinstance(encoder, StepsEncoder)
    columns, targets = encoder.columns, tuple(preprocessor.targets) if has_targets else ()
    if isinstance(given, Sequence) and any(STEPS in record for record in given):
        yield from read_records(given, dialect, needed=[STEPS, *targets])
        return
    needed = [name for name in (options.id, options.time, *columns, *targets) if name]
    once: dict[str, ColumnKind] = dict.fromkeys(targets, "categorical")
    yield gather(read_records(given, dialect, needed=needed), options, columns, once)


def gather(
    batches: Iterable[pa.RecordBatch],
    options: SequencesOptions,
    values: Sequence[str],
    once: Mapping[str, ColumnKind],
) -> pa.RecordBatch:
    """Return a row per id, in the order in which the ids first appear.

    Args:
        batches: Rows with the id, the time if there is one, `values` and `once`.
        options: Say which columns these are.
        values: Columns of numbers, which become the records of `steps`.
        once: Columns that say the same in every row of an id.

    Raises:
        DataError: An id or time is missing, a cell is not what its column holds, an id has two rows
            of one time, or a column of `once` says two things of an id.
    """
    origins: list[_Origin] = []
    read: dict[str, list[pa.Array]] = {}
    for batch in batches:
        origins.append((*origin(batch), batch.num_rows))
        for name, cells in _read(batch, options, values, once).items():
            read.setdefault(name, []).append(cells)
    if not read:
        raise DataError("there are no rows")
    columns = {name: pa.chunked_array(cells).combine_chunks() for name, cells in read.items()}
    ids = columns[options.id].dictionary_encode()
    codes = ids.indices.to_numpy()
    keys = (codes,) if options.time is None else (columns[options.time].to_numpy(), codes)
    order = np.lexsort(keys)  # stable: rows stay in their order
    if options.time is not None:
        _refuse_twins(keys, order, ids, options.time, origins)
    starts = np.concatenate([[0], np.cumsum(np.bincount(codes))])
    rows = pa.array(order)
    numbers_of = [columns[name].take(rows) for name in values]
    steps = pa.ListArray.from_arrays(
        pa.array(starts, pa.int32()), pa.StructArray.from_arrays(numbers_of, names=list(values))
    )
    said = {name: _once(columns[name].take(rows), starts, ids.dictionary, name) for name in once}
    found = pa.record_batch({options.id: ids.dictionary, STEPS: steps, **said})
    return with_origin(found, origins[0][0], 0)


def _refuse_twins(
    keys: Sequence[np.ndarray],
    order: np.ndarray,
    ids: pa.Array,
    time: str,
    origins: Sequence[_Origin],
) -> None:
    """Refuse two rows of an id that have the same time.

    Args:
        keys: Time and code of the id of each row (N,).
        order: The rows (N,) sorted by id, then by time.
        ids: Of each row.
        time: The column.
        origins: Where the rows come from.
    """
    is_twin = np.logical_and.reduce([np.diff(key[order]) == 0 for key in keys])
    if not is_twin.any():
        return
    before, twins = order[:-1][is_twin], order[1:][is_twin]
    first = int(twins.argmin())
    raise DataError(
        f"{_place(origins, twins[first])}, column `{time}`: `{ids[int(twins[first])]}` has this "
        f"time in {_place(origins, before[first])}, already, and a sequence has one row of each "
        f"time" + (f"; there are {len(twins):,} such rows" if len(twins) > 1 else ""),
        suggestion="remove one of the two; or train with `time: null`: in the file's order",
    )


def _place(origins: Sequence[_Origin], row: int) -> str:
    """Return the file of a row and its number there, 1-based."""
    for place, first, count in origins:
        if row < count:
            return f"{place}, row {first + row + 1}"
        row -= count
    raise AssertionError(row)


def _read(
    batch: pa.RecordBatch,
    options: SequencesOptions,
    values: Sequence[str],
    once: Mapping[str, ColumnKind],
) -> dict[str, pa.Array]:
    """Return ids as texts, times and values as float64, and the rest as numbers or texts."""
    try:
        found = {options.id: texts(batch.column(options.id))}
        if options.time is not None:
            found[options.time] = _times(batch.column(options.time), options.time)
        for name in values:
            found[name] = pa.array(numbers(batch.column(name), name))
        for name, kind in once.items():
            cells = batch.column(name)
            if kind == "numeric":
                found[name] = pa.array(numbers(cells, name), from_pandas=True)
            else:
                found[name] = texts(cells)
        for name in filter(None, (options.id, options.time)):
            if found[name].null_count:
                raise CellError(name, None, "is missing")
    except CellError as error:
        raise located(error, batch) from error
    return found


def _times(array: pa.Array, name: str) -> pa.Array:
    """Return numbers or dates as float64."""
    try:
        return pa.array(numbers(array, name), from_pandas=True)
    except CellError:
        pass
    try:
        return parse_dates(array).cast(pa.int64()).cast(pa.float64(), safe=False)
    except ValueError as error:
        raise CellError(name, array[0].as_py(), "is neither a number nor a date") from error


def _once(cells: pa.Array, starts: np.ndarray, ids: pa.Array, name: str) -> pa.Array:
    """Return what a column says of each id (N,); null where it says nothing.

    Args:
        cells: Sorted by id.
        starts: Where each id's rows begin, and the end (N + 1,).
        ids: (N,).
        name: The column.
    """
    encoded = cells.dictionary_encode()
    codes = encoded.indices.fill_null(-1).to_numpy()
    most = np.maximum.reduceat(codes, starts[:-1])
    least = np.minimum.reduceat(np.where(codes < 0, len(encoded.dictionary), codes), starts[:-1])
    torn = np.flatnonzero((most >= 0) & (least != most))
    if len(torn):
        shown = "; ".join(
            f"{ids[one]} has {encoded.dictionary[least[one]]} and {encoded.dictionary[most[one]]}"
            for one in torn[:_SHOWN].tolist()
        )
        found = f"`{name}` must be one of a sequence, and differs within {counted(len(torn), 'id')}"
        raise DataError([Fault(found, note=shown + "; ..." * (len(torn) > _SHOWN))])
    return encoded.dictionary.take(pa.array(most, pa.int32(), mask=most < 0))


def _refuse_missing(batch: pa.RecordBatch, id_column: str) -> None:
    """Refuse a missing number.

    Raises:
        DataError: There is one.
    """
    steps = batch.column(STEPS)
    owners = pc.list_parent_indices(steps)
    flat = steps.flatten()
    for field in flat.type:
        is_missing = np.isnan(flat.field(field.name).to_numpy())
        if is_missing.any():
            one = batch.column(id_column)[owners[int(is_missing.argmax())].as_py()]
            raise DataError(
                f"column `{field.name}` is missing in a row of `{one}`, which "
                "`missing.numeric: refuse` forbids"
            )
