"""How the cells of a file are read, apart from where the file is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from dlcli.config.data import DataOptions, SeriesOptions, TableOptions

DEFAULT_NA_VALUES = ("", "NA", "N/A", "NaN", "nan", "null", "None")


@dataclass(frozen=True)
class Dialect:
    """What `TableOptions` says about reading; options of the same names.

    Attributes:
        na_values: Texts that mean missing, the empty one among them.
        replace: Per column, text to text, or to None for missing.
    """

    header: bool = True
    columns: tuple[str, ...] = ()
    separator: str | None = None
    quoting: Literal["minimal", "none"] = "minimal"
    encoding: str = "utf-8"
    na_values: tuple[str, ...] = DEFAULT_NA_VALUES
    strip: bool = True
    replace: Mapping[str, Mapping[str, str | None]] = field(default_factory=dict)

    def separator_of(self, path: Path) -> str:
        """Return what stands between two fields of this file."""
        tabs = {".tsv", ".tab"} & {suffix.lower() for suffix in path.suffixes}
        return self.separator or ("\t" if tabs else ",")


def dialect_of(options: DataOptions) -> Dialect:
    """Return how the files of a data set are read; the default one for embedded sets."""
    if isinstance(options, SeriesOptions):
        return Dialect(
            header=options.header,
            columns=tuple(options.columns or ()),
            separator=options.separator,
            encoding=options.encoding,
            na_values=_missing(options.na_values),
        )
    if not isinstance(options, TableOptions):
        return Dialect()
    return Dialect(
        header=options.header,
        columns=tuple(options.columns or ()),
        separator=options.separator,
        quoting=options.quoting,
        encoding=options.encoding,
        na_values=_missing(options.na_values),
        strip=options.strip,
        replace={
            column: {
                cell_text(old): None if new is None else cell_text(new)
                for old, new in changes.items()
            }
            for column, changes in options.replace.items()
        },
    )


def _missing(given: Sequence[str | int | float]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(("", *map(cell_text, given))))


def cell_text(value: str | float | bool) -> str:
    """Return a scalar as a cell writes it: `1`, `2.5`, `true`, or the text itself."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return value if isinstance(value, str) else repr(value)
