"""What has to be known of every row before the parts can be drawn: targets, groups, part names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dlcli.config.data import SplitOptions
from dlcli.data.encoders.encoder import CellError
from dlcli.data.encoders.parse import booleans, numbers
from dlcli.data.preprocessor import located
from dlcli.data.sources.cells import texts
from dlcli.data.sources.source import ColumnKind, Source, Sources, Task
from dlcli.data.split import Labels, places
from dlcli.data.wording import counted
from dlcli.errors import ConfigError, DataError

_MOST_CLASSES = 20  # distinct whole numbers that are taken for classes


@dataclass(frozen=True)
class RowLabels:
    """The rows of one source.

    Attributes:
        labelled: Rows whose targets are all there, ascending.
        total: Number of all rows.
        columns: Values of the targets, group and split columns over the labelled rows; of texts
            each chunk is dictionary-encoded, which takes a third.
    """

    labelled: np.ndarray
    total: int
    columns: Mapping[str, pa.ChunkedArray]

    def codes(self, column: str) -> Labels:
        """Return a column as codes, in order of first appearance."""
        values = self.columns[column]
        is_encoded = pa.types.is_dictionary(values.type)
        unified = values.unify_dictionaries() if is_encoded else values.dictionary_encode()
        encoded = unified.combine_chunks()
        names = [str(name) for name in texts(encoded.dictionary).to_pylist()]
        return Labels(encoded.indices.to_numpy(zero_copy_only=False), names)


def read_labels(source: Source, targets: tuple[str, ...], split: SplitOptions | None) -> RowLabels:
    """Read targets, and for a source that is to be split also its group and split columns.

    Raises:
        DataError: No row has a target, or a group or part name is missing.
    """
    others = [name for name in (split.group, split.column) if name] if split else []
    names = list(dict.fromkeys([*targets, *others]))
    chunks: dict[str, list[pa.Array]] = {name: [] for name in names}
    for batch in source.chunks(names):
        for name in names:
            try:
                chunks[name].append(_values(batch.column(name), name, source.kinds[name]))
            except CellError as error:
                raise located(error, batch) from error
    columns = {name: pa.chunked_array(arrays) for name, arrays in chunks.items() if arrays}
    if not columns:
        raise DataError("there are no rows")
    present = np.logical_and.reduce([columns[name].is_valid().to_numpy() for name in targets])
    labelled = places(present)
    if not len(labelled):
        raise DataError(f"no row has its target {', '.join(f'`{name}`' for name in targets)}")
    kept = columns
    if not present.all():
        kept = {name: array.filter(pa.array(present)) for name, array in columns.items()}
    for name in others:
        if kept[name].null_count:
            raise DataError(
                f"column `{name}` decides on the parts and is missing in "
                f"{counted(kept[name].null_count, 'row')}"
            )
    return RowLabels(labelled, len(present), kept)


def decide_task(sources: Sources, labels: RowLabels, given: str | None) -> tuple[Task, str]:
    """Return the task and why, in words.

    Raises:
        ConfigError: The task given does not go with the target.
    """
    found, reason = _infer_task(sources, labels)
    kinds = {name: sources.train.kinds[name] for name in sources.targets}
    if given == "regression" or (given is None and found == "regression"):
        unfit = [name for name, kind in kinds.items() if kind not in ("numeric", "boolean")]
        if unfit:
            raise ConfigError(
                f"regression needs numbers, and the target `{unfit[0]}` is {kinds[unfit[0]]}",
                path=("data", "target") if given is None else ("task",),
            )
    if given == "classification" and len(sources.targets) > 1:
        raise ConfigError("classification takes one target", path=("data", "target"))
    if given is None:
        return found, reason
    return ("regression" if given == "regression" else "classification"), "given in the config"


def _infer_task(sources: Sources, labels: RowLabels) -> tuple[Task, str]:
    if sources.task is not None:
        return sources.task, f"the data set is one of {sources.task}"
    if len(sources.targets) > 1:
        return "regression", f"there are {len(sources.targets)} targets"
    (target,) = sources.targets
    kind = sources.train.kinds[target]
    if kind in ("categorical", "boolean", "text"):
        words = {"boolean": "true or false"}.get(kind, "text")
        return "classification", f"the target `{target}` is {words}"
    values = labels.columns[target]
    if kind != "numeric" or not all(map(_is_whole, values.chunks)):
        return "regression", f"the target `{target}` has numbers that are not whole"
    count = len(pc.unique(values))
    if 2 < count == len(labels.labelled) <= _MOST_CLASSES:
        return "regression", f"the target `{target}` has another whole number in every row"
    found: Task = "classification" if count <= _MOST_CLASSES else "regression"
    more = "at most" if count <= _MOST_CLASSES else "more than"
    said = f"the target `{target}` has {count} distinct whole numbers ({more} {_MOST_CLASSES})"
    return found, said


def _values(array: pa.Array, name: str, kind: ColumnKind) -> pa.Array:
    if kind == "numeric":
        return pa.array(numbers(array, name), from_pandas=True)
    return booleans(array, name) if kind == "boolean" else texts(array).dictionary_encode()


def _is_whole(numbers: pa.Array) -> bool:
    return bool(pc.all(pc.equal(numbers, pc.floor(numbers))).as_py() in (True, None))
