"""Lightning: a LightningModule and a Trainer, on the tutorial's DataLoader.

The way `tensors` gives it MNIST as tensors that are ready, where else each picture is transformed.
"""

from __future__ import annotations

import time

import lightning
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from benchmarks.peers.models import build, build_trained
from benchmarks.peers.plain import datasets_of, share_right, tensor_datasets
from benchmarks.peers.terms import arrays, asked, tell
from benchmarks.works import LEARNING_RATE


class Module(lightning.LightningModule):
    """A network as Lightning trains it."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def training_step(self, batch: list[Tensor], _: int) -> Tensor:
        """Return the mean loss."""
        inputs, targets = batch
        return F.cross_entropy(self.network(inputs), targets)

    def predict_step(self, batch: list[Tensor], _: int) -> Tensor:
        """Return the classes told, and beside them the true ones (2, N)."""
        inputs, targets = batch
        return torch.stack([self.network(inputs).argmax(1), targets])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return Adam."""
        return torch.optim.Adam(self.parameters(), lr=LEARNING_RATE)


def main() -> None:
    """Do what is asked."""
    given = asked()
    work = given.work
    sets = tensor_datasets(arrays(given)) if given.way == "tensors" else datasets_of(given)
    train_rows, test_rows = sets
    trainer = lightning.Trainer(
        accelerator="cpu",
        max_epochs=work.epochs,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    if given.name == "predict":
        module = Module(build_trained(work, given.folder))
        started = time.perf_counter()
        told = trainer.predict(module, DataLoader(train_rows, work.batch_size))
        seconds, rows = time.perf_counter() - started, len(train_rows)
        classes, targets = torch.cat(told, 1)
        score = (classes == targets).double().mean().item()
    else:
        network = build(work, tuple(train_rows[0][0].shape))
        loader = DataLoader(train_rows, work.batch_size, shuffle=True)
        started = time.perf_counter()
        trainer.fit(Module(network), loader)
        seconds, rows = time.perf_counter() - started, len(train_rows) * work.epochs
        score = share_right(network, DataLoader(test_rows, 1000))
    tell("lightning", "torch", seconds=seconds, rows=rows, score=score)


if __name__ == "__main__":
    main()
