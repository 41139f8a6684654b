"""Matrix factorization: two ids and a score."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dlcli.config.model import MatrixFactorizationOptions
from dlcli.models.features import Features, Shape

_STD = 0.1
"""Deviation of initial vectors (Surprise's SVD: `init_std_dev`)."""
_UNKNOWN = 0
"""The code of ids that training did not show; its vector and bias stay zero."""


class MatrixFactorization(nn.Module):
    """`mean + bias[user] + bias[item] + vector[user] . vector[item]`.

    Koren, Bell and Volinsky, "Matrix factorization techniques for recommender systems" (2009),
    equation 3. With a scaled target the mean of the training scores is 0, where the learned one
    starts.
    """

    def __init__(self, options: MatrixFactorizationOptions, shape: Shape) -> None:
        super().__init__()
        self.vectors = nn.ModuleList(
            nn.Embedding(size, options.embedding_size, padding_idx=_UNKNOWN) for size in shape.sizes
        )
        self.biases = nn.ModuleList(
            nn.Embedding(size, 1, padding_idx=_UNKNOWN) for size in shape.sizes
        )
        self.mean = nn.Parameter(torch.zeros(()))
        self.dropout = nn.Dropout(options.dropout)
        with torch.no_grad():
            for vectors, biases in zip(self.vectors, self.biases, strict=True):
                vectors.weight.mul_(_STD)  # type: ignore[operator]
                biases.weight.zero_()  # type: ignore[operator]
        self.out = Shape("outputs", ())

    def forward(self, features: Features) -> Features:
        """Codes (N, 2) -> one number each (N,)."""
        codes = features.values.unbind(1)
        users, items = (
            self.dropout(embed(column)) for embed, column in zip(self.vectors, codes, strict=True)
        )
        scores: Tensor = self.mean + (users * items).sum(1)
        for bias, column in zip(self.biases, codes, strict=True):
            scores = scores + bias(column).squeeze(1)
        return Features(scores)
