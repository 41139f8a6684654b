"""`dlcli evaluate`: measure a trained model on a part of its data, or on another labelled file."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dlcli.build import open_sources
from dlcli.commands.outcome import Outcome
from dlcli.config.data import DataOptions
from dlcli.config.read import config_from
from dlcli.config.types import fields_of
from dlcli.data.examples import Examples, WindowExamples
from dlcli.data.prepare import restore
from dlcli.data.split import PARTS
from dlcli.data.unseen import labelled_examples
from dlcli.data.wording import counted
from dlcli.errors import CheckpointError, DataError, UsageError
from dlcli.files import disk_errors, relative, write_json
from dlcli.hardware import choose_threads
from dlcli.progress import Talk
from dlcli.report.classes import ClassReport, class_report, print_class_report
from dlcli.report.forecasts import Forecasts, some_forecasts
from dlcli.report.intervals import bootstrap_intervals
from dlcli.report.pictures import save_confusion, save_forecasts, save_scatter
from dlcli.report.scores import print_scores
from dlcli.run import find_checkpoint, is_run, read_facts
from dlcli.trained import TrainedModel, open_trained, stored_in
from dlcli.training.state import Scores


@dataclass(frozen=True)
class _Measured:
    """What was found out about a model on N rows.

    Attributes:
        scores: The loss and every metric.
        pair: What it answered and what was right, on the CPU; None where the task shows the
            scores alone.
        intervals: 95 % interval of every metric, likewise.
        report: Each class; None where there are none.
        baselines: Of forecasts, the metrics of answers that need no model.
        forecasts: Some of them; None where there are none.
    """

    scores: Scores
    pair: tuple[Tensor, Tensor] | None = None
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    report: ClassReport | None = None
    baselines: Mapping[str, Scores] = field(default_factory=dict)
    forecasts: Forecasts | None = None


def evaluate_checkpoint(
    checkpoint: str,
    *,
    data: str | None = None,
    split: str | None = None,
    output: Path | None = None,
    runs_dir: Path,
    device: str = "auto",
    trust_code: bool = False,
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
        trust_code: Whether code that the checkpoint holds may run.
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
    model = _opened(path, device, talk, trust_code=trust_code)
    if data is not None:
        own = model.learner
        examples = labelled_examples(Path(data), model.config.data, own.preprocessor).to(own.device)
        what = _label(Path(data))
    else:
        examples, what = _part(model, path, split, talk, trust_code=trust_code), split
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
        "baselines": [{"name": name, **own} for name, own in measured.baselines.items()],
        "intervals": {name: list(bounds) for name, bounds in measured.intervals.items()},
        "warnings": talk.warnings,
    }
    if (report := measured.report) is not None:
        result |= {"classes": report.rows(), "confusion": report.confusion.tolist()}
    folder = output or _run_folder(path, what)
    if folder is not None:
        _write(folder, result, measured, model.learner.task.names)
        talk.say(f"written: {relative(folder)}")
    unit = "row" if model.learner.preprocessor.window is None else "window"
    heading = f"{Path(data).name if data else split} ({counted(len(examples), unit)})"
    return Outcome(result, lambda: _show(measured, heading))


def _opened(path: Path, device: str, talk: Talk, *, trust_code: bool) -> TrainedModel:
    """Open a checkpoint, and use as many threads as its batches are worth."""
    model = open_trained(path, device=device, trust_code=trust_code)
    for warning in model.warnings:
        talk.warn(warning)
    rows = model.learner.evaluation.batch_size
    torch.set_num_threads(choose_threads(model.config, model.learner, rows=rows))
    return model


def _label(path: Path) -> str:
    """Name the results on a file, so that no other file's and no part's are overwritten."""
    place = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]
    return f"data-{path.stem}-{place}"


def _part(model: TrainedModel, path: Path, split: str, talk: Talk, *, trust_code: bool) -> Examples:
    """Make a part of the run's own data again."""
    stored = stored_in(model.data, path, trust_code=trust_code)
    config = config_from(model.data["config"], os.environ, stored=stored)
    run = path.parent.parent
    folder = Path(read_facts(run)["config_folder"]) if is_run(run) else None
    if folder is None and _reads_files(config.data):
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
        say=talk.warn,
    )
    if split not in parts:
        raise UsageError(
            f"this run has no {split} part", suggestion="another --split, or --data PATH"
        )
    return parts[split].to(model.learner.device)


def _reads_files(options: DataOptions) -> bool:
    """Say whether the rows are in files that the options name."""
    return any(
        part.is_path
        for kind in fields_of(type(options)).values()
        for member in kind.members
        for part in (member, *member.inner)
    )


def _measure(model: TrainedModel, examples: Examples) -> _Measured:
    evaluation, network = model.learner.evaluation, model.learner.network
    scores = evaluation.scores(network, examples)
    if model.learner.task.report == "scores":
        return _Measured(scores)
    if isinstance(examples, WindowExamples) and model.learner.task.report == "forecast":
        return _measure_forecasts(model, examples, scores)
    pairs = [
        (evaluation.answers(outputs).cpu(), evaluation.truths(batch.targets).cpu())
        for outputs, batch in evaluation.outputs(network, examples)
    ]
    answers, truths = (torch.cat(column) for column in zip(*pairs, strict=True))
    names = [str(name) for name in model.learner.task.classes]
    return _Measured(
        scores,
        (answers, truths),
        bootstrap_intervals(answers, truths, evaluation.metrics),
        class_report(answers.argmax(1), truths, names) if names else None,
    )


def _measure_forecasts(model: TrainedModel, examples: WindowExamples, scores: Scores) -> _Measured:
    """Compare with what needs no model; windows overlap, so that no bootstrap over them is true."""
    learner = model.learner
    baselines = learner.task.baselines(examples)
    return _Measured(
        scores,
        baselines={
            name: learner.evaluation.baseline_scores(baseline, examples)
            for name, baseline in baselines.items()
        },
        forecasts=some_forecasts(learner.evaluation, learner.network, examples, baselines["naive"]),
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
    elif measured.forecasts is not None:
        save_forecasts(folder / "forecasts.png", measured.forecasts, names)
    elif measured.pair is not None:
        save_scatter(folder / "predicted.png", *measured.pair, names)


def _show(measured: _Measured, heading: str) -> None:
    intervals = None if measured.pair is None else measured.intervals
    print_scores({heading: measured.scores, **measured.baselines}, intervals=intervals)
    if measured.report is not None:
        print_class_report(measured.report)
