"""Activation functions by the names that a config uses."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from dlcli.config.model import Activation

ACTIVATIONS: dict[Activation, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "celu": nn.CELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "mish": nn.Mish,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "softplus": nn.Softplus,
    "softsign": nn.Softsign,
    "hardswish": nn.Hardswish,
    "hardtanh": nn.Hardtanh,
    "relu6": nn.ReLU6,
    "prelu": nn.PReLU,
    "identity": nn.Identity,
}
