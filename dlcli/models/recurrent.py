"""Recurrent networks: one layer after the other reads a sequence, forwards or both ways."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn

from dlcli.config.model import RecurrentOptions, RNNOptions
from dlcli.models.features import Features, Shape

State = Tensor | tuple[Tensor, Tensor]
"""What a layer remembers: (1, N, H), of an LSTM two of them."""


class Recurrent(nn.Module):
    """Layers of `nn.RNN`, `nn.LSTM` or `nn.GRU`, one module per layer and direction.

    Padding stands at a sequence's end, where it changes nothing before it; backwards a sequence is
    read from its own last step. So no sequence is packed: that costs up to twice the time of
    reading the padding (training, one core), and on an accelerator a wait for the lengths.
    """

    def __init__(self, options: RecurrentOptions, shape: Shape) -> None:
        super().__init__()
        make = _layer(options)
        out = options.hidden_size * (2 if options.bidirectional else 1)
        self.forwards, self.backwards = nn.ModuleList(), nn.ModuleList()
        for width in [shape.sizes[1], *[out] * (options.num_layers - 1)]:
            self.forwards.append(make(width))
            if options.bidirectional:
                self.backwards.append(make(width))
        self.between = nn.Dropout(options.dropout)
        ends = options.pooling == "last" and options.bidirectional
        self.out = replace(
            shape,
            sizes=(shape.sizes[0], out),
            pooling="ends" if ends else options.pooling,
            dropout=options.dropout,
        )

    def forward(self, features: Features) -> Features:
        """Values (N, T, F) -> (N, T, directions * H)."""
        values, lengths = features
        for number, forwards in enumerate(self.forwards):
            values = self.between(values) if number else values
            read: Tensor = forwards(values)[0]
            if self.backwards:
                back = self.backwards[number](reverse(values, lengths))[0]
                read = torch.cat([read, reverse(back, lengths)], 2)
            values = read
        return Features(values, lengths)

    def step(
        self, values: Tensor, states: Sequence[State | None] | None = None
    ) -> tuple[Tensor, list[State]]:
        """Read on from where the states were left, forwards only and without dropout.

        Args:
            values: (N, T, F) the next steps.
            states: Of each layer, as returned for the steps before; None at the beginning.

        Returns:
            (N, T, H), and the states after the last step.
        """
        after = []
        for layer, before in zip(self.forwards, states or [None] * len(self.forwards), strict=True):
            values, state = layer(values, before)
            after.append(state)
        return values, after


def reverse(values: Tensor, lengths: Tensor | None) -> Tensor:
    """Return each sequence (N, T, F) from its last step to its first; padding stays at the end."""
    if lengths is None:
        return values.flip(1)
    steps = torch.arange(values.shape[1], device=values.device)
    last = lengths.unsqueeze(1) - 1
    order = torch.where(steps > last, steps, last - steps)  # (N, T)
    return values.gather(1, order.unsqueeze(2).expand_as(values))


def _layer(options: RecurrentOptions) -> Callable[[int], nn.Module]:
    """Return what makes a layer of an input width."""
    if isinstance(options, RNNOptions):
        kind: Callable[..., nn.Module] = partial(nn.RNN, nonlinearity=options.nonlinearity)
    else:
        kind = {"lstm": nn.LSTM, "gru": nn.GRU}[options.name]
    return partial(kind, hidden_size=options.hidden_size, batch_first=True)
