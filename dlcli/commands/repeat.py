"""Several runs of one config, with other seeds or on other folds, and what they have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from statistics import mean, stdev
from typing import Any

from dlcli.commands.outcome import Outcome
from dlcli.progress import Talk
from dlcli.report.scores import print_spread
from dlcli.training.state import Scores

Runs = Sequence[Mapping[str, Any]]


def repeat(train: Callable[[int], Outcome], count: int, talk: Talk) -> Outcome:
    """Run `train(0)`, `train(1)`, ... and put their scores together.

    Args:
        train: Trains once; its argument counts from 0.
        count: How often.
        talk: Where to say what to type next.

    Returns:
        The mean and the standard deviation (of a sample) of every score, and each run's result;
        runs that measured nothing, as no epoch of them was completed, are left out of the mean. Or
        the outcome of an interrupted run, with those before it, where there was one.

    Raises:
        Exception: What a run raises, with the results of those before it as `runs`.
    """
    runs: list[Mapping[str, Any]] = []
    for offset in range(count):
        try:
            outcome = train(offset)
        except Exception as error:
            error.runs = tuple(runs)  # type: ignore[attr-defined]
            if runs:
                talk.say(_told(runs, count, "failed"))
            raise
        if outcome.exit_code:
            return _interrupted(outcome, runs, count, talk)
        runs.append(outcome.data)
    spreads, kinds, baseline = _spreads(runs)
    result = {
        "schema": 1,
        "command": "train",
        "status": "ok",
        "metrics": {part: spread and spread["mean"] for part, spread in spreads.items()},
        "std": {part: spread and spread["std"] for part, spread in spreads.items()},
        "baseline": baseline and kinds | baseline["mean"],
        "seconds": round(sum(run["seconds"] for run in runs), 3),
        "warnings": list(dict.fromkeys(text for run in runs for text in run["warnings"])),
        "runs": runs,
    }

    def show() -> None:
        show_runs(runs)
        talk.say(f"runs: {', '.join(run['run_dir'] for run in runs)}")
        talk.say(f"next: dlcli evaluate {runs[0]['run_dir']}")

    return Outcome(result, show)


def show_runs(runs: Runs) -> None:
    """Print the mean and the standard deviation of the scores of complete runs, at least one."""
    spreads, kinds, baseline = _spreads(runs)
    columns = spreads | {f"{kinds.get('name')} ({kinds.get('part')})": baseline}
    if any(columns.values()):
        print_spread(columns, len(runs))


def _spreads(
    runs: Runs,
) -> tuple[dict[str, dict[str, Scores] | None], dict[str, str], dict[str, Scores] | None]:
    """Return the spread of each part's scores, and name, part and spread of the baseline."""
    spreads = {part: _spread([run["metrics"][part] for run in runs]) for part in runs[0]["metrics"]}
    return spreads, *_baselines([run["baseline"] for run in runs])


def _told(runs: Runs, count: int, how: str) -> str:
    places = f" ({', '.join(run['run_dir'] for run in runs)})" if runs else ""
    return (
        f"{len(runs)} of {count} runs were complete{places}; those after the {how} one were not "
        "begun"
    )


def _interrupted(outcome: Outcome, runs: Runs, count: int, talk: Talk) -> Outcome:
    """Return the outcome of an interrupted run, with what became of the others."""

    def show() -> None:
        outcome.show()
        talk.say(_told(runs, count, "interrupted"))

    return replace(outcome, data=outcome.data | {"runs": list(runs)}, show=show)


def _baselines(
    baselines: Sequence[Mapping[str, Any] | None],
) -> tuple[dict[str, str], dict[str, Scores] | None]:
    """Return name and part of the runs' baseline, and its spread; nothing where none has one."""
    measured = [baseline for baseline in baselines if baseline is not None]
    kinds = {key: measured[0][key] for key in ("name", "part")} if measured else {}
    return kinds, _spread([{k: v for k, v in b.items() if k not in kinds} for b in measured])


def _spread(parts: Sequence[Scores | None]) -> dict[str, Scores] | None:
    """Return mean and standard deviation of each score over the runs that have it."""
    measured = [scores for scores in parts if scores is not None]
    if not measured:
        return None
    values = {
        name: [value for scores in measured if (value := scores[name]) is not None]
        for name in measured[0]
    }
    return {
        "mean": {name: mean(each) if each else None for name, each in values.items()},
        "std": {name: stdev(each) if len(each) > 1 else None for name, each in values.items()},
    }
