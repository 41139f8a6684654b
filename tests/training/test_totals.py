"""The mean loss of an epoch."""

from __future__ import annotations

from math import isnan

import torch

from dlcli.training.totals import Totals


def test_the_mean_is_weighted_and_leaves_out_what_was_skipped() -> None:
    totals = Totals(torch.device("cpu"))
    totals.add(torch.tensor(1.0), 3)
    totals.add(torch.tensor(5.0), 1, skip=torch.zeros(1))
    totals.add(torch.tensor(float("inf")), 100, skip=torch.ones(1))
    assert totals.mean() == 2.0


def test_the_mean_of_nothing_is_undefined() -> None:
    """As of an epoch in which every step of fp16 overflowed."""
    totals = Totals(torch.device("cpu"))
    assert isnan(totals.mean())
    totals.add(torch.tensor(float("inf")), 100, skip=torch.ones(1))
    assert isnan(totals.mean())
