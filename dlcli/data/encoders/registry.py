"""Which encoder a column gets, and encoders from their stored state."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from dlcli.config.data import (
    DataOptions,
    NormalizeOptions,
    PictureFileOptions,
    Scaling,
    SequencesOptions,
    SoundOptions,
    TabularOptions,
)
from dlcli.data.encoders.category import CategoryEncoder, CategoryFit, CellKind
from dlcli.data.encoders.classes import ClassEncoder, ClassFit, ClassKind
from dlcli.data.encoders.date import DateEncoder, DateFit
from dlcli.data.encoders.encoder import Encoder, Fit
from dlcli.data.encoders.image import ImageEncoder, ImageFit
from dlcli.data.encoders.number import NumberEncoder, NumberFit
from dlcli.data.encoders.sound import SoundEncoder, SoundFit
from dlcli.data.encoders.steps import StepsEncoder, StepsFit
from dlcli.data.encoders.stream import StreamEncoder
from dlcli.data.encoders.tokens import TokensEncoder, TokensFit
from dlcli.data.sources.source import ColumnKind
from dlcli.errors import CheckpointError

_ENCODERS: dict[str, Any] = {
    "number": NumberEncoder,
    "category": CategoryEncoder,
    "class": ClassEncoder,
    "date": DateEncoder,
    "image": ImageEncoder,
    "tokens": TokensEncoder,
    "sound": SoundEncoder,
    "steps": StepsEncoder,
    "stream": StreamEncoder,
}


def input_fit(name: str, kind: ColumnKind, options: DataOptions, folder: Path) -> Fit:
    """Return the fit for an input column of this kind; paths in the options start from `folder`."""
    tabular = options if isinstance(options, TabularOptions) else TabularOptions()
    if kind == "numeric":
        return NumberFit(name, tabular.scaling, tabular.missing)
    if kind == "date":
        return DateFit(name, tabular.missing)
    if kind == "image":
        files = options.section(PictureFileOptions) or PictureFileOptions()
        return ImageFit(name, files, options.section(NormalizeOptions))
    if kind == "text":
        return TokensFit(name, tabular.text, folder)
    if kind == "sound":
        return SoundFit(name, options.section(SoundOptions) or SoundOptions())
    if kind == "steps":
        most = options.max_length if isinstance(options, SequencesOptions) else None
        return StepsFit(name, tabular.scaling, most)
    cells: CellKind = "boolean" if kind == "boolean" else "categorical"
    return CategoryFit(name, cells, tabular.missing, tabular.categories)


def class_fit(name: str, kind: ColumnKind) -> ClassFit:
    """Return the fit for a target of classes."""
    cells: dict[str, ClassKind] = {"numeric": "number", "boolean": "boolean"}
    return ClassFit(name, cells.get(kind, "text"))


def number_target_fit(name: str, scaling: Scaling) -> NumberFit:
    """Return the fit for a target that is a number; missing values are refused."""
    return NumberFit(name, scaling, None)


def encoder_from_state(state: Mapping[str, Any]) -> Encoder:
    """Return the encoder whose `state()` this was, also after a way through JSON.

    Raises:
        CheckpointError: It is no such state.
    """
    own = {key: _frozen(value) for key, value in state.items() if key != "kind"}
    try:
        return cast(Encoder, _ENCODERS[state["kind"]](**own))
    except (KeyError, TypeError) as error:
        raise CheckpointError(f"the stored state of a column is not valid: {error}") from error


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
