"""skorch: a network as a scikit-learn classifier, on arrays."""

from __future__ import annotations

import time

import torch
from skorch import NeuralNetClassifier
from torch import nn

from benchmarks.peers.models import build, build_trained, prepare_optimizers
from benchmarks.peers.terms import arrays, asked, tell
from benchmarks.works import LEARNING_RATE


def main() -> None:
    """Do what is asked."""
    given = asked()
    work, data = given.work, arrays(given)
    is_predicting = given.name == "predict"
    shape = data.train_inputs.shape[1:]
    net = NeuralNetClassifier(
        build_trained(work, given.folder) if is_predicting else build(work, shape),
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=LEARNING_RATE,
        batch_size=work.batch_size,
        max_epochs=work.epochs,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
    )
    if is_predicting:
        net.initialize()
        started = time.perf_counter()
        told = net.predict(data.train_inputs)
        seconds, rows = time.perf_counter() - started, len(data.train_inputs)
        score = (told == data.train_targets).mean()
    else:
        prepare_optimizers()
        started = time.perf_counter()
        net.fit(data.train_inputs, data.train_targets)
        seconds = time.perf_counter() - started
        rows = len(data.train_inputs) * work.epochs
        score = (net.predict(data.test_inputs) == data.test_targets).mean()
    tell("skorch", "torch", seconds=seconds, rows=rows, score=score)


if __name__ == "__main__":
    main()
