"""Entries of state that torch makes at the first step, when only the device knows which that was.

A step that is skipped leaves nothing, so the next may be the first; the host, which never waits to
hear it, then has both made, the first and the following one, and the device choose.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


class LateEntries:
    """Which of them are there, as far as the host and the device know.

    Args:
        lists: None, or the one list of entries, by parameter; None stands for one not yet made.
    """

    def __init__(self, lists: list[list[Tensor | None]]) -> None:
        self._entries = lists[0] if lists else []
        self._are_missing: dict[int, Tensor] = {}
        """By parameter, () bool: all its steps were skipped, and its entry stands for nothing."""

    @property
    def are_in_doubt(self) -> bool:
        """Whether there are entries of which only the device knows if they are there."""
        return bool(self._are_missing)

    def doubtful(self, chosen: list[int], parameters: Sequence[Tensor]) -> list[int]:
        """Return those of the parameters whose next step may be their first."""
        for i in chosen if self._entries else ():
            if self._entries[i] is None:
                self._entries[i] = torch.zeros_like(parameters[i])
                self._are_missing[i] = torch.ones((), dtype=torch.bool, device=parameters[i].device)
        return [i for i in chosen if i in self._are_missing]

    def settle(
        self,
        firsts: list[tuple[int, Tensor, Tensor]],
        parameters: Sequence[Tensor],
        is_skipped: Tensor | None,
    ) -> None:
        """Put first steps in the place of following ones where they were first, and not skipped.

        Args:
            firsts: The number of a parameter, the parameter and the entry after its first step.
            parameters: After a following step.
            is_skipped: () bool; None if it is known that it was not.
        """
        for i, parameter, made in firsts:
            is_missing, entry = self._are_missing.pop(i), self._entries[i]
            assert entry is not None
            is_first = is_missing
            if is_skipped is not None:
                is_first, self._are_missing[i] = is_missing & ~is_skipped, is_missing & is_skipped
            parameters[i].copy_(torch.where(is_first, parameter, parameters[i]))
            entry.copy_(torch.where(is_first, made, entry))

    def ask(self) -> None:
        """Wait for the device, and forget the entries that stand for nothing."""
        for i, is_missing in self._are_missing.items():
            if is_missing.item():
                self._entries[i] = None
        self._are_missing.clear()
