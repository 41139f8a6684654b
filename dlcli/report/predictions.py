"""Predictions as text: csv, jsonl, json or a table, written batch by batch."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO
from typing import Any, BinaryIO, Protocol

from dlcli.messages import printable
from dlcli.report.json_lines import json_lines

FORMATS = ("csv", "jsonl", "json", "table")


@dataclass(frozen=True)
class Predictions:
    """The predictions of a batch of N records.

    Attributes:
        names: Names of the predicted columns; one for a class or a single number.
        values: For each name, N class names or numbers; None where confidence was too low.
        confidence: N probabilities of the predicted class; None where there is no such thing.
        probabilities: By class name, N probabilities; empty unless asked for.
        ranked: For each record its likeliest (class, probability), best first; empty unless asked.
        places: Columns that say what each prediction is for: a file, a time.
    """

    names: Sequence[str]
    values: Sequence[Sequence[Any]]
    confidence: Sequence[float] | None = None
    probabilities: dict[str, Sequence[float]] | None = None
    ranked: Sequence[Sequence[tuple[str, float]]] | None = None
    places: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.values[0])

    def columns(self) -> dict[str, Sequence[Any]]:
        """Return flat columns, as csv and the table show them."""
        if len(self.values) == 1:
            columns: dict[str, Sequence[Any]] = {**self.places, "prediction": self.values[0]}
        else:
            columns = dict(self.places) | {
                f"prediction_{name}": values
                for name, values in zip(self.names, self.values, strict=True)
            }
        if self.confidence is not None:
            columns["confidence"] = self.confidence
        for name, shares in (self.probabilities or {}).items():
            columns[f"probability_{name}"] = shares
        for place in range(len(self.ranked[0]) if self.ranked else 0):
            assert self.ranked is not None
            # not `probability_1`: with --probs, that is the probability of a class called 1
            columns[f"top_{place + 1}"] = [row[place][0] for row in self.ranked]
            columns[f"top_{place + 1}_probability"] = [row[place][1] for row in self.ranked]
        return columns


class Writer(Protocol):
    """Writes batches of predictions to a binary stream, then an end."""

    def write(self, predictions: Predictions) -> None:
        """Write a batch."""
        ...

    def finish(self) -> None:
        """Write what comes after the last batch."""
        ...


def open_writer(output_format: str, stream: BinaryIO) -> Writer:
    """Return the writer of one of `FORMATS`."""
    writer: Writer = _WRITERS[output_format](stream)
    return writer


class _CSVWriter:
    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream
        self.has_header = False

    def write(self, predictions: Predictions) -> None:
        text = StringIO()
        writer = csv.writer(text, lineterminator="\n")
        columns = predictions.columns()
        if not self.has_header:
            writer.writerow(columns)
            self.has_header = True
        writer.writerows(zip(*columns.values(), strict=True))
        self.stream.write(text.getvalue().encode())

    def finish(self) -> None:
        pass


class _JSONLinesWriter:
    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream

    def write(self, predictions: Predictions) -> None:
        self.stream.write("".join(line + "\n" for line in json_lines(predictions)).encode())

    def finish(self) -> None:
        pass


class _JSONWriter:
    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream
        self.is_begun = False

    def write(self, predictions: Predictions) -> None:
        lines = ",\n ".join(json_lines(predictions))
        if lines:
            self.stream.write(((",\n " if self.is_begun else "[\n ") + lines).encode())
            self.is_begun = True

    def finish(self) -> None:
        self.stream.write(b"\n]\n" if self.is_begun else b"[]\n")


class _TableWriter:
    """A table needs the width of its columns, so it shows at most the first `ROWS` rows."""

    ROWS = 1000

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream
        self.columns: dict[str, list[Any]] = {}
        self.count = 0

    def write(self, predictions: Predictions) -> None:
        self.count += len(predictions)
        for name, values in predictions.columns().items():
            column = self.columns.setdefault(name, [])
            column.extend(values[: self.ROWS - len(column)])

    def finish(self) -> None:
        from rich import box
        from rich.console import Console
        from rich.table import Table

        table = Table("row", *self.columns, box=box.SIMPLE_HEAD, pad_edge=False)
        for row, values in enumerate(zip(*self.columns.values(), strict=True), start=1):
            table.add_row(str(row), *(_cell(value) for value in values))
        text = StringIO()
        console = Console(file=text, width=max(80, 16 * (1 + len(self.columns))), markup=False)
        console.print(table)
        self.stream.write(text.getvalue().encode())
        if self.count > self.ROWS:
            more = f"... and {self.count - self.ROWS:,} more rows; --format csv writes all\n"
            self.stream.write(more.encode())


_WRITERS: dict[str, type[Any]] = {
    "csv": _CSVWriter,
    "jsonl": _JSONLinesWriter,
    "json": _JSONWriter,
    "table": _TableWriter,
}


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.6g}" if isinstance(value, float) else printable(str(value))
