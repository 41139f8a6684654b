"""Batch norm of vectors, sequences and pictures; knows no architecture."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class BatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch norm that leaves padding out, and takes a lone row too.

    One row has no statistics, so the running ones serve. An epoch ends on a lone row wherever the
    row count is one more than a multiple of the batch size; torch raises an error there.
    """

    def forward(self, values: Tensor, mask: Tensor | None = None) -> Tensor:
        """Normalise values (N, F), (N, C, T) or (N, C, H, W).

        Args:
            values: What to normalise.
            mask: (N, 1, T), true where a step is no padding, whose values count for nothing.
        """
        if self.training and mask is not None:
            return self._masked(values, mask)
        if self.training and values.numel() > values.shape[1]:
            return super().forward(values)
        return F.batch_norm(
            values, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
        )

    def _masked(self, values: Tensor, mask: Tensor) -> Tensor:
        """Normalise by the statistics of the steps in the mask, without waiting for their count.

        A lone step has none either.
        """
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        count = mask.sum()
        mean = (values * mask).sum((0, 2), keepdim=True) / count  # (1, C, 1)
        mean = torch.where(count > 1, mean, self.running_mean.view(-1, 1))
        centred = values - mean
        variance = (centred.square() * mask).sum((0, 2), keepdim=True) / count
        variance = torch.where(count > 1, variance, self.running_var.view(-1, 1))
        with torch.no_grad():
            unbiased = variance * count / (count - 1).clamp(min=1)
            self.running_mean.lerp_(mean.flatten(), self.momentum)
            self.running_var.lerp_(unbiased.flatten(), self.momentum)
            self.num_batches_tracked.add_(1)
        scale = self.weight.view(-1, 1) * (variance + self.eps).rsqrt()
        return centred * scale + self.bias.view(-1, 1)

    def _check_input_dim(self, input: Tensor) -> None:  # noqa: A002 - torch's name
        """Take any number of dimensions."""
