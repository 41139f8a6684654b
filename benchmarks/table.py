"""Measurements as the page of results; runs nothing.

What is compared is one program with another in the same round, when the machine was the same to
both: the ratio of a pair is the median of its rounds' ratios, not the ratio of two medians.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import median

from benchmarks.measurement import Measurement
from benchmarks.programs import PROGRAMS
from benchmarks.works import WORKS

Figure = Callable[[Measurement], float]
_NONE = ""


def page(measurements: Sequence[Measurement], about: Sequence[str]) -> str:
    """Return the whole page as Markdown.

    Args:
        measurements: Of all rounds.
        about: Lines on machine and data.
    """
    runs = [m for m in measurements if m.work in WORKS]
    rounds = f"Rounds: {len({m.round for m in measurements})}."
    told = [*about, rounds, *_versions(measurements)]
    parts = ["# Results", "\n".join(f"- {line}" for line in told)]
    if runs:
        parts += ["## Rows a second, over the plain loop's", overview(runs)]
        parts += ["## Whole processes, seconds", whole_overview(runs)]
    for work in WORKS:
        if own := [m for m in runs if m.work == work]:
            parts += [f"## {WORKS[work].title}", details(own), *_failures(own)]
    if sizes := [m for m in measurements if m.work == "linear"]:
        parts += ["## Cost per row, by number of rows", growth(sizes), *_failures(sizes)]
    if commands := [m for m in measurements if m.work == "startup"]:
        parts += ["## Start-up, whole processes", startup(commands), *_failures(commands)]
    return "\n\n".join(parts) + "\n"


def ratio(
    ours: Iterable[Measurement], theirs: Iterable[Measurement], figure: Figure
) -> float | None:
    """Return the median over rounds of one's figure over the other's in the same round.

    None where they share no round.
    """
    of_theirs = {m.round: figure(m) for m in theirs if not m.failure}
    found = [figure(m) / of_theirs[m.round] for m in ours if not m.failure and m.round in of_theirs]
    return median(found) if found else None


def overview(measurements: Sequence[Measurement]) -> str:
    """Return a row for each work and a column for each program: its rate over the plain loop's."""

    def against_plain(by_program: Mapping[str, Sequence[Measurement]], name: str) -> str:
        base = by_program.get("plain") or by_program.get("pandas") or []
        return _times(ratio(by_program.get(name, []), base, _rate))

    return _by_work_and_program(measurements, against_plain)


def whole_overview(measurements: Sequence[Measurement]) -> str:
    """Return a row for each work and a column for each program: the process from start to end."""

    def seconds(by_program: Mapping[str, Sequence[Measurement]], name: str) -> str:
        found = [m.whole_seconds for m in by_program.get(name, []) if not m.failure]
        return f"{median(found):.2f}" if found else _NONE

    return _by_work_and_program(measurements, seconds)


def _by_work_and_program(
    measurements: Sequence[Measurement],
    cell: Callable[[Mapping[str, Sequence[Measurement]], str], str],
) -> str:
    programs = [name for name in PROGRAMS if any(m.program == name for m in measurements)]
    rows = []
    for work in WORKS:
        by_program = _by_program(m for m in measurements if m.work == work)
        if by_program:
            rows.append([work, *(cell(by_program, name) for name in programs)])
    return _table(["work", *(PROGRAMS[name].title for name in programs)], rows)


def details(measurements: Sequence[Measurement]) -> str:
    """Return all figures of one work: medians, and those of the first dlcli over each program's."""
    by_program = _by_program(measurements)
    names = sorted(by_program, key=[*PROGRAMS].index)
    base = next((by_program[name] for name in names if name.startswith("dlcli")), [])
    rows = []
    for name in names:
        found = [m for m in by_program[name] if not m.failure]
        if found:
            rows.append([PROGRAMS[name].title, *_figures(found, base)])
        else:
            rows.append([PROGRAMS[name].title, *[_NONE] * 10])
    return _table(
        [
            "program",
            "seconds",
            "least to most",
            "rows/s",
            "dlcli's rate / its",
            "whole process, s",
            "dlcli's / its",
            "processor, s",
            "peak, MB",
            "own pages, MB",
            "score",
        ],
        rows,
    )


def _figures(found: Sequence[Measurement], base: Sequence[Measurement]) -> list[str]:
    seconds = [m.seconds for m in found]
    scores = [m.score for m in found if m.score is not None]
    return [
        f"{median(seconds):.3f}",
        f"{min(seconds):.3f} to {max(seconds):.3f}" if len(seconds) > 1 else "one round",
        f"{median(m.rate for m in found):,.0f}",
        _times(ratio(base, found, _rate)),
        f"{median(m.whole_seconds for m in found):.2f}",
        _times(ratio(base, found, _whole)),
        f"{median(m.processor_seconds for m in found):.2f}",
        f"{median(m.resident for m in found) / 1e6:,.0f}",
        f"{median(m.anonymous for m in found) / 1e6:,.0f}",
        f"{median(scores):.4f}" if scores else _NONE,
    ]


def growth(measurements: Sequence[Measurement]) -> str:
    """Return microseconds a row by number of rows, and that over the smallest number's."""
    by_size = _by_program(measurements)
    first = next(iter(by_size.values()))
    rows = []
    for name, group in by_size.items():
        found = [m for m in group if not m.failure]
        cost = median(1e6 / m.rate for m in found) if found else None
        peak = f"{median(m.anonymous for m in found) / 1e6:,.0f}" if found else _NONE
        shown = _NONE if cost is None else f"{cost:.3f}"
        rows.append([name, shown, _times(ratio(first, group, _rate)), peak])
    return _table(["table", "µs a row", "over the smallest table's", "own pages, MB"], rows)


def startup(measurements: Sequence[Measurement]) -> str:
    """Return seconds of commands, and their ratios to bare Python and to torch's import."""
    by_command = _by_program(measurements)
    python, torch = (by_command.get(name, []) for name in ("python -c pass", "import torch"))
    rows = []
    for name, group in by_command.items():
        seconds = [m.whole_seconds for m in group if not m.failure]
        shown = f"{median(seconds):.3f}" if seconds else _NONE
        over = (_times(ratio(group, base, _whole)) for base in (python, torch))
        rows.append([f"`{name}`", shown, *over])
    return _table(["command", "seconds", "over `python -c pass`", "over `import torch`"], rows)


def _rate(measurement: Measurement) -> float:
    return measurement.rate


def _whole(measurement: Measurement) -> float:
    return measurement.whole_seconds


def _by_program(measurements: Iterable[Measurement]) -> dict[str, list[Measurement]]:
    found: dict[str, list[Measurement]] = {}
    for measurement in measurements:
        found.setdefault(measurement.program, []).append(measurement)
    return found


def _versions(measurements: Iterable[Measurement]) -> list[str]:
    """Return a line of the versions that each environment had."""
    found: dict[str, set[str]] = {}
    for measurement in measurements:
        for package, version in measurement.versions.items():
            found.setdefault(package, set()).add(version)
    told = (f"{package} {' and '.join(sorted(all_))}" for package, all_ in sorted(found.items()))
    return [f"Versions: {', '.join(told)}."] if found else []


def _failures(measurements: Iterable[Measurement]) -> list[str]:
    reasons = {m.program: m.failure for m in measurements if m.failure}
    lines = [f"- {_title(program)}: {reason}" for program, reason in reasons.items()]
    return ["\n".join(lines)] if lines else []


def _title(program: str) -> str:
    return PROGRAMS[program].title if program in PROGRAMS else program


def _times(number: float | None) -> str:
    if number is None:
        return _NONE
    return f"{number:.2f}" if number < 10 else f"{number:.1f}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
