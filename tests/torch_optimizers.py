"""The optimizers of torch.optim that ours are held against."""

from __future__ import annotations

import torch
from torch import nn

from dlcli.config.optimizer import MuonOptions, OptimizerOptions

CLASSES = {
    "sgd": "SGD",
    "adam": "Adam",
    "adamw": "AdamW",
    "rmsprop": "RMSprop",
    "adagrad": "Adagrad",
    "adadelta": "Adadelta",
    "adamax": "Adamax",
    "nadam": "NAdam",
    "radam": "RAdam",
    "muon": "Muon",
}


def torch_classes(options: OptimizerOptions, network: nn.Module) -> list[torch.optim.Optimizer]:
    """Build the torch.optim objects that the options stand for."""
    own = options.model_dump(exclude={"name"})
    if "fused" in own:
        own["fused"] = None if own["fused"] is False else True
    parameters = list(network.parameters())
    if not isinstance(options, MuonOptions):
        return [getattr(torch.optim, CLASSES[options.name])(parameters, **own)]
    rest = [p for p in parameters if p.ndim != 2]
    return [
        torch.optim.Muon([p for p in parameters if p.ndim == 2], **own),
        torch.optim.AdamW(rest, lr=options.lr, weight_decay=options.weight_decay, fused=True),
    ]
