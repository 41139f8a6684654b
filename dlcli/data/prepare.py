"""From sources to tensors, by kind of data: drawn into parts, fitted on training rows, encoded.

The kinds that are not rows are imported where one is there: reading series takes 40 ms to import.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dlcli.config.data import DataOptions, RecordOptions, SeriesOptions, TextFileOptions
from dlcli.data.cache.entries import Say
from dlcli.data.examples import Examples
from dlcli.data.fitting import encode_labelled
from dlcli.data.prepared import Prepared
from dlcli.data.preprocessor import Preprocessor
from dlcli.data.rows import prepare_rows, restore_rows
from dlcli.data.sources.source import Sources

__all__ = ["Prepared", "encode_labelled", "prepare", "restore"]


def prepare(
    sources: Sources,
    options: DataOptions,
    *,
    task: str | None,
    scale_targets: bool = True,
    fold: int | None = None,
) -> Prepared:
    """Draw the parts, fit the preprocessor on training rows alone, and encode every part.

    Args:
        sources: The opened data set.
        options: The `data` section.
        task: As the config gives it; None infers it.
        scale_targets: The loss allows scaled targets; False where its link is exponential.
        fold: With `split.folds`, which fold is the test part, from 0.

    Raises:
        ConfigError: Task, split or target scaling do not go with the data.
        DataError: A cell is not what its column holds; or nothing is left to learn.
    """
    if isinstance(options, SeriesOptions):
        from dlcli.data.forecasting import prepare_series

        return prepare_series(sources, options, scale_targets=scale_targets)
    if isinstance(options, TextFileOptions):
        from dlcli.data.language import prepare_text

        return prepare_text(sources, options)
    assert isinstance(options, RecordOptions)
    return prepare_rows(sources, options, task=task, scale_targets=scale_targets, fold=fold)


def restore(
    sources: Sources,
    options: DataOptions,
    *,
    preprocessor: Preprocessor,
    task: str | None,
    fold: int | None = None,
    parts: Sequence[str] = ("test",),
    say: Say = lambda _: None,
) -> Mapping[str, Examples]:
    """Return parts as `prepare` made them, with a preprocessor that is fitted already.

    Args:
        sources: The data set, opened again.
        options: The `data` section of that training.
        preprocessor: From its checkpoint.
        task: Of that training.
        fold: Likewise.
        parts: Those to return; a part without rows is not there.
        say: Is told what the user should know of the cache.

    Raises:
        DataError: A cell is not what its column holds.
    """
    if isinstance(options, SeriesOptions):
        from dlcli.data.forecasting import restore_series

        return restore_series(sources, options, preprocessor=preprocessor, parts=parts)
    if isinstance(options, TextFileOptions):
        from dlcli.data.language import restore_text

        return restore_text(sources, options, preprocessor=preprocessor, parts=parts)
    assert isinstance(options, RecordOptions)
    return restore_rows(
        sources, options, preprocessor=preprocessor, task=task, fold=fold, parts=parts, say=say
    )
