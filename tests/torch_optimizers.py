"""Every optimizer with its options, and those of torch.optim that ours are held against."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dlcli.config.optimizer import (
    AdadeltaOptions,
    AdagradOptions,
    AdamaxOptions,
    AdamOptions,
    AdamWOptions,
    MuonOptions,
    NAdamOptions,
    OptimizerOptions,
    RAdamOptions,
    RMSpropOptions,
    SGDOptions,
)
from dlcli.config.options import components

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


VARIANTS: list[OptimizerOptions] = [
    *(member() for member in components(OptimizerOptions).values()),
    SGDOptions(fused=False),
    SGDOptions(momentum=0.9),
    SGDOptions(momentum=0.9, dampening=0.1, weight_decay=0.01, fused=False),
    SGDOptions(lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    AdamOptions(fused=False),
    AdamOptions(amsgrad=True, weight_decay=0.01, betas=(0.8, 0.95)),
    AdamOptions(amsgrad=True, fused=False, eps=1e-6),
    AdamWOptions(weight_decay=0.1, fused=False),
    AdamWOptions(lr=0.01, amsgrad=True),
    RMSpropOptions(momentum=0.9),
    RMSpropOptions(centered=True, alpha=0.9),
    RMSpropOptions(centered=True, momentum=0.5, weight_decay=0.01),
    AdagradOptions(initial_accumulator_value=0.1, lr_decay=0.01, fused=False),
    AdagradOptions(initial_accumulator_value=0.1, lr_decay=0.01, weight_decay=0.01),
    AdadeltaOptions(lr=0.5, rho=0.8, weight_decay=0.01),
    AdamaxOptions(betas=(0.8, 0.9), weight_decay=0.01),
    NAdamOptions(weight_decay=0.01, momentum_decay=0.01),
    NAdamOptions(weight_decay=0.01, decoupled_weight_decay=True),
    RAdamOptions(weight_decay=0.01, betas=(0.9, 0.99)),
    RAdamOptions(weight_decay=0.01, decoupled_weight_decay=True),
    MuonOptions(nesterov=False, weight_decay=0.0, adjust_lr_fn="original"),
    MuonOptions(lr=0.02, momentum=0.9, ns_steps=3, adjust_lr_fn="spectral_unclamped"),
    *(
        member(weight_decay=0.1, decay_bias=False)
        for member in components(OptimizerOptions).values()
    ),
    SGDOptions(momentum=0.9, weight_decay=0.1, decay_bias=False, fused=False),
    AdamOptions(weight_decay=0.1, decay_bias=False, fused=False),
    AdamWOptions(decay_bias=False, fused=False),
    AdagradOptions(weight_decay=0.1, decay_bias=False, fused=False),
]
DEVICES = [
    "cpu",
    pytest.param(
        "cuda",
        marks=[
            pytest.mark.gpu,
            pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
        ],
    ),
]


def make_network(device: str = "cpu") -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 8), nn.LayerNorm(8), nn.ReLU(), nn.Linear(8, 3)
    ).to(device)


def backward(network: nn.Module, step: int, device: str = "cpu") -> None:
    generator = torch.Generator().manual_seed(step)
    inputs = torch.randn(12, 6, generator=generator).to(device)
    targets = torch.randint(0, 3, (12,), generator=generator).to(device)
    F.cross_entropy(network(inputs), targets).backward()


def rate(lr: float, step: int) -> float:
    return lr * (1 + step % 3) / 2


def torch_classes(options: OptimizerOptions, network: nn.Module) -> list[torch.optim.Optimizer]:
    """Build the torch.optim objects that the options stand for."""
    own = options.model_dump(exclude={"name", "decay_bias"})
    if "fused" in own:
        own["fused"] = None if own["fused"] is False else True
    parameters = list(network.parameters())
    if not isinstance(options, MuonOptions):
        return [getattr(torch.optim, CLASSES[options.name])(groups(options, parameters), **own)]
    rest = groups(options, [p for p in parameters if p.ndim != 2])
    return [
        torch.optim.Muon([p for p in parameters if p.ndim == 2], **own),
        torch.optim.AdamW(rest, lr=options.lr, weight_decay=options.weight_decay, fused=True),
    ]


def groups(options: OptimizerOptions, parameters: list[nn.Parameter]) -> list[dict[str, Any]]:
    """Return torch's parameter groups: one, or another one that no weight decay pulls."""
    if options.decay_bias:
        return [{"params": parameters}]
    found = [
        {"params": [p for p in parameters if p.ndim > 1]},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return [group for group in found if group["params"]]
