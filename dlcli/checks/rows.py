"""Checks of the data by count: rows, classes, missing values, constants, duplicates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod, sqrt

import numpy as np

from dlcli.checks.finding import Finding, sound, warning
from dlcli.data.checks import constant_warnings, duplicate_warnings, row_hashes
from dlcli.data.encoders.category import CategoryEncoder
from dlcli.data.examples import ResidentExamples
from dlcli.data.prepared import Prepared
from dlcli.data.preprocessor import Preprocessor
from dlcli.data.spec import NUMBERS

_FEW_ROWS = 5
"""Of a class: fewer are hardly learned, and fewer still are in the other parts."""
_MOSTLY = 0.5
"""Share of missing values above which a column is hardly worth its fill."""
_BY_CHANCE = 0.02
"""Share of rows that may be the same as a training row beside what training rows themselves do."""


def check_rows(prepared: Prepared) -> Iterator[Finding]:
    """Yield what counting shows, and whatever else preparing the data had to say."""
    yield _parts(prepared)
    if prepared.class_counts is not None:
        yield _classes(prepared)
    yield _missing(prepared)
    yield _constant(prepared)
    known = set(constant_warnings(prepared.preprocessor))
    resident = {
        part: rows for part, rows in prepared.examples.items() if isinstance(rows, ResidentExamples)
    }
    if resident.keys() > {"train"}:
        yield duplicates(resident)
        known |= set(duplicate_warnings(resident))
    yield from (warning("preparation", text) for text in prepared.warnings if text not in known)


def _parts(prepared: Prepared) -> Finding:
    what = "windows" if prepared.preprocessor.window else "rows"
    counts = [f"{len(rows):,} {part}" for part, rows in prepared.examples.items()]
    return sound("rows", f"{what}: {', '.join(counts)}")


def _classes(prepared: Prepared) -> Finding:
    assert prepared.class_counts is not None
    names = [str(name) for name in prepared.preprocessor.classes]
    counts = prepared.class_counts.tolist()
    few = [i for i, count in enumerate(counts) if count < _FEW_ROWS]
    if few and sum(counts) > _FEW_ROWS * len(counts):
        told = ", ".join(f"`{names[i]}` {counts[i]}" for i in few[:5])
        return warning(
            "classes",
            f"training rows of the rarest of {len(counts)} classes: {told}",
            "more rows of them, or one class for all that are rare (`data.replace`)",
        )
    most, least = max(counts), min(counts)
    return sound(
        "classes",
        f"{len(counts)} of {least:,} to {most:,} training rows, the largest "
        f"{most / sum(counts):.1%}: `{names[counts.index(most)]}`",
    )


def _missing(prepared: Prepared) -> Finding:
    shares = _missing_shares(prepared.preprocessor, prepared.examples["train"])
    mostly = {name: share for name, share in shares.items() if share > _MOSTLY}
    if mostly:
        told = ", ".join(f"`{name}` {share:.0%}" for name, share in mostly.items())
        return warning(
            "missing",
            f"mostly missing in training rows: {told}",
            f"`data.drop: [{', '.join(mostly)}]`, if what is there tells nothing",
        )
    told = ", ".join(f"`{name}` {share:.1%}" for name, share in shares.items())
    return sound("missing", f"filled: {told}" if told else "no input that tells of missing values")


def _missing_shares(preprocessor: Preprocessor, train: object) -> dict[str, float]:
    """Return the share of missing values by column, of columns whose encoding tells it."""
    if not isinstance(train, ResidentExamples):
        return {}
    shares: dict[str, float] = {}
    for block, fields in preprocessor.spec.blocks.items():
        start = 0
        for field in fields:
            encoder = preprocessor.inputs[field.name]
            end = start + prod(field.shape)
            if block == NUMBERS and getattr(encoder, "has_indicator", False):
                shares[field.name] = float(train.inputs[block][:, end - 1].mean())
            elif isinstance(encoder, CategoryEncoder) and encoder.missing > len(encoder.categories):
                is_missing = train.inputs[block][:, start] == encoder.missing
                shares[field.name] = float(is_missing.double().mean())
            start = end
    return shares


def _constant(prepared: Prepared) -> Finding:
    found = constant_warnings(prepared.preprocessor)
    columns = prepared.preprocessor
    remedies = {
        "rows in which the target differs, or another `data.target`": columns.targets,
        "leave such columns out": columns.inputs,
    }
    if found:
        fitting = [
            remedy
            for remedy, encoders in remedies.items()
            if any(encoder.is_constant for encoder in encoders.values())
        ]
        return warning("constant", "; ".join(found), "; ".join(fitting))
    return sound("constant", "no input is the same in every training row")


def duplicates(parts: Mapping[str, ResidentExamples]) -> Finding:
    """Say whether val and test rows were copied from training rows, or the other way round.

    Some rows are alike by chance: as many as there are among the training rows themselves.
    """
    trained = np.sort(row_hashes(parts["train"]))
    is_twin = np.zeros(len(trained), bool)
    is_twin[1:] = trained[1:] == trained[:-1]
    is_twin[:-1] |= is_twin[1:]
    usual = float(is_twin.mean())
    found, alike = [], []
    for part in (part for part in ("val", "test") if part in parts):
        hashes = row_hashes(parts[part])
        place = np.searchsorted(trained, hashes).clip(max=len(trained) - 1)
        count, rows = int((trained[place] == hashes).sum()), len(hashes)
        bound = usual + _BY_CHANCE + 3 * sqrt(usual * (1 - usual) / rows)
        if count > 1 and count > bound * rows:
            found.append(f"{count:,} of {rows:,} {part} rows")
        elif count:
            alike.append(f"{count} of {part}")
    if found:
        return warning(
            "duplicates",
            f"{' and '.join(found)} are training rows too, input by input and with the target; "
            f"among the training rows {usual:.1%} have a twin",
            "remove the copies before the rows are split, or keep them in one part "
            "(`data.split.group`): scores on rows that were trained on are too good",
        )
    told = f" ({', '.join(alike)})" if alike else ""
    return sound("duplicates", f"no more rows in common with train than by chance{told}")
