"""The loop that `benchmarks.ranks` compares with: the same training by torch's own parts alone.

    torchrun --nproc-per-node 2 -m benchmarks.plain_ranks 39200 512 512 4

Trains on so many rows with layers so wide, batches so large and so many epochs; prints the rows
trained on in a second after the first epoch. By DistributedDataParallel where torchrun started it.
"""

from __future__ import annotations

import os
import sys
import time
from itertools import pairwise

import torch
import torch.distributed as dist
from torch import nn
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel

INPUTS = 64


def main() -> None:
    """Train and print."""
    rows, hidden, batch_size, epochs = map(int, sys.argv[1:])
    rank, ranks = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    torch.manual_seed(0)
    inputs, targets = torch.randn(rows, INPUTS), torch.randn(rows, 1)
    widths = [INPUTS, hidden, hidden, hidden]
    layers = [
        layer
        for before, after in pairwise(widths)
        for layer in (nn.Linear(before, after), nn.ReLU())
    ]
    model: nn.Module = nn.Sequential(*layers, nn.Linear(hidden, 1))
    if ranks > 1:
        dist.init_process_group("gloo")
        model = DistributedDataParallel(model, gradient_as_bucket_view=True)
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    begun = 0.0
    for epoch in range(epochs):
        begun = time.perf_counter() if epoch == 1 else begun
        for index in torch.randperm(rows).split(batch_size):
            own = index[rank::ranks]
            optimizer.zero_grad()
            F.mse_loss(model(inputs[own]), targets[own]).backward()
            optimizer.step()
    if rank == 0:
        print(rows * (epochs - 1) / (time.perf_counter() - begun))
    if ranks > 1:
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
