"""`dlcli init DATA`: writes a commented config for a table, ready to train; trains nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcli.commands.peek import Guess, peek
from dlcli.config.data import TableOptions
from dlcli.config.names import nearest
from dlcli.config.read import read_config
from dlcli.config.write import flow
from dlcli.data.labels import decide_task, read_labels
from dlcli.data.sources.cells import clean
from dlcli.data.sources.dialect import dialect_of
from dlcli.data.sources.files import expanded, is_file
from dlcli.data.sources.reader import Reader, open_reader
from dlcli.data.sources.scan import ColumnScan
from dlcli.data.sources.table import open_table
from dlcli.data.wording import counted
from dlcli.errors import DataError, UsageError
from dlcli.files import write_text

_TARGETS = ("target", "label", "class", "y", "outcome", "response")
_WIDEST = 60
_TYPED = {".parquet", ".pq", ".jsonl", ".ndjson", ".json"}
_FEWEST_TO_SPLIT = 20
_SMALL = 1_000
_EPOCHS = (
    (_SMALL, 200),
    (10_000, 60),
    (100_000, 20),
    (float("inf"), 10),
)  # fewer rows than, epochs


@dataclass(frozen=True)
class _Table:
    """What was found out about a table.

    Attributes:
        settings: Options beside path and target, each with its reason.
        target: The column to predict, and why it was chosen.
        task: classification or regression, and why.
        kinds: Kinds of the columns that are used, by name.
        rows: Rows with a target.
        classes: Rows of each class; empty for regression.
    """

    settings: Sequence[Guess]
    target: Guess
    task: Guess
    kinds: dict[str, str]
    rows: int
    classes: dict[str, int]


def init(
    data: Path, target: str | None = None, *, output: Path | None = None, force: bool = False
) -> Path:
    """Write a config that trains on a table as it stands, each line with its reason.

    Args:
        data: CSV, TSV, JSON lines or Parquet.
        target: The column to predict; guessed from the names unless given.
        output: Where to write; beside the working directory's files, named after the data.
        force: Write over a file that exists.

    Returns:
        The file that was written.

    Raises:
        UsageError: No such column, or the file exists.
        DataError: The data file is missing or damaged, or has no column to predict from.
    """
    data = expanded(data)
    output = Path(f"{data.name.split('.')[0] or 'config'}.yaml") if output is None else output
    if not is_file(data):
        raise DataError(f"no file {data}", suggestion="check the path")
    if output.exists() and output.samefile(data):
        raise UsageError(f"{output} is the data file itself", suggestion="give another --output")
    if output.exists() and not force:
        raise UsageError(f"{output} exists", suggestion="--force writes over it")
    table = _look(data, target)
    write_text(output, "".join(f"{line}\n" for line in _lines(table, data, output)))
    read_config(output)  # our own promise: what is written is a config
    return output


def _look(path: Path, target: str | None) -> _Table:
    """Read the whole table once and decide on everything."""
    is_typed = bool(_TYPED & {suffix.lower() for suffix in path.suffixes})
    guesses = [] if is_typed else peek(path)
    options = _options(path, "?", guesses)
    reader = open_reader(path, dialect_of(options))
    scans = _scan(reader, options)
    chosen = _target(scans, target)
    guesses += _chosen(scans, chosen.value)
    options = _options(path, chosen.value, guesses)
    sources = open_table(options, Path())
    labels = read_labels(sources.train, sources.targets, options.split)
    task, reason = decide_task(sources, labels, None)
    classes: dict[str, int] = {}
    if task == "classification":
        codes = labels.codes(chosen.value)
        counts = {name: int((codes.codes == i).sum()) for i, name in enumerate(codes.names[:100])}
        classes = dict(sorted(counts.items(), key=lambda pair: -pair[1]))
        _check_classes(chosen.value, len(codes.names), len(labels.labelled))
    kinds = {name: sources.train.kinds[name] for name in sources.inputs}
    return _Table(
        guesses, chosen, Guess("task", task, reason), dict(kinds), len(labels.labelled), classes
    )


def _check_classes(target: str, classes: int, rows: int) -> None:
    """Refuse a target whose every row is a class of its own, or that has one class.

    Raises:
        UsageError: It is such a target.
    """
    if classes < 2:
        raise UsageError(f"the target `{target}` has the same value in every row")
    if classes * 2 > rows and rows > _FEWEST_TO_SPLIT:
        raise UsageError(
            f"the target `{target}` has {classes} different texts in {rows} rows: nothing to learn",
            suggestion="name another column with --target",
        )


def _options(path: Path, target: str, guesses: Sequence[Guess]) -> TableOptions:
    settings = {guess.key: guess.value for guess in guesses}
    return TableOptions(path=str(path), target=target, **settings)


def _target(scans: dict[str, ColumnScan], given: str | None) -> Guess:
    """Return the column to predict; of free texts, row ids and times none is guessed.

    Raises:
        UsageError: There is no such column.
    """
    names = list(scans)
    if given is None:
        usable = [name for name in names if not _useless(scans[name])] or names
        known = next((name for want in _TARGETS for name in usable if name.lower() == want), None)
        reason = "its name says so" if known else "the last one that suits"
        last = next((name for name in reversed(usable) if not scans[name].is_time), usable[-1])
        return Guess("target", known or last, f"{reason}; `--target` names another")
    if given in names:
        return Guess("target", given, "")
    near = nearest(given, names)
    raise UsageError(
        f"no column `{given}`; there are: {', '.join(names[:30])}{', ...' * (len(names) > 30)}",
        suggestion=f"did you mean `{near}`?" if near else "",
    )


def _scan(reader: Reader, options: TableOptions) -> dict[str, ColumnScan]:
    """Look at every cell once."""
    dialect = dialect_of(options)
    scans = {name: ColumnScan() for name in reader.names}
    for batch in reader.batches(reader.names):
        for name, array in zip(reader.names, batch.columns, strict=True):
            scans[name].add(clean(array, name, dialect, nulled=reader.nulled))
    return scans


def _chosen(scans: dict[str, ColumnScan], target: str) -> list[Guess]:
    """Return the columns to leave out, and the free text to read where all would be left out."""
    reasons = {name: _useless(scan) for name, scan in scans.items() if name != target}
    guesses = []
    if all(reasons.values()):
        texts = [name for name in reasons if scans[name].kind == "text"]
        reasons = {name: reason for name, reason in reasons.items() if name not in texts}
        if not texts:
            return []
        said = "free text, read word by word: there is nothing else to predict from"
        guesses.append(Guess("types", dict.fromkeys(texts, "text"), said))
    if drop := {name: reason for name, reason in reasons.items() if reason}:
        said = ", ".join(f"{name}: {reason}" for name, reason in drop.items())
        guesses.append(Guess("drop", list(drop), said))
    return guesses


def _useless(scan: ColumnScan) -> str:
    if scan.unsupported:
        return f"{scan.unsupported} values"
    if scan.kind is None:
        return "empty"
    if scan.kind == "text":
        return "free text (an input with `types: {...: text}`)"
    return "a row id" if scan.is_id else ""


def _lines(table: _Table, data: Path, output: Path) -> Iterator[str]:
    """Yield the lines of the config."""
    yield f"# Written by `dlcli init {_inline(data)}` for {table.rows:,} rows with a target."
    yield f"# Train with `dlcli train {_inline(output)}`; `dlcli list` names what else there is."
    yield ""
    path = os.path.relpath(data.absolute(), output.absolute().parent)
    yield "data:"
    yield from _commented([Guess("name", "table", ""), *_data(table, path)], "  ")
    yield ""
    found = f"{counted(len(table.kinds), 'input')}: {_counted(table.kinds)}"
    yield f"# {found}; wrong ones are set right by"
    yield f"# `types: {{{_inline(next(iter(table.kinds)))}: categorical}}` in `data`."
    yield from _commented([table.task, *_model(table)], "")
    yield ""
    yield "train:"
    yield from _commented(_train(table), "  ")
    yield ""
    yield from _commented([_metrics(table)], "")


def _inline(text: object) -> str:
    """Return a text without line ends, which would end a comment."""
    return " ".join(str(text).split())


def _counted(kinds: dict[str, str]) -> str:
    """Return `3 numeric, 2 categorical`."""
    counts = {kind: list(kinds.values()).count(kind) for kind in kinds.values()}
    return ", ".join(f"{count} {kind}" for kind, count in counts.items())


def _data(table: _Table, path: str) -> list[Guess]:
    batch_size = min(max(16, 2 ** (table.rows // 100).bit_length()), 512)
    target = table.target.reason or _balance(table)
    settings = [
        Guess("path", path, "relative to this file"),
        *table.settings,
        Guess("target", table.target.value, target),
        Guess("batch_size", batch_size, "rows per step"),
    ]
    if table.rows >= _FEWEST_TO_SPLIT:
        said = "shares of the rows: val chooses the best epoch, test judges it"
        settings.append(Guess("split", {"val": 0.1, "test": 0.1}, said))
    return settings


def _balance(table: _Table) -> str:
    """Return the largest classes and their shares."""
    if not table.classes:
        return "a number"
    shares = [f"{name} {count / table.rows:.0%}" for name, count in table.classes.items()]
    return ", ".join(shares[:3]) + (f", {len(shares) - 3} more" if len(shares) > 3 else "")


def _model(table: _Table) -> list[Guess]:
    model: dict[str, Any] = {"name": "mlp", "hidden_sizes": [128, 64], "dropout": 0.1}
    said = "`dlcli list models` names the others"
    if table.rows < _SMALL:
        model, said = {"name": "mlp", "hidden_sizes": [32]}, "few rows, small network"
    return [
        Guess("model", model, said),
        Guess("optimizer", {"name": "adamw", "lr": 1e-3}, "halve `lr` if the loss jumps"),
    ]


def _train(table: _Table) -> list[Guess]:
    epochs = next(epochs for rows, epochs in _EPOCHS if table.rows < rows)
    settings = [Guess("epochs", epochs, "passes over the training rows, at most")]
    if table.rows >= _FEWEST_TO_SPLIT:
        said = "epochs without a better val loss"
        settings.append(Guess("early_stopping", {"patience": max(5, epochs // 10)}, said))
    return settings


def _metrics(table: _Table) -> Guess:
    names = ["rmse", "mae", "r2"]
    if table.classes:
        names = ["accuracy", "f1_macro", *(["roc_auc"] if len(table.classes) == 2 else [])]
    return Guess("metrics", names, "beside the loss")


def _commented(settings: Sequence[Guess], indent: str) -> Iterator[str]:
    """Yield a line per option with its reason behind it, or above it where the line is long."""
    lines = [(f"{indent}{item.key}: {flow(item.value)}", item.reason) for item in settings]
    width = max((len(line) for line, _ in lines if len(line) <= _WIDEST), default=0)
    for line, reason in lines:
        said = _inline(reason)
        if said and len(line) > _WIDEST:
            yield f"{indent}# {said}"
        yield f"{line:{width}}  # {said}" if said and len(line) <= _WIDEST else line
