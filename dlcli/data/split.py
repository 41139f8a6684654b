"""Which rows go to which part: a pure function of the options, the rows, classes and groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dlcli.config.data import SplitOptions
from dlcli.data.wording import counted
from dlcli.errors import ConfigError, DataError

PARTS = ("train", "val", "test")
_PART_NAMES = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
_PLACES_AT_ONCE = 1 << 20
_FEWEST_ROWS = 20  # a share of fewer rows makes no part


@dataclass(frozen=True)
class Labels:
    """A column as codes: `names[codes[row]]` is what the cell says."""

    codes: np.ndarray
    names: Sequence[str]


@dataclass(frozen=True)
class Split:
    """Rows by part, ascending, each in one part at most; and what the user should know.

    A part without rows is left out.
    """

    parts: dict[str, np.ndarray]
    warnings: tuple[str, ...] = ()


def draw_split(
    options: SplitOptions,
    rows: int,
    *,
    draws: Sequence[str] = ("val", "test"),
    classes: Labels | None = None,
    groups: Labels | None = None,
    names: Labels | None = None,
    fold: int | None = None,
) -> Split:
    """Draw the parts.

    Args:
        options: The `split` section.
        rows: Number of rows.
        draws: Parts to draw beside train; those with files of their own are not drawn.
        classes: Class of each row, for a classification.
        groups: Rows of one group stay together.
        names: Says the part of each row; nothing is drawn then.
        fold: Which of `options.folds` is the test part, from 0.

    Raises:
        ConfigError: The sizes, folds or stratification asked for do not go with these rows.
        DataError: The split column has other words than train, val and test; or a class that
            is in other parts has no row to train on, in this fold or another.
    """
    if names is not None:
        return _named(names, classes)
    if options.folds is not None and options.folds > (len(groups.names) if groups else rows):
        raise ConfigError(
            f"{options.folds} folds of "
            f"{counted(len(groups.names), 'group') if groups else counted(rows, 'row')}",
            path=("data", "split", "folds"),
        )
    sizes = _sizes(options, rows, draws)
    if groups is not None:
        for other in range(options.folds or 1):  # before the first fold is trained
            part_of = _by_group(options, groups, sizes, other)
            _check_classes(part_of, classes, groups, other if options.folds else None)
        part_of = _by_group(options, groups, sizes, fold or 0)
        return Split(_parts(part_of), tuple(_empty_parts(part_of, sizes, groups)))
    stratified, warnings = _stratify(options, classes, sizes)
    part_of = _by_row(options, rows, classes if stratified else None, sizes, fold or 0)
    if classes is not None:
        warnings += _return_lost_classes(part_of, classes)
    warnings += _empty_parts(part_of, sizes)
    return Split(_parts(part_of), tuple(warnings))


def _sizes(options: SplitOptions, rows: int, draws: Sequence[str]) -> dict[str, int]:
    """Return rows of val and test; with folds, test is as large as a fold."""
    sizes = {
        part: _size(getattr(options, part), rows) if part in draws else 0
        for part in ("val", "test")
    }
    if options.folds is not None:
        sizes["test"] = -(-rows // options.folds)
    if sum(sizes.values()) >= rows:
        raise ConfigError(
            f"{sizes['val']:,} val and {sizes['test']:,} test rows of {rows:,} leave none "
            "to train on",
            path=("data", "split"),
        )
    return sizes


def _size(given: float, rows: int) -> int:
    if isinstance(given, int):
        return given
    if rows < _FEWEST_ROWS or given == 0:
        return 0
    return max(1, round(given * rows))


def _stratify(
    options: SplitOptions, classes: Labels | None, sizes: dict[str, int]
) -> tuple[bool, list[str]]:
    """Decide on stratification: asked for, possible, or left out aloud."""
    path = ("data", "split", "stratify")
    if classes is None:
        if options.stratify:
            raise ConfigError("`stratify: true` is for classification", path=path)
        return False, []
    parts = options.folds or 1 + sum(size > 0 for size in sizes.values())
    if options.stratify is False or parts == 1:
        return False, []
    counts = np.bincount(classes.codes, minlength=len(classes.names))
    rare = int(counts.argmin())
    if counts[rare] >= parts:
        return True, []
    held = counted(int(counts[rare]), "row")
    found = f"class `{classes.names[rare]}` has {held}, fewer than the {parts} parts"
    if options.stratify:
        raise ConfigError(f"{found}, so `stratify: true` cannot hold", path=path)
    return False, [f"{found}: the parts are drawn without regard to classes"]


def _by_row(
    options: SplitOptions, rows: int, classes: Labels | None, sizes: dict[str, int], fold: int
) -> np.ndarray:
    """Return each row's part (index in PARTS), (N,)."""
    random = np.random.default_rng(options.seed)
    order = _shuffled(random.random(rows), classes)
    starts = random.random(2)
    part_of = np.zeros(rows, np.int8)
    if options.folds is not None:
        is_test = np.arange(rows) % options.folds == fold % options.folds
    else:
        is_test = _spread(rows, sizes["test"], float(starts[0]))
    part_of[order[is_test]] = PARTS.index("test")
    rest = order[~is_test]
    part_of[rest[_spread(len(rest), sizes["val"], float(starts[1]))]] = PARTS.index("val")
    return part_of


def _shuffled(keys: np.ndarray, classes: Labels | None) -> np.ndarray:
    """Return rows (N,) sorted by class, then by key."""
    return np.argsort(keys) if classes is None else np.lexsort((keys, classes.codes))


def _spread(rows: int, count: int, start: float) -> np.ndarray:
    """Choose `count` of `rows` places at equal distances, so each run of places gives its share."""
    chosen = np.zeros(rows, bool)
    if count:
        chosen[np.floor((np.arange(count) + start) * rows / count).astype(np.int64)] = True
    return chosen


def _by_group(
    options: SplitOptions, groups: Labels, sizes: dict[str, int], fold: int
) -> np.ndarray:
    random = np.random.default_rng(options.seed)
    counts = np.bincount(groups.codes, minlength=len(groups.names))
    order = np.argsort(random.random(len(counts)))
    part_of = np.zeros(len(counts), np.int8)
    if options.folds is not None:
        part_of[_group_folds(counts, order, options.folds) == fold % options.folds] = 2
    else:
        _fill(part_of, order, counts, "test", sizes["test"])
    _fill(part_of, order, counts, "val", sizes["val"])
    if not (part_of == 0).any():
        raise ConfigError(
            f"{counted(len(counts), 'group')} {'is' if len(counts) == 1 else 'are'} too few "
            "to leave one to train on",
            path=("data", "split", "group"),
        )
    by_row: np.ndarray = part_of[groups.codes]
    return by_row


def _check_classes(
    part_of: np.ndarray, classes: Labels | None, groups: Labels, fold: int | None
) -> None:
    """Refuse a split by groups whose training part lacks a class.

    Raises:
        DataError: It lacks one.
    """
    lost = [] if classes is None else _lost_classes(part_of, classes)
    if classes is None or not lost:
        return
    is_lost = classes.codes == lost[0]
    rows, held = int(is_lost.sum()), len(np.unique(groups.codes[is_lost]))
    parts = " and ".join(PARTS[index] for index in np.unique(part_of[is_lost]))
    where = f"the training part of fold {fold + 1}" if fold is not None else "the training part"
    remedies = [] if fold is not None and held == 1 else ["another `data.split.seed`"]
    if fold is not None and held > 1:
        remedies.append("fewer folds")
    remedies.append("leave the class out (`data.replace` its name by null)")
    raise DataError(
        f"class `{classes.names[lost[0]]}` has no row in {where}: all of it, "
        f"{counted(rows, 'row')} in {counted(held, 'group')}, went to {parts}",
        path=("data", "split"),
        suggestion=", or ".join(remedies),
    )


def _lost_classes(part_of: np.ndarray, classes: Labels) -> list[int]:
    """Return the codes of classes that have rows, and none to train on."""
    trained = np.bincount(classes.codes[part_of == 0], minlength=len(classes.names))
    held = np.bincount(classes.codes, minlength=len(classes.names))
    found: list[int] = np.flatnonzero((trained == 0) & (held > 0)).tolist()
    return found


def _fill(part_of: np.ndarray, order: np.ndarray, counts: np.ndarray, part: str, size: int) -> None:
    """Give free groups to a part while that brings it nearer to its size."""
    have = 0
    for group in order:
        if part_of[group] == 0 and abs(have + counts[group] - size) < abs(have - size):
            part_of[group] = PARTS.index(part)
            have += int(counts[group])


def _group_folds(counts: np.ndarray, order: np.ndarray, folds: int) -> np.ndarray:
    """Give each group, largest first, to the fold that has fewest rows; (G,)."""
    fold_of = np.zeros(len(counts), np.int64)
    filled = np.zeros(folds, np.int64)
    for group in order[np.argsort(-counts[order], kind="stable")]:
        fold_of[group] = filled.argmin()
        filled[fold_of[group]] += counts[group]
    return fold_of


def _return_lost_classes(part_of: np.ndarray, classes: Labels) -> list[str]:
    """Put the rows of classes that training lacks back into it, in place."""
    held = np.bincount(classes.codes, minlength=len(classes.names))
    lost = _lost_classes(part_of, classes)
    part_of[np.isin(classes.codes, lost)] = 0
    return [
        f"class `{classes.names[code]}` was drawn for val or test only: "
        f"its {counted(int(held[code]), 'row')} {'is' if held[code] == 1 else 'are'} "
        "in the training part"
        for code in lost
    ]


def _empty_parts(
    part_of: np.ndarray, sizes: dict[str, int], groups: Labels | None = None
) -> list[str]:
    """Say which parts were to have rows and have none."""
    found = []
    for part, size in sizes.items():
        if not size or (part_of == PARTS.index(part)).any():
            continue
        why = f"no group of {len(groups.names):,} is small enough" if groups else "no row is left"
        found.append(
            f"{why} for a {part} part of {counted(size, 'row')}, so there is none "
            f"(`split: {{{part}: 0}}` says that it is meant)"
        )
    return found


def _named(names: Labels, classes: Labels | None) -> Split:
    known = [_PART_NAMES.get(name.strip().lower()) for name in names.names]
    strange = [name for name, part in zip(names.names, known, strict=True) if part is None]
    if strange:
        raise DataError(
            f"the split column says {', '.join(f'`{name}`' for name in strange[:5])} where "
            "train, val or test was expected",
            path=("data", "split", "column"),
        )
    part_of = np.array([PARTS.index(str(part)) for part in known], np.int8)[names.codes]
    if not (part_of == 0).any():
        raise DataError("the split column gives no row to train", path=("data", "split", "column"))
    if classes is not None and (lost := _lost_classes(part_of, classes)):
        rows = counted(int((classes.codes == lost[0]).sum()), "row")
        raise DataError(
            f"class `{classes.names[lost[0]]}` has no row in the training part: the split column "
            f"gives all of it, {rows}, to val or test",
            path=("data", "split", "column"),
            suggestion="give rows of it to train, or leave the class out (`data.replace` its name "
            "by null)",
        )
    return Split(_parts(part_of))


def places(mask: np.ndarray) -> np.ndarray:
    """Return where a mask (N,) is true: in 4 bytes each, as long as these do."""
    kind = np.int32 if len(mask) < 2**31 else np.int64
    found = np.empty(int(mask.sum()), kind)
    end = 0
    for start in range(0, len(mask), _PLACES_AT_ONCE):
        some = np.flatnonzero(mask[start : start + _PLACES_AT_ONCE])
        found[end : end + len(some)] = some + start
        end += len(some)
    return found


def _parts(part_of: np.ndarray) -> dict[str, np.ndarray]:
    found = {part: places(part_of == index) for index, part in enumerate(PARTS)}
    return {part: rows for part, rows in found.items() if len(rows)}
