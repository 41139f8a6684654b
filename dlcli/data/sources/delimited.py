"""CSV and TSV files: pyarrow's streaming parser, with what it would do silently made an error."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.csv as pa_csv

from dlcli.data.sources.counting import RecordCount, count_records
from dlcli.data.sources.dialect import Dialect
from dlcli.data.sources.files import blocks, check_width, open_text
from dlcli.data.wording import counted
from dlcli.errors import DataError, DlcliError

if TYPE_CHECKING:
    from _csv import Reader as _Records

BLOCK_BYTES = 1 << 18  # of a block, of which the parser reads up to 32 ahead
_WIDE_BLOCK_BYTES, _WIDE_BLOCK_ROWS = 1 << 20, 1 << 10
"""Of long records, to predict: so many in a block, for each column of a block costs much. To train
blocks stay as they are: the last bits of a mean depend on them."""


@dataclass(frozen=True)
class DelimitedReader:
    """A CSV file; see `Reader`. Columns come as texts, null where missing, but not stripped.

    Attributes:
        is_new: It holds what training has not seen.
    """

    path: Path
    names: tuple[str, ...]
    dialect: Dialect
    count: RecordCount
    header_lines: int
    is_new: bool = False
    nulled: bool = True

    @property
    def records(self) -> int:
        """Rows by our own count."""
        return self.count.records - (self.header_lines > 0)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Say when quotes join lines: a stray quote swallows rows in every CSV reader."""
        if not self.count.joined_lines:
            return ()
        return (
            f"{self.path.name}: {counted(self.count.joined_lines, 'line end')} "
            f"{'stands' if self.count.joined_lines == 1 else 'stand'} inside quotes, the first "
            f"in line {self.count.first_joined}, so those lines are one record; if quotes are "
            "plain text in this file, set `quoting: none`",
        )

    def batches(
        self, columns: Sequence[str], floats: Collection[str] = ()
    ) -> Iterator[pa.RecordBatch]:
        """Yield these columns; see `Reader.batches`."""
        try:
            with open_text(self.path, self.dialect.encoding) as stream:
                yield from pa_csv.open_csv(stream, *self._settings(columns, floats))
        except UnicodeDecodeError as error:
            raise _encoding_error(self.path, self.dialect.encoding) from error
        except pa.ArrowInvalid as error:
            raise self._parse_error(str(error)) from error

    @property
    def _block_bytes(self) -> int:
        longest = self.count.longest
        wide = min(_WIDE_BLOCK_BYTES, _WIDE_BLOCK_ROWS * longest) if self.is_new else 0
        return max(BLOCK_BYTES, 2 * longest, wide)

    def _settings(
        self, columns: Sequence[str], floats: Collection[str]
    ) -> tuple[pa_csv.ReadOptions, pa_csv.ParseOptions, pa_csv.ConvertOptions]:
        types = {name: pa.float64() if name in floats else pa.string() for name in columns}
        return (
            pa_csv.ReadOptions(
                use_threads=False,  # they parse no faster, and read ahead a block per processor
                column_names=list(self.names),
                skip_rows=self.header_lines,
                block_size=self._block_bytes,
            ),
            pa_csv.ParseOptions(
                delimiter=self.dialect.separator_of(self.path),
                quote_char='"' if self.dialect.quoting == "minimal" else False,
                newlines_in_values=self.count.joined_lines > 0,
            ),
            pa_csv.ConvertOptions(
                column_types=types,
                include_columns=list(columns),
                null_values=list(self.dialect.na_values),
                strings_can_be_null=True,
            ),
        )

    def _parse_error(self, message: str) -> DlcliError:
        if "UTF8" in message:
            return _encoding_error(self.path, self.dialect.encoding)
        with _text(self.path, self.dialect) as stream:
            rows = _records(stream, self.path, self.dialect)
            for row in rows:
                if row and len(row) != len(self.names):
                    return _field_error(self.path, rows.line_num, len(row), self.names)
        return DataError(f"{self.path.name} cannot be read: {message}")


def open_delimited(
    path: Path, dialect: Dialect, *, needed: Collection[str] = (), optional: Collection[str] = ()
) -> DelimitedReader:
    """Open a CSV or TSV file; see `open_reader`.

    Raises:
        DataError: The file is missing, empty, has no rows, or two columns of one name.
    """
    check_width(path, dialect.encoding)
    try:
        with open_text(path, dialect.encoding) as stream:
            quoted = dialect.quoting == "minimal"
            count = count_records(blocks(stream), dialect.separator_of(path), quoted=quoted)
        with _text(path, dialect) as text:
            rows = _records(text, path, dialect)
            first = next((row for row in rows if row), [])
            lines = rows.line_num
    except UnicodeDecodeError as error:
        raise _encoding_error(path, dialect.encoding) from error
    if count.records == 0:
        raise DataError(f"{path.name} is empty")
    names = _names(path, first, dialect, needed, optional)
    if dialect.header and count.records == 1:
        raise DataError(f"{path.name} has a header and no rows")
    header_lines = lines if dialect.header else 0
    return DelimitedReader(path, names, dialect, count, header_lines, is_new=bool(needed))


def _names(
    path: Path,
    first: list[str],
    dialect: Dialect,
    needed: Collection[str],
    optional: Collection[str],
) -> tuple[str, ...]:
    if dialect.header:
        if any(map(_is_undecoded, first)):
            raise _encoding_error(path, dialect.encoding)
        names = tuple(name.strip() if dialect.strip else name for name in first)
        check_names(path, names)
        return names
    without = tuple(name for name in dialect.columns if name not in optional)
    alone = tuple(name for name in dialect.columns if name in needed)
    for names in (dialect.columns, without, alone):
        if len(first) == len(names):
            return names
    raise _field_error(path, 1, len(first), dialect.columns)


def check_names(path: Path, names: Sequence[str]) -> None:
    """Raise DataError where two columns have one name."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        found = ", ".join(f"`{name}`" for name in twice)
        raise DataError(
            f"{path.name} has more than one column named {found}",
            suggestion="rename them, or give `header: false` and `columns` if there is no header",
        )


def _field_error(path: Path, line: int, found: int, names: Sequence[str]) -> DataError:
    return DataError(
        f"{path.name}, line {line}: {counted(found, 'field')} where {len(names)} were expected "
        f"({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})",
        suggestion="put quotes round a cell that holds the separator, or check `separator`, "
        "`quoting` and `columns`",
    )


def _text(path: Path, dialect: Dialect) -> io.TextIOWrapper:
    """Open a file as text; a byte that is none stays half of a character, which no text holds."""
    stream = open_text(path, dialect.encoding)
    return io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")


def _is_undecoded(text: str) -> bool:
    return any("\udc80" <= character <= "\udcff" for character in text)


def _records(stream: io.TextIOWrapper, path: Path, dialect: Dialect) -> _Records:
    """Read with Python's csv module: slow, so only for a file's head and to locate a fault."""
    csv.field_size_limit(1 << 30)
    separator = dialect.separator_of(path)
    if dialect.quoting == "none":
        return csv.reader(stream, delimiter=separator, quoting=csv.QUOTE_NONE)
    return csv.reader(stream, delimiter=separator)


def _encoding_error(path: Path, encoding: str) -> DataError:
    return DataError(
        f"{path.name}{_undecodable_line(path, encoding)} is not {encoding} text",
        suggestion="set `encoding`, for example `encoding: latin-1`",
    )


def _undecodable_line(path: Path, encoding: str) -> str:
    """Return `, line N` for the first line that does not decode, or nothing."""
    line = 0
    with pa.input_stream(str(path)) as stream:
        for block in blocks(stream):
            for text in block.split(b"\n"):
                line += 1
                try:
                    text.decode(encoding)
                except UnicodeDecodeError:
                    return f", line {line},"
            line -= 1
    return ""
