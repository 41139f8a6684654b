"""The table of scores that a training or an evaluation ends with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from dlcli.progress import number
from dlcli.training.state import Scores

if TYPE_CHECKING:
    from rich.table import Table


def scores_table(
    columns: Mapping[str, Scores | None], *, intervals: Mapping[str, Sequence[float]] | None = None
) -> Table:
    """Return a table with a row per score and a column per part or baseline; empty ones left out.

    Args:
        columns: Heading to scores.
        intervals: Lower and upper bound of the 95 % interval by score, if known.
    """
    shown = {heading: scores for heading, scores in columns.items() if scores}
    table = plain_table()
    table.add_column("")
    for heading in shown:
        table.add_column(heading, justify="right")
    if intervals is not None:
        table.add_column("95 % interval", justify="right")
    for name in dict.fromkeys(name for scores in shown.values() for name in scores):
        row = [number(scores[name]) if name in scores else "" for scores in shown.values()]
        if intervals is not None:
            bounds = intervals.get(name)
            row.append(f"{number(bounds[0])} to {number(bounds[1])}" if bounds else "")
        table.add_row(name, *row)
    return table


def print_scores(
    columns: Mapping[str, Scores | None], *, intervals: Mapping[str, Sequence[float]] | None = None
) -> None:
    """Print the table of scores on stdout; without colours where that is no terminal."""
    print_table(scores_table(columns, intervals=intervals))


def print_spread(columns: Mapping[str, Mapping[str, Scores] | None], count: int) -> None:
    """Print mean and standard deviation over several runs on stdout.

    Args:
        columns: Heading to `mean` and `std`, each by score; None is left out.
        count: Number of runs.
    """
    shown = {heading: spread for heading, spread in columns.items() if spread}
    table = plain_table()
    table.add_column(f"{count} runs" if count > 1 else "1 run")
    for heading in shown:
        table.add_column(heading, justify="right")
    for name in dict.fromkeys(name for spread in shown.values() for name in spread["mean"]):
        cells = [
            _mean_and_std(spread["mean"][name], spread["std"][name])
            if name in spread["mean"]
            else ""
            for spread in shown.values()
        ]
        table.add_row(name, *cells)
    print_table(table)


def _mean_and_std(mean: float | None, std: float | None) -> str:
    """Return both with as many decimals; the mean alone where there is no deviation."""
    text = number(mean)
    if std is None:
        return text
    has_decimals = text.partition(".")[2].isdecimal()
    return f"{text} ± {std:.4f}" if has_decimals else f"{text} ± {std:.2g}"


def print_table(table: Table) -> None:
    """Print a table on stdout as wide as it is: a narrow terminal breaks its lines, not cells."""
    from rich.console import Console
    from rich.measure import measure_renderables

    console = Console(highlight=False, markup=False)
    wide = console.options.update(width=10_000)
    console.width = max(console.width, measure_renderables(console, wide, [table]).maximum)
    console.print(table)


def plain_table() -> Table:
    """Return an empty table without frame."""
    from rich import box
    from rich.table import Table

    return Table(box=box.SIMPLE_HEAD, pad_edge=False)
