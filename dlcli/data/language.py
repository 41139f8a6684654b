"""Running text: parts in its order, a vocabulary from the training part, windows over tokens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional as F

from dlcli.config.data import TextFileOptions
from dlcli.data.encoders.stream import StreamEncoder, cut, fit_stream
from dlcli.data.examples import Examples, WindowExamples
from dlcli.data.prepared import Prepared
from dlcli.data.preprocessor import Preprocessor
from dlcli.data.sources.source import Sources
from dlcli.data.sources.text_file import TEXT
from dlcli.data.spec import PADDING, UNKNOWN, Window
from dlcli.data.split import PARTS
from dlcli.data.wording import counted
from dlcli.errors import ConfigError, DataError

_FEWEST = 2
"""Tokens of a val or test part: one to tell, and one to tell it from."""


def prepare_text(sources: Sources, options: TextFileOptions) -> Prepared:
    """See `dlcli.data.prepare.prepare`."""
    bounds = _bounds(options, sum(map(len, _tokens(sources, options))))
    encoder = fit_stream(
        TEXT,
        options.level,
        _first(_tokens(sources, options), bounds["train"].stop),
        min_count=options.min_count,
        max_tokens=options.max_tokens,
        embedding_size=options.embedding_size,
    )
    if not encoder.vocabulary:
        raise DataError(
            f"no {options.level} occurs {options.min_count:,} times in the train part: every one "
            "is unknown",
            path=("data", "min_count"),
        )
    window = Window(past=options.context, horizon=options.context)
    preprocessor = Preprocessor({TEXT: encoder}, {TEXT: encoder}, window)
    codes = _codes(sources, encoder)
    return Prepared(
        task="language_modeling",
        task_reason="the data are running text",
        preprocessor=preprocessor,
        examples={part: _examples(codes, options, part, rows) for part, rows in bounds.items()},
        rows=bounds,
        fingerprint=sources.fingerprint,
        files=sources.files,
        warnings=(*sources.warnings, *_unknown_warnings(encoder, codes, bounds)),
        class_counts=None,
    )


def restore_text(
    sources: Sources, options: TextFileOptions, *, preprocessor: Preprocessor, parts: Sequence[str]
) -> Mapping[str, Examples]:
    """See `dlcli.data.prepare.restore`."""
    codes = _codes(sources, encoder_of(preprocessor))
    bounds = _bounds(options, len(codes))
    return {part: _examples(codes, options, part, bounds[part]) for part in parts if part in bounds}


def whole_text(
    sources: Sources, options: TextFileOptions, preprocessor: Preprocessor
) -> WindowExamples:
    """Return all of a text as a val or test part is measured.

    Raises:
        DataError: It has fewer than two tokens.
    """
    codes = _codes(sources, encoder_of(preprocessor))
    if len(codes) < _FEWEST:
        raise DataError(f"the text has {counted(len(codes), 'token')}, and it takes {_FEWEST}")
    return measured(codes, context=options.context, stride=options.stride)


def encoder_of(preprocessor: Preprocessor) -> StreamEncoder:
    """Return the one encoder of running text."""
    (encoder,) = preprocessor.inputs.values()
    assert isinstance(encoder, StreamEncoder)
    return encoder


def measured(codes: Tensor, *, context: int, stride: int) -> WindowExamples:
    """Return windows that tell each of these tokens but the first exactly once.

    A window begins `stride` after the one before it, and of what both show it tells nothing: there
    its targets are padding, as they are past the end.

    Args:
        codes: (R,), at least two.
        context: Tokens of a window.
        stride: At most as many.
    """
    count = 1 + max(0, -(-(len(codes) - 1 - context) // stride))
    short = (count - 1) * stride + context + 1 - len(codes)
    rows = F.pad(codes, (0, short), value=PADDING)
    return WindowExamples(
        inputs={TEXT: rows},
        known=None,
        rows=rows,
        first=0,
        count=count,
        past=context,
        horizon=context,
        lead=1,
        stride=stride,
        overlap=context - stride,
    )


def _examples(codes: Tensor, options: TextFileOptions, part: str, rows: range) -> Examples:
    own = codes[rows.start : rows.stop]
    context = options.context
    if part != "train":
        return measured(own, context=context, stride=options.stride)
    return WindowExamples(
        inputs={TEXT: own},
        known=None,
        rows=own,
        first=0,
        count=len(own) // context - 1,  # the last one may begin a whole stride later
        past=context,
        horizon=context,
        lead=1,
        stride=context,
        is_jittered=True,
    )


def _bounds(options: TextFileOptions, total: int) -> dict[str, range]:
    """Return the tokens of each part that has any.

    Raises:
        ConfigError: Nothing is left to train on.
        DataError: A part is too short.
    """
    sizes = {part: _size(getattr(options.split, part), total) for part in ("val", "test")}
    train = total - sum(sizes.values())
    if train <= 0 < total:
        raise ConfigError(
            f"{sizes['val']:,} val and {sizes['test']:,} test tokens of {total:,} leave none to "
            "train on",
            path=("data", "split"),
        )
    if train < 2 * options.context:
        raise DataError(
            f"the train part has {counted(train, 'token')} of {total:,}, fewer than two rows of "
            f"`context: {options.context}`",
            path=("data", "context"),
            suggestion=f"at most {train // 2}" if train >= 4 else "more text",
        )
    ends = (0, train, train + sizes["val"], total)
    bounds = {part: range(*pair) for part, pair in zip(PARTS, pairwise(ends), strict=True)}
    for part, rows in bounds.items():
        if 0 < len(rows) < _FEWEST:
            raise DataError(
                f"the {part} part has 1 token of {total:,}, and it takes {_FEWEST}",
                path=("data", "split", part),
            )
    return {part: rows for part, rows in bounds.items() if rows}


def _size(given: float, total: int) -> int:
    return given if isinstance(given, int) else round(given * total)


def _tokens(sources: Sources, options: TextFileOptions) -> Iterator[Sequence[str]]:
    """Yield the tokens of each stretch of the text."""
    for batch in sources.train.chunks():
        for cell in batch.column(TEXT):
            yield cut(cell.as_py(), options.level)


def _first(stretches: Iterator[Sequence[str]], count: int) -> Iterator[Sequence[str]]:
    """Yield the first `count` tokens."""
    for tokens in stretches:
        yield tokens[:count]
        count -= len(tokens)
        if count <= 0:
            return


def _codes(sources: Sources, encoder: StreamEncoder) -> Tensor:
    """Return the codes (R,) of the whole text."""
    batches = sources.train.chunks()
    return torch.cat([encoder.encode(batch.column(TEXT)) for batch in batches])


def _unknown_warnings(
    encoder: StreamEncoder, codes: Tensor, bounds: Mapping[str, range]
) -> Iterator[str]:
    """Say how much of val and test the vocabulary does not know."""
    for part, rows in bounds.items():
        count = int((codes[rows.start : rows.stop] == UNKNOWN).sum())
        if part != "train" and count:
            yield (
                f"{counted(count, encoder.level)} of the {part} part ({count / len(rows):.2%}) "
                f"{'is' if count == 1 else 'are'} unknown: not (often enough) in the train part"
            )
