"""Language modelling: what token comes next, at every step of running text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, Self

import torch
from torch import Tensor

from dlcli.data.examples import Examples
from dlcli.data.spec import PADDING, UNKNOWN, Field, Window
from dlcli.tasks.task import Baseline, Report


class TokenTarget(Protocol):
    """What the task needs to know of the text's encoder."""

    @property
    def field(self) -> Field:
        """The code of one token."""
        ...

    def decode(self, values: Tensor) -> Sequence[str]:
        """Codes (N, T) -> N texts."""
        ...


@dataclass(frozen=True)
class LanguageModeling:
    """Which token follows each one. Answers (N, T, V) are probabilities.

    Attributes:
        names: Name of the column of text, alone.
        text: Its encoder.
        steps: Tokens T of a row.
    """

    names: tuple[str, ...]
    text: TokenTarget
    steps: int

    name: ClassVar[str] = "language_modeling"
    padding: ClassVar[int | None] = PADDING
    report: ClassVar[Report] = "scores"
    metrics: ClassVar[tuple[str, ...]] = ("perplexity", "token_accuracy")
    classes: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def of(cls, targets: Mapping[str, TokenTarget], window: Window | None = None) -> Self:
        """Return the task of one column of running text, in rows of a window."""
        assert window is not None
        ((name, text),) = targets.items()
        return cls((name,), text, window.horizon)

    @property
    def shape(self) -> tuple[int, ...]:
        """(V,), of every step."""
        return (self.size,)

    @property
    def size(self) -> int:
        """Number of tokens, padding and the unknown one among them."""
        return self.text.field.size

    def answers(self, linked: Tensor) -> Tensor:
        """Return probabilities (N, T, V) as they are."""
        return linked

    def truths(self, targets: Tensor) -> Tensor:
        """Codes (N, T) -> int64."""
        return targets.long()

    def baselines(self, train: Examples) -> dict[str, Baseline]:
        """Return the share of each token, whose largest is the most frequent one.

        One of each is counted beside those that are there: none is impossible.
        """
        counts = train.targets.long().flatten().bincount(minlength=self.size).double() + 1
        shares = counts / counts.sum()

        def answers(_examples: Examples, start: int, stop: int) -> Tensor:
            return shares.expand(stop - start, self.steps, -1)

        return {"token frequencies": answers}

    def decode(self, answers: Tensor) -> list[list[str]]:
        """Return the token that likeliest follows each row, as the one target column."""
        return [self.predictions(answers)]

    def predictions(self, answers: Tensor) -> list[str]:
        """Return the token that likeliest follows each row; never padding or the unknown one."""
        known = answers[:, -1:, UNKNOWN + 1 :]  # (N, 1, V - 2)
        return list(self.text.decode(known.argmax(-1) + UNKNOWN + 1))

    def to(self, device: torch.device | str) -> Self:  # noqa: ARG002
        """Return itself: it holds no tensors."""
        return self
