"""Stem, body and head in a row: inputs in, logits out."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from dlcli.config.model import ModelOptions
from dlcli.data.spec import KNOWN, NUMBERS, DataSpec
from dlcli.errors import ConfigError
from dlcli.models.features import Features, Shape
from dlcli.models.head import Head, NoHead, StepHead
from dlcli.models.stems import build_stem


class Body(Protocol):
    """What every architecture offers beside being a module; it never pools and knows no classes.

    It is built as `Body(options, shape)`, with the shape that its stem puts out; the forms that it
    accepts are in `options.takes`.

    Attributes:
        out: Shape of what it puts out.
    """

    out: Shape

    def __call__(self, features: Features) -> Features:
        """Values (N, *shape) -> (N, *out)."""


@runtime_checkable
class Begins(Protocol):
    """What a body has beside that can begin with weights from a file."""

    def begin(self, folder: Path) -> list[str]:
        """Load them, from a path relative to `folder`, and return what there is to say of them."""


class Network(nn.Module):
    """A whole model.

    Its parts are to be built in the order stem, body, head: a seed then draws the weights that it
    draws for the same layers written out by hand.
    """

    def __init__(self, stem: nn.Module, body: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.stem = stem
        self.body = body
        self.head = head

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        """Input blocks (N, ...) by name -> logits (N, *outputs)."""
        logits: Tensor = self.head(self.body(self.stem(inputs)), inputs.get(KNOWN))
        return logits

    def seen(self, inputs: dict[str, Tensor]) -> Tensor:
        """Input blocks (N, ...) by name -> what the body sees of them (N, ...)."""
        values: Tensor = self.stem.forward(inputs).values  # hooks cost as much as small stems
        return values

    @property
    def row(self) -> list[nn.Module] | None:
        """All layers after the stem, if each feeds the next and nothing else."""
        body, head = getattr(self.body, "row", None), getattr(self.head, "row", None)
        return None if body is None or head is None else [*body, *head]


class Anchored(nn.Module):
    """Takes each window's last values off its columns, and adds the targets' to the outputs.

    Zeng et al., "Are Transformers effective for time series forecasting?", NLinear
    (arXiv 2205.13504).

    Args:
        network: Forecasts differences.
        targets: Columns of `numbers` that are forecast.
        kept: Columns of `numbers` to leave as they are: those known ahead.
    """

    targets: Tensor
    changes: Tensor

    def __init__(
        self, network: nn.Module, *, width: int, targets: tuple[int, ...], kept: tuple[int, ...]
    ) -> None:
        super().__init__()
        self.network = network
        # A buffer: a list would be copied to the device, and waited for, in every step.
        self.register_buffer("targets", torch.tensor(targets), persistent=False)
        changes = torch.ones(width)
        changes[list(kept)] = 0
        self.register_buffer("changes", changes, persistent=False)

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        """Numbers (N, past, F) -> (N, H, D)."""
        numbers = inputs[NUMBERS]
        last = numbers[:, -1:]  # (N, 1, F)
        outputs: Tensor = self.network(inputs | {NUMBERS: numbers - last * self.changes})
        return outputs + last.index_select(2, self.targets)


class PerChannel(nn.Module):
    """Shows one network each target's past alone, as so many more examples.

    Nie et al., "A time series is worth 64 words" (arXiv 2211.14730), section 3.1.

    Args:
        network: Past (N, past, 1 + known) -> (N, H, 1).
        targets: Columns of `numbers` that are forecast.
        kept: Columns of `numbers` that are known ahead, shown beside each target.
    """

    targets: Tensor
    kept: Tensor

    def __init__(
        self, network: nn.Module, *, targets: tuple[int, ...], kept: tuple[int, ...]
    ) -> None:
        super().__init__()
        self.network = network
        for name, columns in (("targets", targets), ("kept", kept)):
            self.register_buffer(name, torch.tensor(columns, dtype=torch.int64), persistent=False)

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        """Numbers (N, past, F) -> (N, H, D)."""
        numbers, count = inputs[NUMBERS], len(self.targets)
        own = numbers.index_select(2, self.targets).transpose(1, 2).flatten(0, 1).unsqueeze(2)
        shared = numbers.index_select(2, self.kept).repeat_interleave(count, 0)
        blocks = {NUMBERS: torch.cat([own, shared], 2)}  # (N * D, past, 1 + known)
        if KNOWN in inputs:
            blocks[KNOWN] = inputs[KNOWN].repeat_interleave(count, 0)
        outputs: Tensor = self.network(blocks)  # (N * D, H, 1)
        return outputs.view(len(numbers), count, -1).transpose(1, 2)


def build_network(
    spec: DataSpec,
    outputs: tuple[int, ...],
    build_body: Callable[..., nn.Module],
    options: ModelOptions,
) -> nn.Module:
    """Build a network for these data: stem, body and head in this order.

    Args:
        spec: The data's fields.
        outputs: Shape of one example's outputs; of one step's, where every step is told.
        build_body: Shape of the features that come in -> body; or, where that replaces the head,
            stem, `outputs`, `known` (H, F) and `is_stream` -> network.
        options: Say which forms the body takes, and whether it replaces the head.

    Raises:
        ConfigError: The body takes no form that these data have.
    """
    window = spec.window
    if window is None or spec.is_stream:
        return _plain(spec, outputs, build_body, options)
    kept = spec.known_columns
    if window.per_channel:
        alone = spec.one_channel()
        network: nn.Module = _plain(alone, (window.horizon, 1), build_body, options)
        network = PerChannel(network, targets=window.targets, kept=kept)
    else:
        network = _plain(spec, outputs, build_body, options)
    if not window.subtract_last:
        return network
    width = sum(prod(field.shape) for field in spec.blocks[NUMBERS])
    return Anchored(network, width=width, targets=window.targets, kept=kept)


def _plain(
    spec: DataSpec,
    outputs: tuple[int, ...],
    build_body: Callable[..., nn.Module],
    options: ModelOptions,
) -> nn.Module:
    stem = build_stem(spec, options)
    if options.replaces_head:
        columns = len(spec.known_columns)
        known = (spec.window.horizon, columns) if spec.window and columns else ()
        return build_body(stem, outputs=outputs, known=known, is_stream=spec.is_stream)
    body = build_body(stem.out)
    shape: Shape = body.out  # type: ignore[assignment]
    return Network(stem, body, _head(shape, outputs, spec, options))


def _head(
    shape: Shape, outputs: tuple[int, ...], spec: DataSpec, options: ModelOptions
) -> nn.Module:
    if shape.form == "outputs":
        if shape.sizes != outputs:
            raise ConfigError(
                f"`{options.name}` tells one number of an example, which is not what is asked here",
                path=("model",),
            )
        return NoHead()
    if spec.is_stream:
        return StepHead(shape, outputs)
    ahead = spec.window.horizon if spec.window else 0
    return Head(shape, outputs, known=ahead * len(spec.known_columns))
