"""New tokens after others, one by one; knows no text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from dlcli.data.spec import UNKNOWN
from dlcli.models.features import Features
from dlcli.models.network import Network


@runtime_checkable
class Stepping(Protocol):
    """A body that goes on from where it stood: one token then costs one step, not a window."""

    def step(self, values: Tensor, states: Any = None) -> tuple[Tensor, Any]:
        """Values (N, T, F), states after the steps before (None at first) -> (N, T, F), states."""
        ...


def generate(
    network: nn.Module,
    prompt: Sequence[int],
    *,
    name: str,
    context: int,
    length: int,
    temperature: float = 1.0,
    top_k: int | None = None,
    seed: int = 0,
) -> Iterator[int]:
    """Yield the codes of new tokens; never padding or the unknown one.

    Args:
        network: A language model, in eval mode.
        prompt: Codes, at least one; the last `context` of them count.
        name: The block of tokens.
        context: Tokens that a body without steps sees at a time.
        length: How many tokens to yield.
        temperature: What logits are divided by; 0 takes the likeliest token.
        top_k: Draw among so many of the likeliest tokens; None among all.
        seed: Draws the tokens.
    """
    generator = torch.Generator().manual_seed(seed)
    reader: _Stepped | _Windowed = _Windowed(network, name, context)
    if isinstance(network, Network) and isinstance(network.body, Stepping):
        reader = _Stepped(network, name, context)
    new = list(prompt[-context:])
    for _ in range(length):
        with torch.inference_mode():
            logits = reader.read(new).double().cpu()
        new = [_drawn(logits, temperature, top_k, generator)]
        yield from new


class _Windowed:
    """Shows a network the last tokens, all of them anew each time."""

    def __init__(self, network: nn.Module, name: str, context: int) -> None:
        self.network, self.name, self.context = network, name, context
        self.codes: list[int] = []

    def read(self, new: list[int]) -> Tensor:
        """Return the logits (V,) of what follows the codes read so far."""
        self.codes = (self.codes + new)[-self.context :]
        logits: Tensor = self.network({self.name: _row(self.codes, self.network)})
        return logits[0, -1]


class _Stepped:
    """Shows a network the new tokens alone; its body remembers those before, however many."""

    def __init__(self, network: Network, name: str, context: int) -> None:  # noqa: ARG002
        self.network, self.name = network, name
        self.states: Any = None

    def read(self, new: list[int]) -> Tensor:
        """Return the logits (V,) of what follows the codes read so far."""
        network = self.network
        features = network.stem({self.name: _row(new, network)})
        values, self.states = network.body.step(features.values, self.states)  # type: ignore[operator]
        logits: Tensor = network.head(Features(values[:, -1:]))
        return logits[0, -1]


def _row(codes: list[int], network: nn.Module) -> Tensor:
    """Return codes as a batch of one row (1, T)."""
    return torch.tensor([codes], device=next(network.parameters()).device)


def _drawn(
    logits: Tensor, temperature: float, top_k: int | None, generator: torch.Generator
) -> int:
    """Draw a code by its logits (V,)."""
    logits = logits.clone()
    logits[: UNKNOWN + 1] = -torch.inf
    if temperature == 0:
        return int(logits.argmax())
    if top_k is not None and top_k < len(logits):
        logits[logits < logits.topk(top_k).values[-1]] = -torch.inf
    # Off the largest first: a tiny temperature would make infinities of all.
    shares = ((logits - logits.max()) / temperature).softmax(0)
    return int(torch.multinomial(shares, 1, generator=generator))
