"""Rows as a network's body sees them, made once instead of in every step."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from dlcli.data.examples import Examples, ResidentExamples
from dlcli.data.spec import VECTOR
from dlcli.models.network import Network
from dlcli.models.stems import VectorStem

_MOST_BYTES = 1 << 25
"""Of a part as it is seen. Steps over more rows have work enough not to gain much by it."""
_ROWS_AT_ONCE = 1024


def seen_once(parts: Mapping[str, Examples], network: nn.Module) -> dict[str, Examples]:
    """Return the parts, those that are small as the block `vector` that the network's stem makes.

    That is done where the stem has nothing to learn and works on each value for itself, so that no
    bit of what the body sees differs.

    Args:
        parts: In memory or mapped; only rows in memory, the same in every epoch, are changed.
        network: Takes either form of the rows.
    """
    stem = network.stem if isinstance(network, Network) else None
    if not isinstance(stem, VectorStem) or not stem.is_fixed:
        return dict(parts)
    return {part: _seen(examples, stem) for part, examples in parts.items()}


def _seen(examples: Examples, stem: VectorStem) -> Examples:
    values = len(examples) * stem.out.width
    is_small = values * torch.get_default_dtype().itemsize <= _MOST_BYTES
    if not isinstance(examples, ResidentExamples) or examples.mapped or not is_small:
        return examples
    starts = range(0, len(examples), _ROWS_AT_ONCE)
    batches = (examples.slice(start, start + _ROWS_AT_ONCE) for start in starts)
    with torch.no_grad():
        seen = [stem(batch.inputs).values for batch in batches]
    return ResidentExamples({VECTOR: torch.cat(seen)}, examples.targets)
