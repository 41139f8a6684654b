"""Which rows of which source each part has; reads targets, group and split columns alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dlcli.config.data import RecordOptions
from dlcli.data.labels import RowLabels, decide_task, read_labels
from dlcli.data.sources.source import Source, Sources, Task
from dlcli.data.split import PARTS, Split, draw_split
from dlcli.data.wording import counted
from dlcli.errors import ConfigError


@dataclass(frozen=True)
class DrawnParts:
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

    def by_source(
        self, sources: Sources, wanted: Sequence[str]
    ) -> Iterator[tuple[Source, np.ndarray, list[str]]]:
        """Yield each source that holds wanted parts, the part of each of its rows, and which."""
        apart = [part for part in ("val", "test") if getattr(sources, part) is not None]
        together = [part for part in wanted if part in self.rows and part not in apart]
        if together:
            yield sources.train, self.part_of(sources, "train"), together
        for part in apart:
            if part in wanted:
                yield getattr(sources, part), self.part_of(sources, part), [part]


def draw_parts(
    sources: Sources, options: RecordOptions, task: str | None, fold: int | None
) -> DrawnParts:
    """Read what the parts depend on, and draw them.

    Args:
        sources: The data set.
        options: Its `split` among them.
        task: As the config gives it; None infers it.
        fold: See `dlcli.data.prepare.prepare`.

    Raises:
        ConfigError: Task or split do not go with the data.
        DataError: A target, group or part name is not what its column holds.
    """
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
    return DrawnParts(
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


def numbered(sources: Sources, rows: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
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
