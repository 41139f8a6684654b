"""How well each class is told: precision, recall, f1, and which classes are taken for which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from dlcli.messages import printable
from dlcli.progress import number
from dlcli.report.scores import plain_table, print_table

_SHOWN_CONFUSION = 12  # classes; a wider matrix does not fit a terminal, the picture shows it


@dataclass(frozen=True)
class ClassReport:
    """What was right and what was answered, class by class.

    Attributes:
        names: The K classes.
        confusion: (K, K) int64 rows by true class and answered class.
    """

    names: Sequence[str]
    confusion: Tensor

    def rows(self) -> list[dict[str, Any]]:
        """Return for each class its precision, recall, f1 (None where undefined) and rows."""
        right = self.confusion.diagonal().tolist()
        true, answered = self.confusion.sum(1).tolist(), self.confusion.sum(0).tolist()
        return [
            {
                "class": name,
                "precision": _share(hits, given),
                "recall": _share(hits, rows),
                "f1": _share(2 * hits, rows + given),
                "rows": rows,
            }
            for name, hits, rows, given in zip(self.names, right, true, answered, strict=True)
        ]


def class_report(answered: Tensor, true: Tensor, names: Sequence[str]) -> ClassReport:
    """Count answered classes (N,) against true ones (N,), both codes."""
    size = len(names)
    counts = (true * size + answered).bincount(minlength=size * size)
    return ClassReport(names, counts.view(size, size).to(torch.int64))


def print_class_report(report: ClassReport) -> None:
    """Print a row per class, then the confusion matrix if it is not too wide, on stdout."""
    table = plain_table()
    for heading in ("class", "precision", "recall", "f1", "rows"):
        table.add_column(heading, justify="left" if heading == "class" else "right")
    for row in report.rows():
        shares = (number(row[key]) for key in ("precision", "recall", "f1"))
        table.add_row(printable(row["class"]), *shares, f"{row['rows']:,}")
    print_table(table)
    if len(report.names) <= _SHOWN_CONFUSION:
        matrix = plain_table()
        matrix.add_column("true \\ answered")
        for name in report.names:
            matrix.add_column(printable(name), justify="right")
        for name, counts in zip(report.names, report.confusion.tolist(), strict=True):
            matrix.add_row(printable(name), *(str(count) for count in counts))
        print_table(matrix)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
