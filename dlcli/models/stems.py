"""From a batch's input blocks to features in a form that a body takes; knows no architecture."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor, nn

from dlcli.config.data.base import Form, worded
from dlcli.config.model import ModelOptions
from dlcli.data.spec import CATEGORIES, NUMBERS, PADDING, VECTOR, DataSpec, Field
from dlcli.errors import ConfigError
from dlcli.models.blocks import BagOfTokens, Categories, OneHot, Picture, Sound, Steps
from dlcli.models.features import Features, Shape
from dlcli.models.pooling import longest, step_mask


def build_stem(spec: DataSpec, options: ModelOptions) -> Stem:
    """Return the stem that leads from the data to the first form that the body takes.

    Raises:
        ConfigError: No stem makes any of these forms of this data.
    """
    offered = forms_of(spec)
    for form in options.takes:
        if form in offered:
            return _STEMS[form](spec)
    raise ConfigError(
        f"`model: {options.name}` takes {worded(options.takes)}, and these `data` are "
        f"{worded(offered)}",
        path=("model", "name"),
    )


def forms_of(spec: DataSpec) -> tuple[Form, ...]:
    """Return the forms in which data can be given to a body."""
    if spec.is_stream:
        return ("stream",)
    kinds = [field.kind for field in spec.inputs]
    forms: list[Form] = ["vector"]
    if kinds.count("image") + kinds.count("sound") == 1 == len(kinds):
        forms += ["image", "sequence"]
    elif spec.window is not None or {"tokens", "steps"} & set(kinds):
        forms += ["sequence"]
    if kinds == ["category", "category"]:
        forms += ["ids"]
    return tuple(forms)


def picture_format(device: torch.device) -> torch.memory_format:
    """Return how pictures, and the weights of convolutions, are to lie in memory.

    On a CPU and on CUDA the channels of a pixel stand side by side. Training steps of convolutional
    networks of two to six layers take 0.69 to 0.85 of the time so (64 pictures of 28 x 28, 32 x 32
    and 64 x 100 pixels, one core, torch 2.15), and 0.62 to 0.99 of that where the weights lie
    likewise, forward passes 0.43 to 1.0 (six networks); tensor cores read nothing else.
    https://docs.pytorch.org/tutorials/intermediate/memory_format_tutorial.html
    """
    lies_by_pixel = device.type in {"cpu", "cuda"}
    return torch.channels_last if lies_by_pixel else torch.contiguous_format


class Stem(nn.Module):
    """What every stem offers.

    Attributes:
        out: Shape of the features.
    """

    out: Shape


class VectorStem(Stem):
    """All inputs side by side as one vector: of tokens the mean, of a window row after row.

    Of numbers alone it costs nothing: their block is passed on as it is.
    """

    def __init__(self, spec: DataSpec) -> None:
        super().__init__()
        blocks = spec.blocks
        self.names = tuple(blocks)
        self.blocks = nn.ModuleList(_block(name, fields) for name, fields in blocks.items())
        past = spec.window.past if spec.window else 1
        self.out = Shape("vector", (past * sum(_width(field) for field in spec.inputs),))

    @property
    def is_fixed(self) -> bool:
        """Whether it changes the inputs, each value for itself, by nothing that is learned."""
        if self.names == (NUMBERS,):
            return False
        parts = [part for part in self.blocks.modules() if not [*part.children()]]
        return all(isinstance(part, nn.Identity | Picture | OneHot) for part in parts)

    def forward(self, inputs: dict[str, Tensor]) -> Features:
        """Blocks (N, ...) by name, or what they became as `vector` (N, F) -> values (N, F)."""
        if VECTOR in inputs:
            return Features(inputs[VECTOR])
        if self.names == (NUMBERS,):
            return Features(inputs[NUMBERS].flatten(1))
        parts = [
            _seen(block, name, inputs).flatten(1)
            for name, block in zip(self.names, self.blocks, strict=True)
        ]
        return Features(parts[0] if len(parts) == 1 else torch.cat(parts, 1))


class ImageStem(Stem):
    """A picture, or a sound's spectrogram, as (C, H, W).

    It lies in memory in the `picture_format` of its device.
    """

    def __init__(self, spec: DataSpec) -> None:
        super().__init__()
        (field,) = spec.inputs
        self.name = field.block
        self.block = Sound(field) if field.kind == "sound" else Picture(field)
        self.out = Shape("image", self.block.shape)

    def forward(self, inputs: dict[str, Tensor]) -> Features:
        """The one block -> values (N, C, H, W)."""
        values = _seen(self.block, self.name, inputs)
        return Features(values.contiguous(memory_format=picture_format(values.device)))


class RowsStem(Stem):
    """A picture row by row, or a sound frame by frame, as (T, F)."""

    def __init__(self, spec: DataSpec) -> None:
        super().__init__()
        self.image = ImageStem(spec)
        channels, height, width = self.image.out.sizes
        self.is_sound = spec.inputs[0].kind == "sound"
        steps, features = (width, height) if self.is_sound else (height, width)
        self.out = Shape("sequence", (steps, channels * features))

    def forward(self, inputs: dict[str, Tensor]) -> Features:
        """The one block -> values (N, T, F)."""
        values = self.image(inputs).values  # (N, C, H, W)
        by_step = values.permute(0, 3, 1, 2) if self.is_sound else values.permute(0, 2, 1, 3)
        return Features(by_step.flatten(2))


class WindowStem(Stem):
    """Rows in order of time as (T, F): numbers and categories side by side, a patch each step."""

    def __init__(self, spec: DataSpec) -> None:
        super().__init__()
        assert spec.window is not None
        blocks = spec.blocks
        self.names = tuple(blocks)
        self.blocks = nn.ModuleList(_block(name, fields) for name, fields in blocks.items())
        width = sum(_width(field) for field in spec.inputs)
        past, self.patch = spec.window.past, spec.window.patch
        self.out = Shape("sequence", (past // self.patch, self.patch * width))

    def forward(self, inputs: dict[str, Tensor]) -> Features:
        """Blocks (N, T, ...) by name -> values (N, T, F)."""
        parts = [block(inputs[name]) for name, block in zip(self.names, self.blocks, strict=True)]
        values = parts[0] if len(parts) == 1 else torch.cat(parts, 2)
        return Features(
            values if self.patch == 1 else values.unflatten(1, (-1, self.patch)).flatten(2)
        )


class SequenceStem(Stem):
    """Texts one after the other, or steps, as (T, F); what else there is stands in every step."""

    def __init__(self, spec: DataSpec) -> None:
        super().__init__()
        running = [field for field in spec.inputs if field.kind in ("tokens", "steps")]
        others = {name: fields for name, fields in spec.blocks.items() if fields[0] not in running}
        self.names = tuple(field.block for field in running)
        self.parts = nn.ModuleList(
            Steps(field) if field.kind == "steps" else Embedded(field) for field in running
        )
        (width,) = {_step_width(field) for field in running}
        self.other_names = tuple(others)
        self.others = nn.ModuleList(_block(name, fields) for name, fields in others.items())
        beside = sum(_width(field) for fields in others.values() for field in fields)
        longest = sum(field.shape[0] for field in running)
        self.out = Shape("sequence", (longest, width + beside), varies=True)

    def forward(self, inputs: dict[str, Tensor]) -> Features:
        """Blocks (N, ...) by name -> values (N, T, F), lengths (N,)."""
        found = [part(inputs[name]) for name, part in zip(self.names, self.parts, strict=True)]
        values, lengths = found[0] if len(found) == 1 else _joined(found)
        assert lengths is not None
        lengths = lengths.clamp(min=1)  # an empty one is a single step of padding
        if not self.other_names:
            return Features(values, lengths)
        beside = [
            block(inputs[name]).flatten(1)
            for name, block in zip(self.other_names, self.others, strict=True)
        ]
        shared = torch.cat(beside, 1).unsqueeze(1).expand(-1, values.shape[1], -1)
        return Features(torch.cat([values, shared], 2), lengths)


class Embedded(nn.Module):
    """Tokens as their vectors."""

    def __init__(self, field: Field) -> None:
        super().__init__()
        self.embedding = nn.Embedding(field.size, field.embedding_size, padding_idx=PADDING)

    def forward(self, tokens: Tensor) -> Features:
        """Codes (N, T) -> values (N, T, F), lengths (N,)."""
        lengths = (tokens != PADDING).sum(1)
        tokens = tokens[:, : longest(lengths, tokens.shape[1])]
        return Features(self.embedding(tokens.long()), lengths)


class StreamStem(Stem):
    """Running text as (T, F), each step of which is to tell the next."""

    def __init__(self, spec: DataSpec) -> None:
        super().__init__()
        (field,) = spec.inputs
        assert spec.window is not None
        self.name = field.block
        self.embedding = nn.Embedding(field.size, field.embedding_size, padding_idx=PADDING)
        self.out = Shape("sequence", (spec.window.past, field.embedding_size), is_causal=True)

    def forward(self, inputs: dict[str, Tensor]) -> Features:
        """Codes (N, T) -> values (N, T, F)."""
        return Features(self.embedding(inputs[self.name].long()))


class IdsStem(Stem):
    """Codes of category columns as they are."""

    def __init__(self, spec: DataSpec) -> None:
        super().__init__()
        self.out = Shape("ids", tuple(field.size for field in spec.inputs))

    def forward(self, inputs: dict[str, Tensor]) -> Features:
        """Codes (N, columns) -> the same, int64."""
        return Features(inputs[CATEGORIES].long())


def _sequence_stem(spec: DataSpec) -> Stem:
    if spec.window is not None:
        return WindowStem(spec)
    if spec.inputs[0].kind in ("image", "sound"):
        return RowsStem(spec)
    return SequenceStem(spec)


_STEMS = {
    "vector": VectorStem,
    "image": ImageStem,
    "sequence": _sequence_stem,
    "stream": StreamStem,
    "ids": IdsStem,
}


def _joined(found: Sequence[Features]) -> Features:
    """Put sequences one after the other, padding at the end: (N, T1 + T2 + ..., F)."""
    values = torch.cat([features.values for features in found], 1)
    masks = [step_mask(f.lengths, f.values.shape[1]) for f in found if f.lengths is not None]
    is_step = torch.cat(masks, 1)  # (N, T, 1)
    order = (~is_step).to(torch.uint8).argsort(dim=1, stable=True)
    return Features(values.gather(1, order.expand_as(values)), is_step.sum((1, 2)))


def _seen(block: nn.Module, name: str, inputs: dict[str, Tensor]) -> Tensor:
    """Return what a block makes of its input; a sound's looks for masks as well."""
    values: Tensor = (
        block(inputs[name], inputs) if isinstance(block, Sound) else block(inputs[name])
    )
    return values


def _block(name: str, fields: Sequence[Field]) -> nn.Module:
    if name == NUMBERS:
        return nn.Identity()
    if name == CATEGORIES:
        return Categories(fields)
    (field,) = fields
    made: nn.Module = {
        "image": Picture,
        "sound": Sound,
        "tokens": BagOfTokens,
        "steps": Steps.flat,
    }[field.kind](field)
    return made


def _width(field: Field) -> int:
    if field.kind == "category":
        return field.embedding_size or field.size
    if field.kind == "tokens":
        return field.embedding_size
    if field.kind == "sound":
        return prod(Sound(field).shape)
    return prod(field.shape)


def _step_width(field: Field) -> int:
    return field.embedding_size if field.kind == "tokens" else field.shape[1] - 1
