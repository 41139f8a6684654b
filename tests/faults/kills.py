"""Stops trainings at random moments and resumes them: nothing may tell that they were stopped.

    python -m tests.faults.kills --kills 200
    python -m tests.faults.kills --signals 100

Each experiment runs one of `TRAININGS` and stops it at a random moment: by SIGKILL to its process
group, some again while they resume, up to three times; or by SIGTERM or SIGINT. In every second
one checkpoints are written beside the training, as where that is on a GPU. After the last resume
weights, history, metrics.jsonl (times aside) and result must be those of an uninterrupted run, bit
for bit, and no process, lock or temporary file may be left. A training that was stopped before
there was a run is begun anew; one before its first checkpoint begins again in its run.

Prints a line of JSON for each experiment on stderr, and one that sums them up on stdout.
"""

from __future__ import annotations

import fcntl
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from dlcli import checkpoint
from dlcli.files import PART
from dlcli.run import list_runs, read_facts
from tests.command_line import as_json, dlcli, started
from tests.faults.trainings import TRAININGS

_MORE_KILLS = 1 / 3
_MOST_MORE = 3
_SECONDS_TO_END = 5.0
_BESIDE = """
from dlcli import saving
saving._Snapshot.is_on_device = lambda self: True
"""
_COUNTING = """
import mmap, os
from dlcli.training.trainer import Trainer
file = os.open({path!r}, os.O_RDWR)
steps = mmap.mmap(file, 8)
update = Trainer._update
def counted(*given):
    loss = update(*given)
    steps[:] = (int.from_bytes(steps[:], "little") + 1).to_bytes(8, "little")
    return loss
Trainer._update = counted
"""


@dataclass(frozen=True)
class Whole:
    """An uninterrupted run.

    Attributes:
        left: What it left behind; see `left_behind`.
        seconds: How long it took.
        steps: Of the optimizer.
    """

    left: Mapping[str, Any]
    seconds: float
    steps: int


@dataclass
class Found:
    """What an experiment showed.

    Attributes:
        number: Which experiment.
        training: What was trained.
        stops: Signals that hit a running process.
        while_resuming: Those of them that hit one that was resuming.
        before_the_run: Those that came before there was a run to go on with.
        before_a_checkpoint: Those that came after that, and before its first checkpoint.
        half_made: Directories that a kill kept from becoming a run.
        codes: Exit codes of the processes, in order.
        lost_steps: Of orderly stops, the most steps that were made and not saved.
        faults: What was not as it should be.
    """

    number: int
    training: str
    stops: int = 0
    while_resuming: int = 0
    before_the_run: int = 0
    before_a_checkpoint: int = 0
    half_made: int = 0
    codes: list[int] = field(default_factory=list)
    lost_steps: int = 0
    faults: list[str] = field(default_factory=list)


def left_behind(run: Path) -> dict[str, Any]:
    """Return what a finished run left behind, without what a clock says."""
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    result = read_facts(run).get("result", {})
    return {
        "last": (run / "checkpoints" / "last.safetensors").read_bytes(),
        "best": (run / "checkpoints" / "best.safetensors").read_bytes(),
        "rows": [{key: row[key] for key in row if key != "seconds"} for row in rows],
        "result": {key: result.get(key) for key in ("metrics", "epochs", "best_epoch")},
        "status": read_facts(run)["status"],
    }


def prepare(folder: Path) -> dict[str, Whole]:
    """Write every training into a folder, and run it without interruption."""
    wholes = {}
    for name, training in TRAININGS.items():
        config = training.write_to(folder, name)
        dlcli("--version", folder=folder)  # starting the server of processes is not timed
        start = time.monotonic()
        result = as_json("train", config, "--runs-dir", folder / "whole", folder=folder)
        run = folder / result["run_dir"]
        seconds = time.monotonic() - start
        left = left_behind(run)
        wholes[name] = Whole(left, seconds, left["rows"][-1]["step"])
    return wholes


def experiment(
    number: int, folder: Path, wholes: Mapping[str, Whole], *, seed: int, is_orderly: bool
) -> Found:
    """Stop one training at random moments, go on to its end and compare.

    Args:
        number: Which one; decides the training, and with the seed the moments.
        folder: Where `prepare` was.
        wholes: What it returned.
        seed: Of the moments.
        is_orderly: Stop it by SIGTERM or SIGINT instead of SIGKILL.
    """
    draw = random.Random(f"{seed} {number}")
    name = [*TRAININGS][number % len(TRAININGS)]
    found = Found(number, name)
    runs = folder / f"runs-{number}"
    before = _BESIDE if number // len(TRAININGS) % 2 else ""
    stops = 1
    if not is_orderly and draw.random() < _MORE_KILLS:
        stops += draw.randint(1, _MOST_MORE)
    for _stop in range(stops):
        left = 1 - _saved_step(runs) / wholes[name].steps
        moment = draw.uniform(0, max(0.1, left * wholes[name].seconds))
        number_sent = draw.choice((signal.SIGTERM, signal.SIGINT)) if is_orderly else signal.SIGKILL
        _stopped(found, runs, folder, name, moment, number_sent, before)
    done = dlcli(*_words(runs, name), folder=folder, check=None, before=before)
    found.codes.append(done.returncode)
    if done.returncode:
        found.faults.append(f"exit {done.returncode}: {done.stderr}")
    else:
        found.faults += _differences(runs, wholes[name])
        found.half_made = len([*runs.iterdir()]) - 1
    if not found.faults:
        shutil.rmtree(runs)
    return found


def _words(runs: Path, name: str) -> list[object]:
    """Return the command line that begins a training, or goes on with it if it has begun."""
    whom = ["--resume", "latest"] if list_runs(runs) else [f"{name}.yaml"]
    return ["train", *whom, "--runs-dir", runs, "--quiet"]


def _stopped(
    found: Found,
    runs: Path,
    folder: Path,
    name: str,
    moment: float,
    number: signal.Signals,
    before: str,
) -> None:
    """Start or resume a training and send it a signal after some seconds."""
    words = _words(runs, name)
    is_resume = "--resume" in words
    with tempfile.NamedTemporaryFile() as steps:
        steps.write(bytes(8))
        steps.flush()
        if number != signal.SIGKILL:
            before += _COUNTING.format(path=steps.name)
        done_before = _saved_step(runs)
        with started(*words, folder=folder, before=before) as running:
            time.sleep(moment)
            if number == signal.SIGKILL:
                os.killpg(running.pid, number)
            else:
                os.kill(running.pid, number)
            done = running.wait()
            if _is_alive(running.pid):
                found.faults.append("a process is left")
        made = int.from_bytes(Path(steps.name).read_bytes(), "little")
    found.codes.append(done.returncode)
    if done.returncode == 0:
        return  # it was over by then
    found.stops += 1
    found.while_resuming += is_resume
    found.before_the_run += not list_runs(runs)
    found.before_a_checkpoint += bool(list_runs(runs)) and not [*runs.glob("*/checkpoints/*.sa*")]
    if number == signal.SIGKILL:
        return
    if done.returncode != 128 + number:
        found.faults.append(f"exit {done.returncode} after {number.name}: {done.stderr}")
    found.lost_steps = max(found.lost_steps, done_before + made - _saved_step(runs))
    if found.lost_steps > 1:
        found.faults.append(f"{found.lost_steps} steps are lost")
    if left := [*runs.rglob(f"*{PART}")]:
        found.faults.append(f"temporary files are left after {number.name}: {left}")


def _saved_step(runs: Path) -> int:
    """Return the step of the last checkpoint, 0 where there is none."""
    for run in list_runs(runs):
        path = run / "checkpoints" / "last.safetensors"
        if path.exists():
            return int(checkpoint.load(path).data["state"]["step"])
    return 0


def _is_alive(group: int) -> bool:
    """Say whether a process of a group outlives it by seconds.

    `git`, which a run asks for its commit, has the system for its parent then, and that takes a
    moment to bury it.
    """
    end = time.monotonic() + _SECONDS_TO_END
    while time.monotonic() < end:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return False
        time.sleep(0.01)
    return True


def _differences(runs: Path, whole: Whole) -> Iterator[str]:
    """Yield in what a run that was stopped differs from one that was not."""
    (run,) = list_runs(runs)
    left = left_behind(run)
    yield from (f"another {key}" for key in left if left[key] != whole.left[key])
    if files := [str(path) for path in run.rglob(".*")]:
        yield f"temporary files are left: {files}"
    descriptor = os.open(run, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield "a lock is left"
    finally:
        os.close(descriptor)


def run_experiments(
    folder: Path, *, stops: int, seed: int = 0, jobs: int = 1, is_orderly: bool = False
) -> list[Found]:
    """Run experiments until so many signals have hit a running process.

    Args:
        folder: An empty folder; what differs from an uninterrupted run stays there.
        stops: How many signals.
        seed: Of the moments.
        jobs: Experiments at a time.
        is_orderly: SIGTERM and SIGINT instead of SIGKILL.
    """
    wholes = prepare(folder)
    found: list[Found] = []
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        number = 0
        while sum(one.stops for one in found) < stops:
            lacking = stops - sum(one.stops for one in found)
            numbers = range(number, number + max(jobs, lacking // 2))
            number = numbers.stop
            under_way = [
                pool.submit(experiment, each, folder, wholes, seed=seed, is_orderly=is_orderly)
                for each in numbers
            ]
            for one in as_completed(under_way):
                found.append(one.result())
                sys.stderr.write(json.dumps(asdict(found[-1])) + "\n")
    return found


def summed_up(found: Sequence[Found], seconds: float) -> dict[str, Any]:
    """Return what experiments showed together."""
    return {
        "experiments": len(found),
        "as_if_never_stopped": sum(not one.faults for one in found),
        "stops": sum(one.stops for one in found),
        "while_resuming": sum(one.while_resuming for one in found),
        "before_the_run": sum(one.before_the_run for one in found),
        "before_a_checkpoint": sum(one.before_a_checkpoint for one in found),
        "half_made": sum(one.half_made for one in found),
        "most_lost_steps": max(one.lost_steps for one in found),
        "by_training": {
            name: sum(one.stops for one in found if one.training == name) for name in TRAININGS
        },
        "faults": [fault for one in found for fault in one.faults],
        "seconds": round(seconds),
    }


def main() -> None:
    """Read the command line, run the experiments, print what they showed."""
    parser = ArgumentParser(prog="python -m tests.faults.kills")
    parser.add_argument("--kills", type=int, default=0, help="SIGKILLs")
    parser.add_argument("--signals", type=int, default=0, help="SIGTERMs and SIGINTs")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--jobs", type=int, default=1, help="experiments at a time")
    parser.add_argument(
        "--folder",
        type=Path,
        help="an empty folder to work in, kept; another is if all is not well",
    )
    given = parser.parse_args()
    place, is_well = given.folder or Path(tempfile.mkdtemp(prefix="kills-")), True
    for stops, is_orderly in ((given.kills, False), (given.signals, True)):
        if not stops:
            continue
        start = time.monotonic()
        folder = (place / ("signals" if is_orderly else "kills")).resolve()
        folder.mkdir(parents=True)
        found = run_experiments(
            folder, stops=stops, seed=given.seed, jobs=given.jobs, is_orderly=is_orderly
        )
        summary = summed_up(found, time.monotonic() - start)
        sys.stdout.write(json.dumps({"by": folder.name} | summary) + "\n")
        is_well &= not summary["faults"]
    if is_well and not given.folder:
        shutil.rmtree(place)
    sys.exit(not is_well)


if __name__ == "__main__":
    main()
