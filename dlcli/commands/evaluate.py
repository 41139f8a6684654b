"""`dlcli evaluate`: measure a trained model on a part of its data, or on another labelled file."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dlcli.build import choose_threads, open_sources
from dlcli.commands.outcome import Outcome
from dlcli.config.data import TableOptions
from dlcli.config.read import config_from
from dlcli.data.examples import ResidentExamples
from dlcli.data.prepare import encode_labelled, restore
from dlcli.data.sources.dialect import dialect_of
from dlcli.data.sources.files import is_file
from dlcli.data.sources.records import read_records
from dlcli.data.split import PARTS
from dlcli.errors import CheckpointError, DataError, UsageError
from dlcli.files import disk_errors, relative, write_json
from dlcli.progress import Talk
from dlcli.report.classes import ClassReport, class_report, print_class_report
from dlcli.report.intervals import bootstrap_intervals
from dlcli.report.pictures import save_confusion, save_scatter
from dlcli.report.scores import print_scores
from dlcli.run import find_checkpoint, is_run, read_facts
from dlcli.trained import TrainedModel, open_trained
from dlcli.training.state import Scores


@dataclass(frozen=True)
class _Measured:
    """What was found out about a model on N rows.

    Attributes:
        answers: What it answered, on the CPU.
        truths: What was right.
        scores: The loss and every metric.
        intervals: 95 % interval of every metric.
        report: Each class; None for regression.
    """

    answers: Tensor
    truths: Tensor
    scores: Scores
    intervals: Mapping[str, tuple[float, float]]
    report: ClassReport | None


def evaluate_checkpoint(
    checkpoint: str,
    *,
    data: str | None = None,
    split: str | None = None,
    output: Path | None = None,
    runs_dir: Path,
    device: str = "auto",
    is_quiet: bool = False,
) -> Outcome:
    """Measure a checkpoint; writes metrics.json and pictures into the run, or into `output`.

    Args:
        checkpoint: A file, a run directory, a run's name, or `latest`.
        data: A labelled file; None takes a part of the run's own data.
        split: Which part of the run's data; the test part unless given.
        output: Folder for what is written; None takes the run's, or none where there is no run.
        runs_dir: Where named runs are.
        device: Where to compute.
        is_quiet: Say nothing on stderr.

    Raises:
        DlcliError: See `dlcli.errors` for each cause.
    """
    if data is not None and split is not None:
        raise UsageError("--data measures a file, --split a part of the run's data: give one")
    split = split or "test"
    if split not in PARTS:
        raise UsageError(f"--split {split} is unknown", suggestion=", ".join(PARTS))
    talk = Talk(is_quiet=is_quiet)
    path = find_checkpoint(checkpoint, runs_dir)
    model = _opened(path, device, talk)
    if data is not None:
        examples, what = _labelled(model, Path(data)), _label(Path(data))
    else:
        examples, what = _part(model, path, split, talk), split
    if not len(examples):
        raise DataError("there are no rows to measure", suggestion="give a file with rows")
    measured = _measure(model, examples)
    result: dict[str, Any] = {
        "schema": 1,
        "command": "evaluate",
        "status": "ok",
        "checkpoint": relative(path),
        "data": data or split,
        "rows": len(examples),
        "metrics": measured.scores,
        "intervals": {name: list(bounds) for name, bounds in measured.intervals.items()},
        "warnings": talk.warnings,
    }
    if (report := measured.report) is not None:
        result |= {"classes": report.rows(), "confusion": report.confusion.tolist()}
    folder = output or _run_folder(path, what)
    if folder is not None:
        _write(folder, result, measured, model.learner.task.names)
        talk.say(f"written: {relative(folder)}")
    heading = f"{Path(data).name if data else split} ({len(examples):,} rows)"
    return Outcome(result, lambda: _show(measured, heading))


def _opened(path: Path, device: str, talk: Talk) -> TrainedModel:
    """Open a checkpoint, and use as many threads as its batches are worth."""
    model = open_trained(path, device=device)
    for warning in model.warnings:
        talk.warn(warning)
    rows = model.learner.evaluation.batch_size
    torch.set_num_threads(choose_threads(model.config, model.learner.network, rows=rows))
    return model


def _labelled(model: TrainedModel, path: Path) -> ResidentExamples:
    """Encode a labelled file that the training has not seen."""
    preprocessor = model.learner.preprocessor
    if not is_file(path):
        raise DataError(f"there is no file `{path}`", suggestion="check --data")
    batches = read_records(
        path,
        dialect_of(model.config.data),
        needed=[*preprocessor.inputs, *preprocessor.targets],
    )
    return encode_labelled(batches, preprocessor).to(model.learner.device)


def _label(path: Path) -> str:
    """Name the results on a file, so that no other file's and no part's are overwritten."""
    place = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]
    return f"data-{path.stem}-{place}"


def _part(model: TrainedModel, path: Path, split: str, talk: Talk) -> ResidentExamples:
    """Make a part of the run's own data again."""
    config = config_from(model.data["config"], os.environ)
    run = path.parent.parent
    folder = Path(read_facts(run)["config_folder"]) if is_run(run) else None
    if folder is None and isinstance(config.data, TableOptions):
        raise CheckpointError(
            f"{relative(path)} stands alone: where its data are is written in its run",
            suggestion="--data PATH measures it on a labelled file",
        )
    sources = open_sources(config, folder or Path())
    if sources.fingerprint != model.data["fingerprint"]:
        talk.warn("the data changed since training: the parts may hold other rows than then")
    parts = restore(
        sources,
        config.data,
        preprocessor=model.learner.preprocessor,
        task=model.data["task"],
        fold=model.data["fold"],
        parts=(split,),
    )
    if split not in parts:
        raise UsageError(
            f"this run has no {split} part", suggestion="another --split, or --data PATH"
        )
    return parts[split].to(model.learner.device)


def _measure(model: TrainedModel, examples: ResidentExamples) -> _Measured:
    evaluation, network = model.learner.evaluation, model.learner.network
    pairs = [
        (evaluation.answers(outputs).cpu(), evaluation.truths(batch.targets).cpu())
        for outputs, batch in evaluation.outputs(network, examples)
    ]
    answers, truths = (torch.cat(column) for column in zip(*pairs, strict=True))
    names = [str(name) for name in model.learner.task.classes]
    return _Measured(
        answers,
        truths,
        evaluation.scores(network, examples),
        bootstrap_intervals(answers, truths, evaluation.metrics),
        class_report(answers.argmax(1), truths, names) if names else None,
    )


def _run_folder(path: Path, what: str) -> Path | None:
    run = path.parent.parent
    return run / "evaluation" / what if is_run(run) else None


def _write(
    folder: Path, result: Mapping[str, Any], measured: _Measured, names: Sequence[str]
) -> None:
    with disk_errors(folder, verb="create"):
        folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "metrics.json", dict(result))
    if measured.report is not None:
        save_confusion(folder / "confusion.png", measured.report)
    else:
        save_scatter(folder / "predicted.png", measured.answers, measured.truths, names)


def _show(measured: _Measured, heading: str) -> None:
    print_scores({heading: measured.scores}, intervals=measured.intervals)
    if measured.report is not None:
        print_class_report(measured.report)
