"""Parquet files, in batches."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pa_parquet

from dlcli.data.sources.delimited import check_names
from dlcli.data.sources.files import is_file
from dlcli.errors import DataError, MachineError

_BATCH_ROWS = 1 << 14


@dataclass(frozen=True)
class ParquetReader:
    """A Parquet file; see `Reader`. Columns keep their types."""

    path: Path
    names: tuple[str, ...]
    records: int
    nulled: bool = False
    warnings: tuple[str, ...] = ()

    def batches(
        self,
        columns: Sequence[str],
        floats: Collection[str] = (),  # noqa: ARG002 - the values have types already
    ) -> Iterator[pa.RecordBatch]:
        """Yield these columns; see `Reader.batches`."""
        with _open(self.path) as file:
            try:
                names = list(columns)
                # each thread keeps memory of its own: 300 MB on 32 processors
                for batch in file.iter_batches(_BATCH_ROWS, columns=names, use_threads=False):
                    yield batch.select(names)
            except (pa.ArrowInvalid, OSError) as error:
                raise DataError(f"{self.path.name} is damaged: {error}") from error


def open_parquet(path: Path) -> ParquetReader:
    """Open a Parquet file.

    Raises:
        DataError: It is missing, damaged or has no rows.
    """
    with _open(path) as file:
        names = tuple(file.schema_arrow.names)
        check_names(path, names)
        rows = file.metadata.num_rows
    if rows == 0:
        raise DataError(f"{path.name} has columns and no rows")
    return ParquetReader(path, names, rows)


def _open(path: Path) -> pa_parquet.ParquetFile:
    if not is_file(path):
        raise DataError(f"no file {path}")
    try:
        return pa_parquet.ParquetFile(path, buffer_size=1 << 16, pre_buffer=False)
    except PermissionError as error:
        raise MachineError(f"{path} cannot be opened: {error}") from error
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{path.name} is not a Parquet file, or damaged: {error}") from error
