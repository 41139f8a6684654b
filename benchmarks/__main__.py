"""Trains, predicts and starts by dlcli and by others, and puts their times side by side.

    benchmarks/setup.sh                       builds the others' environments: 13 GB, ten minutes
    python -m benchmarks --data DIR           everything, a quarter of an hour; writes results.md
    python -m benchmarks --short              dlcli, the plain loop and the bound; five minutes
    python -m benchmarks digits predict       these works
    python -m benchmarks --peers dlcli keras  these programs

Processes run one after the other, in rounds of one of each. See benchmarks/README.md for how to
read what comes out.
"""

from __future__ import annotations

import os
import sys
import tempfile
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Iterator, Sequence
from pathlib import Path
from subprocess import CalledProcessError

from benchmarks import linear, machine, startup
from benchmarks.measurement import Measurement, append, read
from benchmarks.prediction import write_trained
from benchmarks.process import FailedError
from benchmarks.programs import PROGRAMS, SHORT, Setting, measure
from benchmarks.sets import write_sets
from benchmarks.table import page
from benchmarks.works import WORKS

RESULTS = Path(__file__).parent / "results.md"
_OWN = ("linear", "startup")
"""Works that dlcli does alone."""


def main(arguments: list[str] | None = None) -> None:
    """Measure what is asked, then print the page or write it."""
    asked = _asked(arguments)
    works = asked.works or [*WORKS, *_OWN]
    about = machine.described()
    if asked.epochs is not None:
        about.append(f"Epochs: {asked.epochs} in the place of each work's own, to try it out.")
    done = read(asked.keep) if asked.keep else []
    first_round = 1 + max((m.round for m in done), default=0)
    with tempfile.TemporaryDirectory() as place:
        setting = Setting(Path(place), asked.environments.expanduser().absolute(), asked.epochs)
        try:
            about += write_sets(setting.data, asked.data)
            if "predict" in works:
                write_trained(setting)
        except (FileNotFoundError, FailedError) as error:
            sys.exit(f"nothing was measured: {error}")
        for number in range(first_round, first_round + asked.rounds):
            is_last = number == first_round + asked.rounds - 1
            for found in _round(asked, works, number, setting, is_last=is_last):
                done.append(found)
                if asked.keep:
                    append(asked.keep, [found])
                _say(found)
    text = page(done, about)
    is_whole = not (asked.short or asked.works or asked.peers)
    if output := asked.output or (RESULTS if is_whole else None):
        output.write_text(text)
    print(text)


def _round(
    asked: Namespace, works: Sequence[str], number: int, setting: Setting, *, is_last: bool
) -> Iterator[Measurement]:
    """Let everybody do each work once; what one round must do for waits for the last."""
    for work in works:
        if work == "startup":
            yield from _startup(number)
        elif work == "linear":
            sizes = linear.SIZES[: -1 if asked.short else None] if is_last else ()
            yield from (linear.measure_size(size, number) for size in sizes)
        else:
            for name in _chosen(asked):
                program = PROGRAMS[name]
                if work in program.works and (is_last or work not in program.once):
                    yield measure(name, work, number, setting)


def _chosen(asked: Namespace) -> Sequence[str]:
    return asked.peers or (SHORT if asked.short else tuple(PROGRAMS))


def _startup(number: int) -> Iterator[Measurement]:
    for name, words in startup.commands().items():
        try:
            (seconds,) = startup.measure({name: words}, rounds=1)[name]
        except CalledProcessError as error:
            yield Measurement("startup", name, number, failure=f"exit code {error.returncode}")
        else:
            yield Measurement("startup", name, number, whole_seconds=seconds)


def _say(found: Measurement) -> None:
    """Tell on stderr what came out, while the next is at work."""
    told = found.failure or f"{found.seconds:8.3f} s of {found.whole_seconds:7.2f} s"
    print(f"{found.round:2} {found.work:12} {found.program:24} {told}", file=sys.stderr)


def _asked(arguments: list[str] | None) -> Namespace:
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    known = [*WORKS, *_OWN]
    parser = ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("works", nargs="*", metavar="WORK", help=f"of {', '.join(known)}; all unless given")
    add("--peers", nargs="+", choices=PROGRAMS, metavar="PROGRAM", help=f"of {', '.join(PROGRAMS)}")
    add("--short", action="store_true", help="dlcli, the plain loop and the bound alone")
    add("--rounds", type=int, help="3 unless given; 2 of the short form")
    add("--data", type=Path, help="folder with mnist/ and csv/adult-*.csv; made up unless given")
    add("--environments", type=Path, default=Path(home, "dlcli-benchmarks"), metavar="FOLDER",
        help="that setup.sh filled")  # fmt: skip
    add("--epochs", type=int, help="in the place of each work's own, to try it out")
    add("--output", type=Path, metavar="FILE", help="where to write the page")
    add("--keep", type=Path, metavar="FILE", help="measurements to begin with, and to add to")
    asked = parser.parse_args(arguments)
    if strange := [work for work in asked.works if work not in known]:
        parser.error(f"no work is called {', '.join(strange)}; there are {', '.join(known)}")
    asked.rounds = asked.rounds or (2 if asked.short else 3)
    return asked


if __name__ == "__main__":
    main()
