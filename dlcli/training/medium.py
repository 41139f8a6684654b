"""float32 matrix products by faster kernels of less precision, and how far off they are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch
from torch import Tensor

from dlcli.training.precision import FullPrecision

_SIZE = 256
"""Of the matrices that are tried: large enough for every kernel, a millisecond's work."""
FLOAT32_ERROR = 1e-5
"""No product of two such matrices in float32 is as far off; one of bfloat16 is by about 2e-3."""


class MediumPrecision(FullPrecision):
    """Products of forward and backward by bfloat16 kernels, on CUDA by TF32; sums stay float32.

    What `torch.set_float32_matmul_precision("medium")` does. It holds for a whole process, so it
    is set for forward and backward alone: optimizer, val, test and predictions compute in full
    precision.

    https://docs.pytorch.org/docs/stable/generated/torch.set_float32_matmul_precision.html
    """

    @contextmanager
    def forward(self) -> Iterator[None]:
        """Set the precision of products, and set it back; less than a microsecond each."""
        before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("medium")
        try:
            yield
        finally:
            torch.set_float32_matmul_precision(before)

    def backward(self, loss: Tensor) -> None:
        """Run autograd's backward likewise."""
        with self.forward():
            super().backward(loss)


@cache
def product_error(device: torch.device) -> float:
    """Return how far off a product in medium precision is, as a share of its length.

    About 2e-3 where the processor multiplies in bfloat16, 5e-4 in TF32, 3e-7 where in float32.
    """
    one, other = (
        torch.randn(_SIZE, _SIZE, generator=torch.Generator().manual_seed(seed))
        for seed in range(2)
    )
    exact = one.double() @ other.double()
    with MediumPrecision(device).forward():
        found = (one.to(device) @ other.to(device)).cpu()
    return float((found - exact).norm() / exact.norm())
