"""Rows of the user's: what a function gives, or what an object gives chunk by chunk."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from dlcli.config.code import Code
from dlcli.config.own import OwnDataOptions, keywords
from dlcli.config.types import fields_of
from dlcli.data.sources.cells import clean, column_array
from dlcli.data.sources.columns import check_names, target_names
from dlcli.data.sources.dialect import Dialect
from dlcli.data.sources.files import expanded
from dlcli.data.sources.scan import ColumnScan
from dlcli.data.sources.source import ColumnKind, Sources, with_origin
from dlcli.data.sources.table import kinds_of
from dlcli.errors import DataError, Fault

_ROWS = 1 << 14
_DIALECT = Dialect()


@dataclass(frozen=True)
class OwnSource:
    """Rows of the user's, cleaned as the cells of any table are; see `Source`.

    Attributes:
        rows: What the user's code gave: rows in memory, or an object with `chunks`.
        kinds: Kind of every usable column.
        code: What gave them, for messages.
    """

    rows: Any
    kinds: Mapping[str, ColumnKind]
    code: Code

    def chunks(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Yield the rows; see `Source.chunks`."""
        names = list(self.kinds if columns is None else columns)
        row = 0
        for batch in _batches(self.rows, names, self.code):
            yield with_origin(batch, self.code.label, row)
            row += batch.num_rows


def open_own_source(options: OwnDataOptions, folder: Path, *, own: Any) -> Sources:
    """Return the rows that the user's code gives.

    Args:
        options: What it is given by name; paths among that become whole ones.
        folder: What relative paths start from.
        own: A function that gives rows, or a class whose objects have `chunks(columns)`.

    Raises:
        ConfigError: The config names columns that are not there.
        DataError: There are no rows, or a column holds what no input takes.
        OwnCodeError: It gives something else than rows.
    """
    code = options.code
    assert code is not None
    given = own(**_with_folder(options, folder))
    rows = given if hasattr(given, "chunks") else _table(given, code)
    scans: dict[str, ColumnScan] = {}
    digest = hashlib.sha256()
    for batch in _batches(rows, None, code):
        digest.update(batch.schema.to_string().encode() + batch.serialize())
        for name, array in zip(batch.schema.names, batch.columns, strict=True):
            scans.setdefault(name, ColumnScan()).add(array)
    if not scans or not next(iter(scans.values())).rows:
        raise DataError(f"`{code.label}` gives no rows")
    check_names(options, list(scans), f"`{code.label}`")
    kinds, warnings = kinds_of(
        options, {name: scan for name, scan in scans.items() if name not in options.drop}
    )
    targets, outside = target_names(options), {options.split.column, options.split.group}
    inputs = tuple(name for name in kinds if name not in {*outside, *targets})
    if not inputs:
        fault = "no column is left to predict from"
        raise DataError([Fault(fault, path=("data",), note="; ".join(warnings))])
    return Sources(
        train=OwnSource(rows, kinds, code),
        val=None,
        test=None,
        targets=targets,
        inputs=inputs,
        fingerprint=digest.hexdigest(),
        warnings=tuple(warnings),
        folder=folder,
    )


def _with_folder(options: OwnDataOptions, folder: Path) -> dict[str, Any]:
    """Return what the code is given by name, paths as they are seen from here."""
    fields = fields_of(type(options))

    def whole(value: Any) -> Any:
        return [*map(whole, value)] if isinstance(value, list) else folder / expanded(value)

    def is_path(name: str) -> bool:
        members = fields[name].members if name in fields else ()
        return any(part.is_path for member in members for part in (member, *member.inner))

    return {
        name: whole(value) if value is not None and is_path(name) else value
        for name, value in keywords(options).items()
    }


def _batches(rows: Any, names: Sequence[str] | None, code: Code) -> Iterator[pa.RecordBatch]:
    """Yield rows with their cells cleaned: these columns, or all there are."""
    if isinstance(rows, pa.Table):
        parts: Iterable[Any] = rows.to_batches(max_chunksize=_ROWS)
    else:
        parts = rows.chunks(None if names is None else list(names))
    for part in parts:
        table = _table(part, code)
        wanted = table.column_names if names is None else names
        if missing := [name for name in wanted if name not in table.column_names]:
            raise code.error(f"gives chunks that lack `{missing[0]}`")
        for batch in table.select(wanted).to_batches(max_chunksize=_ROWS):
            cells = [clean(a, n, _DIALECT) for n, a in zip(wanted, batch.columns, strict=True)]
            yield pa.record_batch(cells, names=list(wanted))


def _table(given: Any, code: Code) -> pa.Table:
    """Return rows as a table.

    Args:
        given: Anything that Arrow reads (its own tables, pandas, polars); columns by name; or rows,
            each by column name.
        code: What gave them.

    Raises:
        OwnCodeError: It is something else, or columns differ in length.
    """
    if isinstance(given, pa.RecordBatch):
        return pa.Table.from_batches([given])
    if hasattr(given, "__arrow_c_stream__"):
        return pa.table(given)
    if isinstance(given, Mapping):
        columns = {str(name): _column(values) for name, values in given.items()}
        lengths = {len(column): name for name, column in columns.items()}
        if len(lengths) > 1:
            counts = " and ".join(f"{count} of `{name}`" for count, name in lengths.items())
            raise code.error(f"gives columns of different lengths: {counts}")
        return pa.table(columns)
    return _of_records(given, code)


def _of_records(given: Any, code: Code) -> pa.Table:
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise code.error(
            f"gives {type(given).__name__}, expected rows",
            suggestion="dicts by column name, a dict of columns, or an Arrow table",
        )
    tables = []
    records = iter(given)
    while some := list(islice(records, _ROWS)):
        for record in some:
            if not isinstance(record, Mapping):
                raise code.error(f"gives a row that is {type(record).__name__}, expected a dict")
        plain = [{str(name): _cell(value) for name, value in one.items()} for one in some]
        names = dict.fromkeys(name for one in plain for name in one)
        tables.append(pa.table({n: _column([one.get(n) for one in plain]) for n in names}))
    try:
        return pa.concat_tables(tables, promote_options="permissive") if tables else pa.table({})
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise code.error(f"gives values of several types in a column: {error}") from error


def _cell(value: Any) -> Any:
    """Return an array or a number of numpy's or torch's as plain data."""
    return value.tolist() if hasattr(value, "tolist") else value


def _column(values: Any) -> pa.Array:
    """Return a column; of an array (N, ...) each cell is a list."""
    if not hasattr(values, "__array__"):
        cells = [_cell(value) for value in values]
        # A column that is empty so far takes the type of what comes.
        return column_array(cells) if any(c is not None for c in cells) else pa.nulls(len(cells))
    array = np.asarray(values)
    column = pa.array(array.reshape(-1))
    for size in reversed(array.shape[1:]):
        column = pa.FixedSizeListArray.from_arrays(column, size)
    return column
