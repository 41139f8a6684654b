"""A check that the rows of a batch do not see each other."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor, nn

from dlcli.checks.finding import Finding, sound, warning
from dlcli.training.protocols import Batch

_ROWS = 8
_ROUNDING = 1e-4
"""Relative change of another row's outputs that longer padding or another kernel may cause."""


def check_independence(network: nn.Module, probe: Batch) -> Finding | None:
    """Say whether a row's outputs change when another row of its batch does.

    In eval mode, and in train mode with the same dropout; there batch norm, which looks at the
    whole batch by design, is left in eval mode.

    Returns:
        The finding; None for a single row.
    """
    network = deepcopy(network)  # in train mode a forward pass may move buffers
    rows = min(_ROWS, len(probe))
    inputs = {name: block[:rows] for name, block in probe.inputs.items()}
    pair = _differing(inputs, rows)
    if pair is None:
        return None
    modes = {"eval": False, "train": True}
    mixing = [name for name, mode in modes.items() if _is_mixing(network, inputs, pair, mode)]
    if mixing:
        return warning(
            "independence",
            f"rows of a batch are mixed: changing one row changes the outputs of others (in "
            f"{' and '.join(mixing)} mode), so a prediction depends on what stands beside it",
            "look for a mean, softmax, view or transpose over dimension 0 of the network; batch "
            "norm is the layer that may do so",
        )
    batch_norm = any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in network.modules())
    besides = "; batch norm aside, in training" if batch_norm else ""
    return sound("independence", f"no row's outputs depend on another row{besides}")


def _differing(inputs: dict[str, Tensor], rows: int) -> tuple[int, int] | None:
    """Return the first row and one that has other inputs; None where all are alike."""
    for other in range(1, rows):
        if any(not torch.equal(block[0], block[other]) for block in inputs.values()):
            return 0, other
    return None


def _is_mixing(
    network: nn.Module, inputs: dict[str, Tensor], pair: tuple[int, int], is_training: bool
) -> bool:
    """Put one row of a pair in the place of the other, both ways, and watch all rows beside.

    Where sequences vary in length, one of the two ways keeps the longest, and so the padding.
    """
    network.train(is_training)
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()
    rows = torch.arange(len(next(iter(inputs.values()))))
    whole, changes = _seeded(network, inputs), []
    drift = _change(whole, _seeded(network, inputs))  # of layers that change by being called
    for place, source in (pair, pair[::-1]):
        index = torch.where(rows == place, source, rows)
        changed = {name: block[index.to(block.device)] for name, block in inputs.items()}
        others = rows != place
        changes.append(_change(whole[others], _seeded(network, changed)[others]))
    return min(changes) > max(_ROUNDING, 10 * drift)


def _change(before: Tensor, after: Tensor) -> float:
    """Return the largest change over the largest output; infinite where only one is finite."""
    before, after = before.double(), after.double()
    if not torch.equal(before.isfinite(), after.isfinite()):
        return float("inf")
    before, after = before.nan_to_num(), after.nan_to_num()
    return float((after - before).abs().max() / before.abs().max().clamp(min=1e-12))


def _seeded(network: nn.Module, inputs: dict[str, Tensor]) -> Tensor:
    """Return outputs (N, ...) on the CPU, dropout drawn alike each time."""
    devices = [block.device for block in inputs.values() if block.is_cuda][:1]
    with torch.random.fork_rng(devices=devices), torch.no_grad():
        torch.manual_seed(0)
        outputs: Tensor = network(dict(inputs))
    return outputs.cpu()
