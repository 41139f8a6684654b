"""Own code for tests: one component of each family, and the built-in config that it is equal to."""

from __future__ import annotations

from pathlib import Path

CODE = '''\
"""What the built-in components do, written out by hand."""

import math

import torch
from torch import nn
from torch.nn import functional as F


class Net(nn.Module):
    def __init__(self, *, inputs, outputs, width: int = 16, dropout: float = 0.0):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(math.prod(inputs), width),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(width, math.prod(outputs)),
        )

    def forward(self, values):
        return self.layers(values.flatten(1))


def cross_entropy(outputs, targets):
    return F.cross_entropy(outputs, targets)


def each_row(outputs, targets):
    return F.cross_entropy(outputs, targets, reduction="none")


class Adam(torch.optim.AdamW):
    def __init__(self, params, lr: float = 1e-3, weight_decay: float = 0.01):
        super().__init__(params, lr=lr, weight_decay=weight_decay, foreach=False)


class Counting(torch.optim.Optimizer):
    """Has state of every kind: tensors, numbers, and numbers of a whole group."""

    def __init__(self, params, lr: float = 0.1, betas: tuple[float, float] = (0.9, 0.99)):
        super().__init__(params, {"lr": lr, "betas": betas, "made": 0, "scale": 1.0})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            group["made"] += 1
            group["scale"] *= 0.99
            first, _ = group["betas"]
            for parameter in group["params"]:
                state = self.state[parameter]
                if not state:
                    state["mean"] = torch.zeros_like(parameter, dtype=torch.float64)
                    state["steps"], state["largest"] = 0, 0.0
                    state["clock"] = torch.tensor(0)
                state["steps"] += 1
                state["clock"] += 1
                state["largest"] = max(state["largest"], float(parameter.grad.abs().max()))
                state["mean"].mul_(first).add_(parameter.grad, alpha=1 - first)
                size = group["lr"] * group["scale"] / (1 + state["largest"] * state["steps"] ** 0.5)
                parameter.sub_((size * state["mean"]).to(parameter.dtype))


def cosine(step, history, *, steps, end: float = 0.0):
    return end + (1 - end) * (1 + math.cos(math.pi * min(step / steps, 1))) / 2


def cautious(step, history, *, steps_per_epoch, factor: float = 0.5):
    falls = sum(b.val["loss"] > a.val["loss"] for a, b in zip(history, history[1:]))
    return factor**falls * (1 + step % steps_per_epoch) / steps_per_epoch


class Accuracy:
    higher_is_better = True

    def __init__(self, size):
        assert size == 3
        self.right = self.rows = 0

    def update(self, answers, targets):
        self.right += int((answers.argmax(1) == targets).sum())
        self.rows += len(targets)

    def value(self):
        return self.right / self.rows if self.rows else None


def rows(count: int = 60):
    for number in range(count):
        told = "nyo"[number % 7 // 3]
        yield {"a": number % 7, "b": number / 3, "c": "pqr"[number % 3], "y": told}
'''
OWN = """\
data: {name: wine, batch_size: 16}
model: {name: own.py:Net, width: 16}
loss: own.py:cross_entropy
optimizer: {name: own.py:Adam, lr: 3e-3}
scheduler: own.py:cosine
metrics: [own.py:Accuracy]
train: {epochs: 3, monitor: val_Accuracy, threads: 1, max_time: 3600}
"""
BUILT_IN = """\
data: {name: wine, batch_size: 16}
model: {name: mlp, hidden_sizes: [16]}
loss: cross_entropy
optimizer: {name: adamw, lr: 3e-3, fused: false}
scheduler: cosine
metrics: [accuracy]
train: {epochs: 3, monitor: val_accuracy, threads: 1, max_time: 3600}
"""


def write_own(folder: Path, config: str = OWN, code: str = CODE) -> Path:
    """Write code and a config that names it into a folder; return the config's path."""
    (folder / "own.py").write_text(code)
    (folder / "own.yaml").write_text(config)
    return folder / "own.yaml"
