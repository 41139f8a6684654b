"""What the options of `dlcli predict` ask for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Wishes:
    """What is wanted beside the plain answers.

    Attributes:
        has_probabilities: The probability of every class.
        top_k: So many of the likeliest classes; None for none.
        min_confidence: Leave predictions below this probability empty; None leaves none.
        is_skipping: Leave records out that cannot be read, instead of ending with the first.
        horizon: Of a series, rows to forecast; None takes as many as in training.
        is_backtest: Of a series, forecast what the file itself knows, window by window.
        length: Of a language model, tokens to write; None writes 200.
        temperature: Likewise, what logits are divided by; 0 takes the likeliest; None is 1.
        seed: Likewise, draws the tokens; None is 0.
    """

    has_probabilities: bool = False
    top_k: int | None = None
    min_confidence: float | None = None
    is_skipping: bool = False
    horizon: int | None = None
    is_backtest: bool = False
    length: int | None = None
    temperature: float | None = None
    seed: int | None = None

    @property
    def needs_probabilities(self) -> bool:
        """Whether any of it can only be told from probabilities."""
        return self.has_probabilities or self.top_k is not None or self.min_confidence is not None
