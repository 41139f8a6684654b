"""Optimizers over torch's functional forms; they know no model and no schedule."""

from dlcli.optimizers.optimizer import Optimizer

__all__ = ["Optimizer"]
