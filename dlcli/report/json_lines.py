"""Predictions as JSON, each its own text; made column by column, for many come at once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dlcli.report.predictions import Predictions

_Part = tuple[str, list[Sequence[str]]]
"""A text with `%s` for each value in it, and for each of them N texts."""

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


def json_lines(told: Predictions) -> Iterator[str]:
    """Yield N predictions as JSON objects.

    Raises:
        ValueError: A number is not finite.
    """
    fields = {name: _value(cells) for name, cells in told.places.items()}
    values = [_value(column) for column in told.values]
    fields["prediction"] = values[0] if len(values) == 1 else _list(values)
    if told.confidence is not None:
        fields["confidence"] = _value(told.confidence)
    if told.probabilities is not None:
        shares = {name: _value(column) for name, column in told.probabilities.items()}
        fields["probabilities"] = _object(shares)
    if told.ranked is not None:
        places = range(len(told.ranked[0]) if told.ranked else 0)
        fields["top_k"] = _list([_rank(told.ranked, place) for place in places])
    form, columns = _object(fields)
    return (form % texts for texts in zip(*columns, strict=True))


def _rank(ranked: Sequence[Sequence[tuple[str, float]]], place: int) -> _Part:
    names, shares = zip(*(row[place] for row in ranked), strict=True)
    return _object({"class": _value(names), "probability": _value(shares)})


def _object(fields: Mapping[str, _Part]) -> _Part:
    forms = [f"{_encode(name)}: ".replace("%", "%%") + form for name, (form, _) in fields.items()]
    return f"{{{', '.join(forms)}}}", [one for _, columns in fields.values() for one in columns]


def _list(parts: Sequence[_Part]) -> _Part:
    return f"[{', '.join(form for form, _ in parts)}]", [one for _, some in parts for one in some]


def _value(cells: Sequence[Any]) -> _Part:
    """Return N values; of texts, often the names of few classes, each is written once."""
    kinds = set(map(type, cells))
    if kinds == {float} and all(map(isfinite, cells)):
        return "%s", [list(map(repr, cells))]
    if kinds == {str}:
        written = {text: _encode(text) for text in set(cells)}
        return "%s", [[written[text] for text in cells]]
    return "%s", [list(map(_encode, cells))]
