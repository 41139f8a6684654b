"""Rows that stand each for itself: parts drawn, a fit on training rows alone, all encoded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dlcli.config.data import RecordOptions, Scaling, TableOptions, TabularOptions
from dlcli.data.checks import TwinCheck, constant_warnings, duplicate_warnings, text_warnings
from dlcli.data.examples import ResidentExamples
from dlcli.data.fitting import encode_parts, fit_preprocessor
from dlcli.data.labels import RowLabels, decide_task, read_labels
from dlcli.data.prepared import Prepared
from dlcli.data.preprocessor import Preprocessor
from dlcli.data.sources.source import Sources, Task
from dlcli.data.split import PARTS, Split, draw_split
from dlcli.data.wording import counted
from dlcli.errors import ConfigError, DataError


def prepare_rows(
    sources: Sources,
    options: RecordOptions,
    *,
    task: str | None,
    scale_targets: bool = True,
    fold: int | None = None,
) -> Prepared:
    """See `dlcli.data.prepare.prepare`."""
    has_drop = type(options) is TableOptions  # those made from it refuse it, or have other columns
    tabular = options if isinstance(options, TabularOptions) else TabularOptions()
    parts = _draw(sources, options, task, fold)
    twins = TwinCheck(sources.inputs, sources.targets)
    preprocessor = fit_preprocessor(
        sources,
        options,
        task=parts.task,
        target_scaling=_target_scaling(tabular, parts.task, scale_targets),
        part_of=parts.part_of(sources, "train"),
        watch=twins.watch,
    )
    if parts.task == "classification" and len(preprocessor.classes) < 2:
        raise DataError(
            f"every training row has the class `{preprocessor.classes[0]}`: there is nothing to "
            "tell apart",
            path=("data", "target"),
        )
    examples = _encode(sources, preprocessor, parts, PARTS)
    return Prepared(
        task=parts.task,
        task_reason=parts.task_reason,
        preprocessor=preprocessor,
        examples=examples,
        rows=_numbered(sources, parts.rows),
        fingerprint=sources.fingerprint,
        files=sources.files,
        warnings=(
            *sources.warnings,
            *parts.warnings,
            *constant_warnings(preprocessor, remedy=None if has_drop else ""),
            *text_warnings(preprocessor),
            *twins.warnings(has_drop=has_drop),
            *duplicate_warnings(examples),
        ),
        class_counts=_class_counts(preprocessor, examples["train"]),
    )


def restore_rows(
    sources: Sources,
    options: RecordOptions,
    *,
    preprocessor: Preprocessor,
    task: str | None,
    fold: int | None = None,
    parts: Sequence[str] = ("test",),
) -> dict[str, ResidentExamples]:
    """See `dlcli.data.prepare.restore`."""
    return _encode(sources, preprocessor, _draw(sources, options, task, fold), parts)


@dataclass(frozen=True)
class _Parts:
    """The task and every part's rows in its source."""

    task: Task
    task_reason: str
    rows: dict[str, np.ndarray]
    totals: dict[str, int]
    warnings: tuple[str, ...]

    def part_of(self, sources: Sources, part: str) -> np.ndarray:
        """Return, for the source that holds a part, the part of each row (N,) or -1."""
        own = part != "train" and getattr(sources, part) is not None
        places = np.full(self.totals[part if own else "train"], -1, np.int8)
        for other, rows in self.rows.items():
            apart = other != "train" and getattr(sources, other) is not None
            if other == part or not (own or apart):
                places[rows] = PARTS.index(other)
        return places


def _draw(sources: Sources, options: RecordOptions, task: str | None, fold: int | None) -> _Parts:
    split = options.split
    labels = {"train": read_labels(sources.train, sources.targets, split)}
    files = {"val": sources.val, "test": sources.test}
    for part, source in files.items():
        if source is not None:
            labels[part] = read_labels(source, sources.targets, None)
    found, reason = decide_task(sources, labels["train"], task)
    drawn = _draw_train(sources, options, labels["train"], found, fold)
    rows = {part: labels["train"].labelled[index] for part, index in drawn.parts.items()}
    rows |= {part: labels[part].labelled for part in files if part in labels}
    return _Parts(
        task=found,
        task_reason=reason,
        rows=rows,
        totals={part: one.total for part, one in labels.items()},
        warnings=(*_unlabelled(labels), *drawn.warnings),
    )


def _draw_train(
    sources: Sources, options: RecordOptions, labels: RowLabels, task: Task, fold: int | None
) -> Split:
    split = options.split
    if fold is not None and split.folds is not None and not 0 <= fold < split.folds:
        raise ConfigError(f"there is no fold {fold} of {split.folds}", path=("data", "split"))
    drawn = draw_split(
        split,
        len(labels.labelled),
        draws=[part for part in ("val", "test") if getattr(sources, part) is None],
        classes=labels.codes(sources.targets[0]) if task == "classification" else None,
        groups=labels.codes(split.group) if split.group else None,
        names=labels.codes(split.column) if split.column else None,
        fold=fold,
    )
    taken = [p for p in ("val", "test") if p in drawn.parts and getattr(sources, p) is not None]
    if taken:
        raise ConfigError(
            f"the split column and a file of its own both give {taken[0]} rows",
            path=("data", f"{taken[0]}_path"),
        )
    return drawn


def _numbered(sources: Sources, rows: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the rows of each part's source as the data number them."""
    found = {}
    for part, index in rows.items():
        numbers = sources.numbers.get("train" if getattr(sources, part) is None else part)
        found[part] = index if numbers is None else numbers[index]
    return found


def _unlabelled(labels: dict[str, RowLabels]) -> list[str]:
    counts = {part: one.total - len(one.labelled) for part, one in labels.items()}
    return [
        f"{counted(count, 'row')} without a target {'is' if count == 1 else 'are'} left out"
        + (f" of the {part} file" if part != "train" else "")
        for part, count in counts.items()
        if count
    ]


def _encode(
    sources: Sources, preprocessor: Preprocessor, parts: _Parts, wanted: Sequence[str]
) -> dict[str, ResidentExamples]:
    """Encode the wanted parts, those of one source in one pass, in the order of PARTS."""
    apart = [part for part in ("val", "test") if getattr(sources, part) is not None]
    together = [part for part in wanted if part in parts.rows and part not in apart]
    found: dict[str, ResidentExamples] = {}
    if together:
        part_of = parts.part_of(sources, "train")
        found |= encode_parts(sources.train, preprocessor, part_of, together)
    for part in apart:
        if part in wanted:
            part_of = parts.part_of(sources, part)
            found |= encode_parts(getattr(sources, part), preprocessor, part_of, [part])
    return {part: found[part] for part in PARTS if part in found}


def _target_scaling(options: TabularOptions, task: Task, scale_targets: bool) -> Scaling:
    given = options.target_scaling
    if task == "classification" or not scale_targets:
        if given not in ("auto", "none") and task == "regression":
            raise ConfigError(
                "the loss predicts by an exponential, so its target cannot be scaled",
                path=("data", "target_scaling"),
            )
        return "none"
    return "standard" if given == "auto" else given


def _class_counts(preprocessor: Preprocessor, train: ResidentExamples) -> Tensor | None:
    if not preprocessor.classes:
        return None
    return torch.bincount(train.targets, minlength=len(preprocessor.classes))
