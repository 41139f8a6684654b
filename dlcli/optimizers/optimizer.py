"""The optimizer that the trainer drives: groups of parameters, each updated by one function."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from dlcli.config.optimizer import AdamWOptions, MuonOptions, OptimizerOptions
from dlcli.errors import CheckpointError
from dlcli.optimizers.group import Group

_Named = dict[str, nn.Parameter]


class Optimizer:
    """Updates parameters in place from their gradients; build it after moving them to a device.

    Attributes:
        lr: The base learning rate, which a schedule multiplies.
    """

    def __init__(self, options: OptimizerOptions, parameters: Mapping[str, nn.Parameter]) -> None:
        self.lr = options.lr
        trained = {name: value for name, value in parameters.items() if value.requires_grad}
        self._groups = [Group(part, named) for part, named in _groups(options, trained) if named]

    @torch.no_grad()
    def step(self, lr: float, skip: Tensor | None = None) -> None:
        """Make one step with this learning rate; parameters without a gradient stay as they are.

        Args:
            lr: The learning rate.
            skip: (1,) float32 on the parameters' device: 1.0 leaves parameters and state as they
                are, 0.0 makes the step. The host does not read it.
        """
        for group in self._groups:
            group.step(lr, skip)

    def zero_grad(self) -> None:
        """Drop all gradients."""
        for group in self._groups:
            for parameter in group.parameters:
                parameter.grad = None

    def state(self) -> dict[str, Tensor]:
        """Return what the next step depends on, as `STATE/PARAMETER` to tensor; no copies."""
        return {
            name: value
            for group in self._groups
            for _, name, values, i in group.cells()
            if (value := values[i]) is not None
        }

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take over copies of a state that `state` returned, from any device.

        Raises:
            CheckpointError: It belongs to another optimizer, other options or another model.
        """
        found = set()
        for group in self._groups:
            found |= group.load(state)
        if unknown := sorted(set(state) - found):
            raise CheckpointError(
                f"the saved optimizer state does not fit: `{unknown[0]}` has no place here"
            )


def _groups(options: OptimizerOptions, named: _Named) -> list[tuple[OptimizerOptions, _Named]]:
    """Split parameters by the functional form, and the options, that update them."""
    if not isinstance(options, MuonOptions):
        return _by_decay(options, named)
    # Muon is made for the matrices that multiply; embeddings are matrices only by their shape.
    muon = {n: p for n, p in named.items() if p.ndim == 2 and "embedding" not in n}
    rest = {n: p for n, p in named.items() if n not in muon}
    other = AdamWOptions(
        lr=options.lr, weight_decay=options.weight_decay, decay_bias=options.decay_bias
    )
    return [(options, muon), *_by_decay(other, rest)]


def _by_decay(options: OptimizerOptions, named: _Named) -> list[tuple[OptimizerOptions, _Named]]:
    """Set apart what no weight decay pulls: parameters of one dimension, if so chosen."""
    if options.decay_bias or not options.weight_decay:
        return [(options, named)]
    spared = {n: p for n, p in named.items() if p.ndim <= 1}
    decayed = {n: p for n, p in named.items() if n not in spared}
    return [(options, decayed), (options.model_copy(update={"weight_decay": 0.0}), spared)]
