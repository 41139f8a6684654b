"""What is measured: each work's data, network and training, the same for every program.

Read by the programs of all environments, so it imports nothing but the standard library.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SEED = 0
LEARNING_RATE = 1e-3
MNIST_MEAN, MNIST_STD = 0.1307, 0.3081
"""Of pixels from 0 to 1: the figures of PyTorch's own MNIST example."""
ADULT_COLUMNS = [
    "age", "workclass", "fnlwgt", "education", "education_num", "marital", "occupation",
    "relationship", "race", "sex", "gain", "loss", "hours", "country", "income",
]  # fmt: skip


@dataclass(frozen=True)
class Work:
    """One work.

    Attributes:
        title: What it is, in the tables.
        data: Which data set, by the name of its folder.
        network: Which network.
        batch_size: Rows of a step.
        epochs: Passes over the training rows.
        hidden_sizes: Of the MLP.
        rows: Training rows taken, the first ones; None takes all.
    """

    title: str
    data: Literal["digits", "mnist", "adult"]
    network: Literal["mlp", "cnn", "lstm"]
    batch_size: int
    epochs: int
    hidden_sizes: tuple[int, ...] = ()
    rows: int | None = None

    @property
    def classes(self) -> int:
        """Number of classes."""
        return 2 if self.data == "adult" else 10


WORKS = {
    "digits": Work(
        "digits, MLP 64-32-10, Adam, batch 32, 100 epochs",
        "digits",
        "mlp",
        batch_size=32,
        epochs=100,
        hidden_sizes=(32,),
    ),
    "mnist-mlp": Work(
        "MNIST, MLP 784-256-128-10, Adam, batch 128, 3 epochs",
        "mnist",
        "mlp",
        batch_size=128,
        epochs=3,
        hidden_sizes=(256, 128),
    ),
    "mnist-cnn": Work(
        "MNIST, CNN (conv 32, conv 64, pool, fc 128), Adam, batch 128, 10,000 rows, 1 epoch",
        "mnist",
        "cnn",
        batch_size=128,
        epochs=1,
        rows=10_000,
    ),
    "mnist-lstm": Work(
        "MNIST row by row, LSTM 128, Adam, batch 128, 20,000 rows, 1 epoch",
        "mnist",
        "lstm",
        batch_size=128,
        epochs=1,
        rows=20_000,
    ),
    "adult": Work(
        "Adult, CSV to printed metrics, MLP 128-64, Adam, batch 256, 5 epochs",
        "adult",
        "mlp",
        batch_size=256,
        epochs=5,
        hidden_sizes=(128, 64),
    ),
    "predict": Work(
        "MNIST, MLP 784-256-128-10, prediction of 60,000 rows, batch 1024",
        "mnist",
        "mlp",
        batch_size=1024,
        epochs=0,
        hidden_sizes=(256, 128),
    ),
}
