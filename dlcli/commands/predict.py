"""`dlcli predict`: what the words of the command line name, and where the answers go."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from dlcli.commands.bulk import predictions
from dlcli.commands.forecast import forecasts
from dlcli.commands.generate import write_continuations
from dlcli.commands.inputs import Given, read_words
from dlcli.commands.wishes import Wishes
from dlcli.commands.writing import write_predictions
from dlcli.data.sources.dialect import dialect_of
from dlcli.errors import UsageError
from dlcli.files import relative
from dlcli.hardware import choose_threads
from dlcli.progress import Talk
from dlcli.report.predictions import FORMATS, Predictions
from dlcli.run import find_checkpoint
from dlcli.trained import TrainedModel, open_trained


def predict_inputs(
    words: Sequence[str],
    *,
    checkpoint: str,
    wishes: Wishes,
    output: Path | None = None,
    is_forced: bool = False,
    output_format: str | None = None,
    runs_dir: Path,
    device: str,
    trust_code: bool = False,
    is_quiet: bool = False,
) -> None:
    """Predict what the words of the command line name, and write it.

    Args:
        words: See `dlcli.commands.inputs`.
        checkpoint: A file, a run directory, a run's name, or `latest`.
        wishes: What to write beside the answers.
        output: File to write; None writes to stdout.
        is_forced: Replace an output that exists.
        output_format: One of `FORMATS`; None takes a table on a terminal, else the output's ending
            or csv; a lone record with one answer gives the bare value.
        runs_dir: Where named runs are.
        device: Where to compute.
        trust_code: Whether code that the checkpoint holds may run.
        is_quiet: Say nothing on stderr.

    Raises:
        DlcliError: See `dlcli.errors` for each cause.
    """
    talk = Talk(is_quiet=is_quiet)
    if output is not None and output.exists() and not is_forced:
        raise UsageError(f"{output} exists", suggestion="--force replaces it")
    chosen = output_format or _format_of(output)
    if chosen is not None and chosen not in FORMATS:
        raise UsageError(f"--format {chosen} is unknown", suggestion=", ".join(FORMATS))
    path = find_checkpoint(checkpoint, runs_dir)
    if checkpoint == "latest":
        talk.say(f"checkpoint: {relative(path)}")
    model = open_trained(path, device=device, trust_code=trust_code)
    rows = model.learner.evaluation.batch_size
    torch.set_num_threads(choose_threads(model.config, model.learner, rows=rows))
    for warning in model.warnings:
        talk.warn(warning)
    _check_wishes(wishes, model.learner.task.name)
    if model.learner.task.name == "language_modeling":
        write_continuations(model, words, wishes, output, output_format, talk)
        return
    if wishes.needs_probabilities and not model.has_confidence:
        learner = model.learner
        raise UsageError(
            "--probs, --top-k and --min-confidence need a classifier that gives probabilities; "
            f"this is {learner.task.name} with the loss `{learner.loss_options.name}`"
        )
    has_header = dialect_of(model.config.data).header
    given = list(read_words(words, model.learner.preprocessor.spec.inputs, has_header=has_header))
    _check_overwriting(output, given)
    notes: Counter[str] = Counter()
    batches = _alike(_answers(model, given, wishes, notes, talk))
    is_plain = chosen is None and output is None and not wishes.needs_probabilities
    if is_plain and _is_lone(given) and not wishes.is_skipping:
        _write_bare(next(batches))
    else:
        write_predictions(batches, output, chosen or ("table" if sys.stdout.isatty() else "csv"))
    for note, count in notes.items():
        talk.warn(f"{note}: {count:,}")


def _check_overwriting(output: Path | None, given: Sequence[Given]) -> None:
    """Refuse an output that is one of the inputs.

    Raises:
        UsageError: It is.
    """
    files = [one for one in given if isinstance(one, Path)]
    if output is not None and output.exists() and any(output.samefile(file) for file in files):
        raise UsageError(f"{output} is what is being read", suggestion="give another --output")


def _check_wishes(wishes: Wishes, task: str) -> None:
    """Refuse options that mean nothing for a task.

    Raises:
        UsageError: One is given.
    """
    if wishes.is_skipping and task in {"forecasting", "language_modeling"}:
        raise UsageError(f"--skip-errors leaves out single records, and {task} has none")
    own: dict[str, dict[str, object]] = {
        "forecasting": {"--horizon": wishes.horizon, "--backtest": wishes.is_backtest or None},
        "language_modeling": {
            "--length": wishes.length,
            "--temperature": wishes.temperature,
            "--seed": wishes.seed,
        },
    }
    for other, options in own.items():
        given = [option for option, value in options.items() if value is not None]
        if given and task != other:
            raise UsageError(f"{given[0]} is for {other}, and this model was trained for {task}")


def _format_of(output: Path | None) -> str | None:
    """Return the format that an output's ending asks for; csv for any other file."""
    if output is None:
        return None
    ending = output.suffix.lower().removeprefix(".")
    return {"json": "json", "jsonl": "jsonl", "ndjson": "jsonl", "txt": "table"}.get(ending, "csv")


def _is_lone(given: Sequence[Given]) -> bool:
    return len(given) == 1 and isinstance(given[0], list) and len(given[0]) == 1


def _answers(
    model: TrainedModel, given: Sequence[Given], wishes: Wishes, notes: Counter[str], talk: Talk
) -> Iterator[Predictions]:
    """Yield the answers for all inputs; forecasts of several series say of which each is."""
    for one in given:
        if model.learner.task.name != "forecasting":
            yield from predictions(model, one, wishes, notes, talk)
            continue
        for told in forecasts(model, one, wishes, notes):
            name = (
                str(one) if isinstance(one, Path) else "records" if isinstance(one, list) else "-"
            )
            file = {"file": [name] * len(told)} if len(given) > 1 else {}
            yield replace(told, places=file | dict(told.places))


def _alike(batches: Iterator[Predictions]) -> Iterator[Predictions]:
    """Yield every batch with the places that the first one has: a table has one head."""
    names: list[str] | None = None
    for one in batches:
        names = list(one.places) if names is None else names
        blank = [""] * len(one)
        yield replace(one, places={name: one.places.get(name, blank) for name in names})


def _write_bare(told: Predictions) -> None:
    sys.stdout.write(" ".join(str(column[0]) for column in told.values) + "\n")
