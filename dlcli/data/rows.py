"""Rows that stand each for itself: parts drawn, a fit on training rows alone, all encoded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dlcli.config.data import RecordOptions, Scaling, TableOptions, TabularOptions, TextOptions
from dlcli.data.cache.entries import Say
from dlcli.data.cache.hashing import file_hash
from dlcli.data.cache.notes import read_note, write_note
from dlcli.data.cache.seals import key_of
from dlcli.data.cached_rows import deciding
from dlcli.data.checks import TwinCheck, constant_warnings, duplicate_warnings, text_warnings
from dlcli.data.drawn import draw_parts, numbered
from dlcli.data.encoding import Encoding, is_mapped
from dlcli.data.examples import Examples
from dlcli.data.fitting import fit_preprocessor
from dlcli.data.prepared import Prepared
from dlcli.data.preprocessor import Preprocessor
from dlcli.data.sources.files import expanded
from dlcli.data.sources.source import Sources, Task
from dlcli.data.split import PARTS
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
    said: list[str] = []
    key = _fit_key(sources, options, task, fold, scale_targets=scale_targets)
    if (found := _found(sources, options, task, fold, key=key, say=said.append)) is not None:
        return found
    has_drop = type(options) is TableOptions  # those made from it refuse it, or have other columns
    tabular = options if isinstance(options, TabularOptions) else TabularOptions()
    parts = draw_parts(sources, options, task, fold)
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
    encoding = Encoding(sources, options, fold, preprocessor)
    examples = encoding.encode(parts, PARTS, said.append)
    fit = _Fit(
        parts.task,
        parts.task_reason,
        preprocessor,
        (
            *parts.warnings,
            *constant_warnings(preprocessor, remedy=None if has_drop else ""),
            *text_warnings(preprocessor),
            *twins.warnings(has_drop=has_drop),
            *duplicate_warnings(examples),
        ),
    )
    if is_mapped(examples["train"]):
        write_note(key, fit.to_data())
    return _prepared(sources, fit, examples, numbered(sources, parts.rows), said)


def restore_rows(
    sources: Sources,
    options: RecordOptions,
    *,
    preprocessor: Preprocessor,
    task: str | None,
    fold: int | None = None,
    parts: Sequence[str] = ("test",),
    say: Say = lambda _: None,
) -> Mapping[str, Examples]:
    """See `dlcli.data.prepare.restore`."""
    encoding = Encoding(sources, options, fold, preprocessor)
    if (found := encoding.find(say)) is not None:
        return found.examples(parts)
    return encoding.encode(draw_parts(sources, options, task, fold), parts, say)


@dataclass(frozen=True)
class _Fit:
    """What was learned of the data before any row was encoded; plain data in the cache."""

    task: Task
    task_reason: str
    preprocessor: Preprocessor
    warnings: tuple[str, ...]

    def to_data(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "task": self.task,
            "task_reason": self.task_reason,
            "preprocessor": self.preprocessor.state(),
            "warnings": list(self.warnings),
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> _Fit:
        """Return what `to_data` was made of."""
        preprocessor = Preprocessor.from_state(data["preprocessor"])
        return cls(data["task"], data["task_reason"], preprocessor, tuple(data["warnings"]))


def _fit_key(
    sources: Sources,
    options: RecordOptions,
    task: str | None,
    fold: int | None,
    *,
    scale_targets: bool,
) -> str:
    """Return the key of what is learned of the data before any row is encoded."""
    text = options.section(TextOptions)
    tokenizer = None if text is None or text.tokenizer is None else text.tokenizer
    return key_of(
        what="fit",
        task=task,
        scale_targets=scale_targets,
        tokenizer=tokenizer and file_hash(sources.folder / expanded(tokenizer)),
        **deciding(sources, options, fold),
    )


def _found(
    sources: Sources,
    options: RecordOptions,
    task: str | None,
    fold: int | None,
    *,
    key: str,
    say: Say,
) -> Prepared | None:
    """Return what the cache holds of an earlier preparation; None where that is not all."""
    note = None if options.cache == "never" else read_note(key)
    if note is None:
        return None
    fit = _Fit.from_data(note)
    encoding = Encoding(sources, options, fold, fit.preprocessor)
    if (rows := encoding.find(say)) is not None:
        return _prepared(sources, fit, rows.examples(PARTS), rows.numbers(), ())
    if not encoding.shares_pixels:
        return None
    parts = draw_parts(sources, options, task, fold)
    examples = encoding.encode(parts, PARTS, say)
    return _prepared(sources, fit, examples, numbered(sources, parts.rows), ())


def _prepared(
    sources: Sources,
    fit: _Fit,
    examples: Mapping[str, Examples],
    rows: Mapping[str, np.ndarray],
    said: Sequence[str],
) -> Prepared:
    return Prepared(
        task=fit.task,
        task_reason=fit.task_reason,
        preprocessor=fit.preprocessor,
        examples=examples,
        rows=rows,
        fingerprint=sources.fingerprint,
        files=sources.files,
        warnings=(*said, *sources.warnings, *fit.warnings),
        class_counts=_class_counts(fit.preprocessor, examples["train"]),
    )


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


def _class_counts(preprocessor: Preprocessor, train: Examples) -> Tensor | None:
    if not preprocessor.classes:
        return None
    return torch.bincount(train.targets, minlength=len(preprocessor.classes))
