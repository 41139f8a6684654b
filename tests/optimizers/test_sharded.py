"""Every optimizer over parameters that are shared out among ranks (fully_shard)."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.command_line import REPOSITORY

CODE = """
import torch
import torch.distributed as distributed
from torch.distributed.fsdp import fully_shard
from dlcli.config.optimizer import OptimizerOptions, SGDOptions
from dlcli.config.options import components
from dlcli.errors import ConfigError
from dlcli.optimizers import Optimizer
from tests.torch_optimizers import backward, make_network

distributed.init_process_group("gloo")
mesh = distributed.init_device_mesh("cpu", (1,))
cases = [member() for member in components(OptimizerOptions).values()]
for options in [*cases, SGDOptions(momentum=0.9, dampening=0.1)]:
    whole, shared = make_network(), fully_shard(make_network(), mesh=mesh)
    optimizers = [Optimizer(options, dict(n.named_parameters())) for n in (whole, shared)]
    for step, flag in enumerate([1.0, 0.0, 0.0, 1.0]):
        for network, optimizer in zip((whole, shared), optimizers):
            optimizer.zero_grad()
            backward(network, step)
            optimizer.step(0.01, torch.tensor([flag]))
    for own, expected in zip(shared.parameters(), whole.parameters()):
        assert torch.allclose(own.full_tensor(), expected, atol=1e-6), options.name
try:
    Optimizer(SGDOptions(fused=True), dict(shared.named_parameters()))
except ConfigError as error:
    assert "no fused sgd for sharded torch.float32 on cpu" in str(error), error
else:
    raise AssertionError
distributed.destroy_process_group()
"""


@pytest.mark.slow
def test_sharded_parameters_are_updated_and_skipped_as_whole_ones_are() -> None:
    world = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0", "RANK": "0", "WORLD_SIZE": "1"}
    subprocess.run([sys.executable, "-c", CODE], cwd=REPOSITORY, env=os.environ | world, check=True)
