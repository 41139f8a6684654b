"""Data that training has not seen: records to predict, and labelled ones to measure on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from dlcli.config.data import (
    AudioOptions,
    DataOptions,
    SequencesOptions,
    SeriesOptions,
    TextFileOptions,
)
from dlcli.data.columns_given import Pictures, apart, with_pictures
from dlcli.data.examples import Examples
from dlcli.data.fitting import encode_labelled
from dlcli.data.forecasting import labelled_windows, series_columns
from dlcli.data.language import whole_text
from dlcli.data.preprocessor import Preprocessor
from dlcli.data.sources.audio import labelled_files
from dlcli.data.sources.dialect import dialect_of
from dlcli.data.sources.files import is_file
from dlcli.data.sources.image_folder import folder_records
from dlcli.data.sources.records import read_records
from dlcli.data.sources.sequences import read_sequences
from dlcli.data.sources.source import origin, with_origin
from dlcli.data.sources.text_file import open_text_file
from dlcli.data.spec import Field
from dlcli.errors import DataError

Names = Mapping[str, Sequence[object]]
"""Columns that say what each record is: a file, or the id of a sequence; or nothing."""

_FILES = {"image", "sound"}
_FILES_AT_ONCE = 64
"""They are far larger decoded than their names are."""
_BYTES, _ROWS = 1 << 24, 1 << 14
"""Up to so much of small batches is encoded at once: a column costs much, however few its rows."""


def records_to_predict(
    given: Path | BinaryIO | Sequence[Mapping[str, object]] | pa.Table,
    options: DataOptions,
    preprocessor: Preprocessor,
) -> Iterator[tuple[pa.RecordBatch, Names]]:
    """Yield records with the inputs, in their order, and what each of them is called.

    Args:
        given: A file, a stream, records, or a table.
        options: The `data` section of the training.
        preprocessor: Fitted there.

    Raises:
        DataError: Columns are missing, all named; or the file cannot be read.
    """
    if isinstance(options, SequencesOptions):
        rows = given.to_pylist() if isinstance(given, pa.Table) else given
        for batch in read_sequences(rows, options, preprocessor):
            yield batch, names_of(batch, options, ())
        return
    fields = preprocessor.spec.inputs
    pictures: Pictures = {}
    if isinstance(given, Sequence):
        given, pictures = apart(given, fields)
    batches = read_records(
        given,
        dialect_of(options),
        needed=list(preprocessor.inputs),
        optional=list(preprocessor.targets),
    )
    if pictures:
        batches = (with_pictures(batch, pictures) for batch in batches)
    for batch in _decodable(_gathered(batches), fields):
        names = names_of(batch, options, fields)
        yield (beside(batch, fields, given) if isinstance(given, Path) else batch), names


def _gathered(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield the same records of one file, small batches joined where they are of the same types."""
    kept: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        rows, size = rows + batch.num_rows, size + batch.nbytes
        is_much = rows > _ROWS or size > _BYTES
        if kept and (is_much or batch.schema != kept[0].schema):
            yield _joined(kept)
            kept, rows, size = [], batch.num_rows, batch.nbytes
        kept.append(batch)
    if kept:
        yield _joined(kept)


def _joined(batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    if len(batches) == 1:
        return batches[0]
    plain = [batch.replace_schema_metadata() for batch in batches]
    return with_origin(pa.concat_batches(plain), *origin(batches[0]))


def _decodable(
    batches: Iterator[pa.RecordBatch], fields: Sequence[Field]
) -> Iterator[pa.RecordBatch]:
    """Yield the same records, few at a time where they are files of pictures or sounds."""
    for batch in batches:
        has_files = any(_file_fields(batch, fields))
        size = _FILES_AT_ONCE if has_files else max(1, batch.num_rows)
        for start in range(0, batch.num_rows, size):
            yield part_of(batch, start, size)


def part_of(batch: pa.RecordBatch, start: int, count: int) -> pa.RecordBatch:
    """Return so many records of a batch, or those that are left, with a note of where they are."""
    place, first = origin(batch)
    return with_origin(batch.slice(start, count), place, first + start)


def labelled_examples(path: Path, options: DataOptions, preprocessor: Preprocessor) -> Examples:
    """Return what a labelled file holds, or a folder of pictures or sounds, as examples.

    Args:
        path: A table; or what `path` may be for this kind of data.
        options: The `data` section of the training.
        preprocessor: Fitted there.

    Raises:
        DataError: There is no such file, or a cell is not what its column holds.
    """
    if path.is_dir():
        return encode_labelled(iter([_folder(path, options, preprocessor)]), preprocessor)
    if not is_file(path):
        raise DataError(f"there is no file `{path}`", suggestion="check --data")
    if isinstance(options, SeriesOptions):
        needed = series_columns(options, preprocessor)
        rows = read_records(path, dialect_of(options), needed=needed)
        return labelled_windows(rows, options, preprocessor)
    if isinstance(options, TextFileOptions):
        sources = open_text_file(options.model_copy(update={"path": str(path)}), Path())
        return whole_text(sources, options, preprocessor)
    if isinstance(options, SequencesOptions):
        found = read_sequences(path, options, preprocessor, has_targets=True)
        return encode_labelled(found, preprocessor)
    needed = [*preprocessor.inputs, *preprocessor.targets]
    batches = read_records(path, dialect_of(options), needed=needed)
    fields = preprocessor.spec.inputs
    return encode_labelled((beside(batch, fields, path) for batch in batches), preprocessor)


def names_of(records: pa.RecordBatch, options: DataOptions, fields: Sequence[Field]) -> Names:
    """Return what each record is called."""
    if isinstance(options, SequencesOptions) and options.id in records.schema.names:
        return {options.id: records.column(options.id).to_pylist()}
    for field in _file_fields(records, fields):
        names: list[str] = records.column(field.name).to_pylist()
        if not any(name is None or name.startswith("[") for name in names):  # pixels as JSON
            return {"file": names}
    return {}


def _folder(path: Path, options: DataOptions, preprocessor: Preprocessor) -> pa.RecordBatch:
    if isinstance(options, AudioOptions):
        return labelled_files(options, path)
    if {field.kind for field in preprocessor.spec.inputs} != {"image"}:
        raise DataError(f"{path} is a folder", suggestion="--data takes a file of labelled rows")
    return folder_records(path, *preprocessor.inputs, *preprocessor.targets)


def beside(records: pa.RecordBatch, fields: Sequence[Field], table: Path) -> pa.RecordBatch:
    """Return records of a table with the paths in it seen from its own folder, where they are."""
    for field in _file_fields(records, fields):
        names = records.column(field.name).to_pylist()
        paths = [
            str(table.parent / name) if name and exists(table.parent / name) else name
            for name in names
        ]
        place = records.schema.get_field_index(field.name)
        records = records.set_column(place, field.name, pa.array(paths, pa.string()))
    return records


def _file_fields(records: pa.RecordBatch, fields: Sequence[Field]) -> Iterator[Field]:
    """Yield the inputs that are pictures or sounds, and stand there as texts."""
    for field in fields:
        if field.kind in _FILES and pa.types.is_string(records.column(field.name).type):
            yield field


def exists(path: Path) -> bool:
    """Say whether there is something at a path, whatever text it was made of."""
    try:
        return path.exists()
    except (OSError, ValueError):  # a text that is too long for a path
        return False
