"""Two pictures made one, and their targets with them (mixup, cutmix)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dlcli.data.augment.draws import UNIFORM, Draws, whole
from dlcli.data.augment.transforms import rectangle
from dlcli.data.spec import Batch


@dataclass(frozen=True)
class Mixing:
    """How each example is mixed with a partner, drawn from the whole part.

    Attributes:
        mixup: The `a` of Beta(a, a), from which the share of one's own picture is drawn; 0 is off.
        cutmix: Likewise; with both, each is taken half of the time.
        name: The pictures' block.
        classes: Number of classes; 0 where targets are numbers.
    """

    mixup: float
    cutmix: float
    name: str
    classes: int

    @property
    def columns(self) -> dict[str, float]:
        """Columns of the draws that it reads; see `draw`."""
        uniform = ("partner", "is_cut", "cut_middle", "cut_centre")
        shares = {"mixup": self.mixup, "cutmix": self.cutmix}
        return dict.fromkeys(uniform, UNIFORM) | {name: a for name, a in shares.items() if a}

    def partners(self, draws: Draws, rows: int) -> Tensor:
        """Return the partner (N,) of each example, among as many rows as there are."""
        return whole(draws["partner"], rows)

    def __call__(self, batch: Batch, partners: Batch, draws: Draws) -> Batch:
        """Mix the examples of a batch with their partners.

        Returns:
            Pictures (N, C, H, W) float32; targets (N, K) float32 shares of classes, or numbers.
        """
        own, others = batch.inputs[self.name].float(), partners.inputs[self.name].float()
        weights = self._weights(own, draws)
        shares = weights.mean((1, 2, 3))
        mixed = torch.lerp(others, own, weights)
        targets = self._targets(batch.targets, partners.targets, shares)
        return Batch(batch.inputs | {self.name: mixed}, targets)

    def _weights(self, pictures: Tensor, draws: Draws) -> Tensor:
        """Return how much of each pixel is one's own: (N, 1, 1, 1) or (N, 1, H, W)."""
        if not self.cutmix:
            return draws["mixup"].view(-1, 1, 1, 1)
        cut = self._outside(pictures, draws).float()
        if not self.mixup:
            return cut
        is_cut = draws["is_cut"].view(-1, 1, 1, 1) < 0.5
        return torch.where(is_cut, cut, draws["mixup"].view(-1, 1, 1, 1))

    def _outside(self, pictures: Tensor, draws: Draws) -> Tensor:
        """Return where a picture stays: outside of a rectangle with the picture's own ratio."""
        height, width = pictures.shape[2:]
        side = (1 - draws["cutmix"]).sqrt()
        heights, widths = (side * height).long(), (side * width).long()
        tops = whole(draws["cut_middle"], height) - heights // 2
        lefts = whole(draws["cut_centre"], width) - widths // 2
        return ~rectangle(pictures, tops, lefts, heights, widths)

    def _targets(self, own: Tensor, others: Tensor, shares: Tensor) -> Tensor:
        if not self.classes:
            return torch.lerp(others, own, shares.view(-1, *[1] * (own.dim() - 1)).to(own.dtype))
        mixed = torch.zeros(len(own), self.classes, device=own.device)
        mixed.scatter_add_(1, own.unsqueeze(1), shares.unsqueeze(1))
        return mixed.scatter_add_(1, others.unsqueeze(1), 1 - shares.unsqueeze(1))
