from __future__ import annotations

import numpy as np
import pytest
import torch

from dlcli.data.augment.draws import draw, either_way, spans, whole
from dlcli.training.randomness import derived_seed


def test_what_one_option_draws_depends_on_no_other_option():
    alone = draw({"b": 1.0}, 100, seed=3, epoch=2)
    among = draw({"a": 1.0, "b": 1.0, "c": 0.2}, 100, seed=3, epoch=2)
    assert torch.equal(alone["b"], among["b"])
    assert not torch.equal(among["a"], among["b"])


def test_the_noise_is_drawn_apart_from_how_much_of_it_there_is():
    drawn = draw({"noise": 1.0}, 2000, seed=3, epoch=2, noise=2000)
    apart = np.random.default_rng(derived_seed(3, "augment", 2, "noise"))
    assert not np.array_equal(drawn.noise, apart.standard_normal(2000, np.float32))


@pytest.mark.parametrize("other", [{"seed": 4, "epoch": 2}, {"seed": 3, "epoch": 1}])
def test_another_seed_or_epoch_draws_another_table(other):
    one = draw({"a": 1.0}, 100, seed=3, epoch=2, noise=10)
    two = draw({"a": 1.0}, 100, **other, noise=10)
    assert not torch.equal(one.table, two.table)
    assert not torch.equal(one.noise, two.noise)


@pytest.mark.parametrize("a", [0.2, 1.0, 5.0])
def test_columns_follow_their_beta_distribution(a):
    values = draw({"a": a}, 20_000, seed=0, epoch=0)["a"]
    assert values.min() >= 0
    assert values.max() <= 1
    assert float(values.mean()) == pytest.approx(0.5, abs=0.01)
    assert float(values.var()) == pytest.approx(1 / (4 * (2 * a + 1)), rel=0.05)


@pytest.mark.parametrize("count", [1, 2, 3, 9, 1000, 60_000])
def test_whole_numbers_stay_below_their_count(count):
    ends = torch.tensor([0.0, 1 - 2**-24])  # the least and the largest float32 below 1
    assert whole(ends, count).tolist() == [0, count - 1]


def test_whole_numbers_are_equally_frequent():
    counts = torch.bincount(whole(draw({"a": 1.0}, 30_000, seed=0, epoch=0)["a"], 3))
    assert counts.float().std() < 3 * 30_000**0.5 / 3


def test_either_way_is_even():
    assert either_way(torch.tensor([0.0, 0.5, 0.75]), 10).tolist() == [-10, 0, 5]


def test_spans_are_cut_at_the_ends():
    found = spans(4, torch.tensor([-1, 1, 3, 2]), torch.tensor([2, 2, 9, 0]))
    assert found.int().tolist() == [[1, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]]
