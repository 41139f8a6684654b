"""How much a network multiplies, counted as it runs; knows no architecture.

Torch's own counter, `torch.utils.flop_counter`, knows the work of every operation, and costs a
second before its first answer: too much to choose a number of threads by.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

_LOOKUPS = (nn.Embedding, nn.EmbeddingBag)


def multiplications(network: nn.Module, inputs: dict[str, Tensor]) -> int:
    """Return how many products a forward pass takes for the rows given, those of matrices alone.

    A matrix counts once for each place, step or row that its module puts out. What has no matrix of
    its own, or multiplies nothing by it, counts for nothing.

    Args:
        network: Is called once, as in an evaluation.
        inputs: Blocks (N, ...) by name.
    """
    counts: list[int] = []

    def count(module: nn.Module, _inputs: Any, output: Any) -> None:
        first = output if isinstance(output, Tensor) else output[0]
        matrices = [p.numel() for p in module.parameters(recurse=False) if p.ndim > 1]
        if matrices and isinstance(first, Tensor) and first.numel():
            width = first.shape[1 if isinstance(module, nn.modules.conv._ConvNd) else -1]
            counts.append(sum(matrices) * first.numel() // width)

    chosen = [module for module in network.modules() if not isinstance(module, _LOOKUPS)]
    hooks = [module.register_forward_hook(count) for module in chosen]
    was_training = network.training
    network.eval()
    try:
        with torch.inference_mode():
            network(inputs)
    finally:
        network.train(was_training)
        for hook in hooks:
            hook.remove()
    return sum(counts)
