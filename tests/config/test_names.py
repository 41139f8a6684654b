from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcli.config.config import Config
from dlcli.config.names import ALIASES, distance, nearest, nearest_file
from dlcli.config.optimizer import AdamWOptions

ADAMW = list(AdamWOptions.model_fields)


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("learning_rate", "lr"),
        ("lrate", "lr"),
        ("LR", "lr"),
        ("l2", "weight_decay"),
        ("weightdecay", "weight_decay"),
        ("weight-decay", "weight_decay"),
        ("bteas", "betas"),
        ("epsilon", "eps"),
        ("zzz", None),
        ("", None),
    ],
)
def test_a_mistyped_option_is_recognised(word, meant):
    assert nearest(word, ADAMW) == meant


@pytest.mark.parametrize(
    ("word", "meant"),
    [("optim", "optimizer"), ("Model", "model"), ("metric", "metrics"), ("trian", "train")],
)
def test_a_mistyped_section_is_recognised(word, meant):
    assert nearest(word, Config.model_fields) == meant


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("CrossEntropyLoss", "cross_entropy"),
        ("MSELoss", "mse"),
        ("BCE", "bce"),
        ("ce", "cross_entropy"),
    ],
)
def test_class_names_of_torch_are_recognised(word, meant):
    assert nearest(word, ["cross_entropy", "mse", "bce"]) == meant


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("adlut.yaml", "adult.yaml"),
        ("adult.yml", "adult.yaml"),
        ("adult", "adult.yaml"),
        ("Dots.yaml", "dots.yaml"),
        ("nope.yaml", None),
        ("net.yaml", None),
        ("b1.yaml", None),
    ],
)
def test_a_mistyped_file_is_recognised(name, meant):
    assert nearest_file(name, ["adult.yaml", "dots.yaml", "model.yaml", "b2.yaml"]) == meant


def test_aliases_are_written_as_names_are():
    assert all(alias == alias.lower() and "-" not in alias for alias in ALIASES)


words = st.text("abc", max_size=6)


@given(words, words)
def test_distance_is_symmetric_and_zero_only_for_equals(a, b):
    assert distance(a, b) == distance(b, a)
    assert (distance(a, b) == 0) == (a == b)
    assert distance(a, b) <= max(len(a), len(b))


def test_a_swap_of_neighbours_counts_once():
    assert distance("trian", "train") == 1
