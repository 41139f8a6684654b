"""fastai: a Learner over DataLoaders, as in its book; for Adult its tabular learner.

It steps by torch's own Adam, because fastai's `Adam` computes something else.
"""

from __future__ import annotations

import time
from functools import partial

import fastai.callback.progress  # noqa: F401 - gives a learner `no_bar`
import torch
from fastai.callback.core import Callback, CancelValidException
from fastai.data.core import DataLoaders
from fastai.data.load import DataLoader
from fastai.learner import Learner
from fastai.optimizer import OptimWrapper
from torch import nn

from benchmarks.peers.models import build, build_trained, prepare_optimizers
from benchmarks.peers.plain import tensor_datasets
from benchmarks.peers.terms import Asked, arrays, asked, tell
from benchmarks.works import LEARNING_RATE, SEED

ADAM = partial(OptimWrapper, opt=torch.optim.Adam)


class NoValidation(Callback):
    """Leaves out what `fit` does after each epoch, since no other program does it."""

    def before_validate(self) -> None:
        """End it before it begins."""
        raise CancelValidException


def learner_of(given: Asked) -> Learner:
    """Return the learner of a network over arrays; its valid part is the test part."""
    work = given.work
    train_rows, test_rows = tensor_datasets(arrays(given))
    if given.name == "predict":
        network, test_rows = build_trained(work, given.folder), train_rows
    else:
        network = build(work, tuple(train_rows[0][0].shape))
    loaders = DataLoaders(
        DataLoader(train_rows, bs=work.batch_size, shuffle=True),
        DataLoader(test_rows, bs=1024),
    )
    return Learner(loaders, network, loss_func=nn.CrossEntropyLoss(), opt_func=ADAM)


def tabular_learner_of(given: Asked) -> Learner:
    """Return the learner of Adult: categories embedded by fastai's own rule, no batch norm."""
    import pandas as pd
    from fastai.tabular.all import (
        Categorify,
        CategoryBlock,
        FillMissing,
        Normalize,
        TabularPandas,
        tabular_config,
        tabular_learner,
    )

    from benchmarks.peers.adult import read

    train, test = read(given.folder)
    numbers = [*train.select_dtypes("number").columns]
    words = [name for name in train.columns if name not in numbers and name != "income"]
    table = TabularPandas(
        pd.concat([train, test], ignore_index=True),
        procs=[Categorify, FillMissing, Normalize],
        cat_names=words,
        cont_names=numbers,
        y_names="income",
        y_block=CategoryBlock(),
        splits=(list(range(len(train))), list(range(len(train), len(train) + len(test)))),
    )
    torch.manual_seed(SEED)
    return tabular_learner(
        table.dataloaders(bs=given.work.batch_size),
        layers=[*given.work.hidden_sizes],
        config=tabular_config(use_bn=False, bn_cont=False),
        opt_func=ADAM,
    )


def main() -> None:
    """Do what is asked."""
    given = asked()
    learner = tabular_learner_of(given) if given.name == "adult" else learner_of(given)
    seconds, rows = 0.0, 0
    with learner.no_bar(), learner.no_logging():
        if given.name != "predict":
            prepare_optimizers()
            started = time.perf_counter()
            learner.fit(given.work.epochs, LEARNING_RATE, cbs=NoValidation())
            seconds = time.perf_counter() - started
            rows = len(learner.dls.train.dataset) * given.work.epochs
        started = time.perf_counter()
        outputs, targets = learner.get_preds(ds_idx=1)
        if given.name == "predict":
            seconds, rows = time.perf_counter() - started, len(targets)
    score = (outputs.argmax(1) == targets.flatten()).double().mean().item()
    tell("fastai", "torch", seconds=seconds, rows=rows, score=score)


if __name__ == "__main__":
    main()
