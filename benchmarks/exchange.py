"""What an exchange of gradients costs between processes, and what that leaves of more machines.

    python -m benchmarks.exchange
    python -m benchmarks.exchange --latency-us 50 --gigabytes 2 --steps 31,187,86

The first measures sums over two processes of this machine (gloo), and training steps of three
shipped configs on one core, in processor time; then, by the model in docs/scaling.md, it computes
how many times as fast so many nodes would be, at the same batch size, over three kinds of network.
The second computes alone, from figures measured before. Other work on the machine falsifies what is
measured; of several tries the fastest counts.
"""

from __future__ import annotations

import os
import socket
import time
from argparse import ArgumentParser
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
import torch.distributed as dist
from torch import multiprocessing, nn
from torch.nn.functional import cross_entropy

from dlcli.build import component
from dlcli.config.read import read_config
from dlcli.data.spec import DataSpec, Field
from dlcli.models.network import build_network

CONFIGS = Path(__file__).parents[1] / "configs"
NAMES = ("mnist-mlp", "mnist-cnn", "mnist-lstm")
BATCH_SIZE = 128
SIZES = (4, 4_000, 40_000, 400_000, 4_000_000, 40_000_000)
NODES = (1, 2, 4, 8, 16, 32, 64)
NETWORKS = {
    "1 Gbit/s": (50e-6, 0.125e9),
    "10 Gbit/s": (30e-6, 1.25e9),
    "100 Gbit/s": (10e-6, 12.5e9),
}
"""What a message takes to the next machine beside what it takes here, in seconds, and bytes/s."""
BACKWARD = 2 / 3
"""Share of a step's computing: two products for each of forward's."""
BUCKET = 25e6
"""Bytes that DistributedDataParallel sends at a time; the first are 1 MB."""


@dataclass(frozen=True)
class Work:
    """A training to share out.

    Attributes:
        name: The config.
        gradient: Its bytes.
        seconds: A step of the whole batch on one core.
    """

    name: str
    gradient: int
    seconds: float


@dataclass(frozen=True)
class Link:
    """How gradients travel.

    Attributes:
        latency: Seconds from one node to the next, however little is sent.
        bandwidth: Bytes a second that a node sends and receives.
    """

    latency: float
    bandwidth: float


def exchange_seconds(gradient: float, nodes: int, link: Link) -> float:
    """Return the time of a ring all-reduce: each node sends 2 (N - 1) pieces of an Nth."""
    hops = 2 * (nodes - 1)
    return hops * (link.latency + gradient / nodes / link.bandwidth)


def step_seconds(work: Work, nodes: int, link: Link) -> float:
    """Return the time of a step at the same batch size; what backward hides does not count."""
    computing = work.seconds / nodes
    whole = exchange_seconds(work.gradient, nodes, link)
    last = exchange_seconds(min(work.gradient, BUCKET), nodes, link)
    return computing + max(last, whole - BACKWARD * computing)


def works(seconds: Sequence[float] | None) -> list[Work]:
    """Return the shipped configs as works; their steps are measured unless seconds are given."""
    image = Field("image", "image", (1, 28, 28), mean=(33.0,), std=(78.0,))
    spec = DataSpec((image,), (Field("label", "category", size=10),))
    found = []
    for number, name in enumerate(NAMES):
        options = read_config(CONFIGS / f"{name}.yaml").config.model
        network = build_network(spec, (10,), partial(component(options), options), options)
        gradient = sum(parameter.nbytes for parameter in network.parameters())
        taken = seconds[number] if seconds else fastest(_step(network, image), time.process_time)
        found.append(Work(name, gradient, taken))
    return found


def _step(network: nn.Module, field: Field) -> Callable[[], None]:
    """Return what trains on one batch."""
    pictures = torch.randint(256, (BATCH_SIZE, *field.shape)).to(torch.uint8)
    targets = torch.randint(10, (BATCH_SIZE,))
    optimizer = torch.optim.AdamW(network.parameters(), fused=True)

    def step() -> None:
        optimizer.zero_grad()
        cross_entropy(network({field.block: pictures}), targets).backward()
        optimizer.step()

    return step


def fastest(act: Callable[[], object], clock: Callable[[], float], tries: int = 30) -> float:
    """Return the seconds of the fastest of several tries; the first two do not count."""
    taken = []
    for _ in range(tries + 2):
        begun = clock()
        act()
        taken.append(clock() - begun)
    return min(taken[2:])


def measured_sums(ranks: int) -> dict[int, float]:
    """Return the seconds in which processes of this machine sum so many bytes, by bytes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with multiprocessing.get_context("spawn").Manager() as manager:
        found = manager.dict()
        multiprocessing.spawn(_sum, (ranks, port, found), nprocs=ranks)
        return dict(found)


def _sum(rank: int, ranks: int, port: int, found: dict[int, float]) -> None:
    """Sum tensors of each size as one of several ranks; rank 0 writes down how long it takes."""
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=ranks)
    for size in SIZES:
        values = torch.zeros(size // 4)
        taken = fastest(partial(dist.all_reduce, values), time.perf_counter, tries=100)
        if rank == 0:
            found[size] = taken
    dist.destroy_process_group()


def fitted(sums: Mapping[int, float], ranks: int) -> Link:
    """Return the latency and the bandwidth that these sums show."""
    hops = 2 * (ranks - 1)
    latency = min(sums.values()) / hops
    most = max(sums)
    return Link(latency, most / ranks / (sums[most] / hops - latency))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is not given; compute and print."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--ranks", type=int, default=2, help="processes that are measured")
    parser.add_argument("--latency-us", type=float, help="from rank to rank, in microseconds")
    parser.add_argument("--gigabytes", type=float, help="a second between ranks")
    parser.add_argument("--steps", help="milliseconds of a step of each config: 10,20,30")
    wishes = parser.parse_args(arguments)
    torch.set_num_threads(1)
    if wishes.latency_us is not None and wishes.gigabytes is not None:
        here = Link(wishes.latency_us / 1e6, wishes.gigabytes * 1e9)
    else:
        sums = measured_sums(wishes.ranks)
        here = fitted(sums, wishes.ranks)
        for size, taken in sums.items():
            print(f"{size:12,} bytes  {taken * 1e3:9.3f} ms")
    print(f"between ranks here: {here.latency * 1e6:.0f} us, {here.bandwidth / 1e9:.2f} GB/s\n")
    seconds = [float(step) / 1e3 for step in wishes.steps.split(",")] if wishes.steps else None
    print(f"| config | network | {' | '.join(map(str, NODES))} |")
    print("| --- | --- |" + " --- |" * len(NODES))
    for work in works(seconds):
        told = f"{work.name}: {work.gradient / 1e6:.2f} MB, {work.seconds * 1e3:.1f} ms a step"
        for network, (latency, bandwidth) in NETWORKS.items():
            link = Link(here.latency + latency, min(here.bandwidth, bandwidth))
            gains = [work.seconds / step_seconds(work, nodes, link) for nodes in NODES]
            print(f"| {told} | {network} | {' | '.join(f'{gain:.1f}' for gain in gains)} |")
            told = ""


if __name__ == "__main__":
    main()
