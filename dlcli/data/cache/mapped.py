"""Files as tensors whose pages the system reads when they are touched, and drops when it must."""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor


def map_array(path: Path, dtype: str, shape: Sequence[int]) -> np.ndarray:
    """Return a file as an array; what is written to it stays in this process.

    Args:
        path: The file, at least as long as the array.
        dtype: As numpy names it.
        shape: Without a dimension of 0, for nothing cannot be mapped.
    """
    kind, count = np.dtype(dtype), int(np.prod(shape, dtype=np.int64))
    with path.open("rb") as file:
        # of a copy-on-write mapping torch does not warn that it may not be written to
        pages = mmap.mmap(
            file.fileno(),
            count * kind.itemsize,
            flags=mmap.MAP_PRIVATE,
            prot=mmap.PROT_READ | mmap.PROT_WRITE,
        )
    return np.frombuffer(pages, kind, count).reshape(shape)


def map_tensor(path: Path, dtype: str, shape: Sequence[int]) -> Tensor:
    """Return a file as a tensor on the CPU; see `map_array`."""
    return torch.from_numpy(map_array(path, dtype, shape))
