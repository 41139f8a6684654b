"""The parts: sizes, stratification, groups, folds and the column that names them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcli.config.data import SplitOptions
from dlcli.data.split import Labels, draw_split
from dlcli.errors import ConfigError, DataError


def labels(codes, names=None):
    codes = np.asarray(codes)
    return Labels(codes, names or [f"c{code}" for code in range(codes.max() + 1)])


def part_of(split, rows):
    """Return the part of each row, checking that each row is in one part."""
    parts = np.full(rows, "", object)
    for name, index in split.parts.items():
        assert (parts[index] == "").all()
        assert (np.diff(index) > 0).all()
        parts[index] = name
    assert (parts != "").all()
    return parts


@given(st.integers(20, 300), st.floats(0, 0.4), st.integers(0, 6), st.integers(0, 99))
def test_sizes_are_as_asked_and_each_row_is_in_one_part(rows, val, test, seed):
    split = draw_split(SplitOptions(val=val, test=test, seed=seed), rows)
    parts = part_of(split, rows)
    assert (parts == "test").sum() == test
    assert (parts == "val").sum() == (max(1, round(val * rows)) if val else 0)


def test_the_seed_alone_decides():
    one, same = (draw_split(SplitOptions(seed=3), 100).parts for _ in range(2))
    other = draw_split(SplitOptions(seed=4), 100).parts
    assert all((one[part] == same[part]).all() for part in one)
    assert (one["test"] != other["test"]).any()


def test_a_share_of_few_rows_makes_no_part_but_rows_do():
    assert set(draw_split(SplitOptions(), 19).parts) == {"train"}
    assert {p: len(r) for p, r in draw_split(SplitOptions(test=2), 19).parts.items()} == {
        "train": 17,
        "test": 2,
    }


@given(st.lists(st.integers(0, 3), min_size=40, max_size=200), st.integers(0, 50))
def test_stratified_parts_have_the_same_mix(codes, seed):
    codes = np.array([0, 1, 2, 3] * 3 + codes)
    split = draw_split(
        SplitOptions(val=0.2, test=0.2, seed=seed), len(codes), classes=labels(codes)
    )
    assert not split.warnings
    for part, rows in split.parts.items():
        share = len(rows) / len(codes)
        slack = 1 if part == "test" else 2  # val is drawn from what test leaves
        expected = np.bincount(codes) * share
        assert (abs(np.bincount(codes[rows], minlength=4) - expected) <= slack).all()


def test_a_class_of_too_few_rows_turns_stratification_off_aloud():
    codes = np.array([0] * 30 + [1] * 30 + [2] * 2)
    split = draw_split(SplitOptions(), len(codes), classes=labels(codes))
    assert split.warnings[0].startswith("class `c2` has 2 rows, fewer than the 3 parts")
    with pytest.raises(ConfigError, match="`stratify: true` cannot hold"):
        draw_split(SplitOptions(stratify=True), len(codes), classes=labels(codes))


@pytest.mark.parametrize("seed", range(8))
def test_a_class_is_never_lost_to_training(seed):
    codes = np.array([0] * 10 + [1] * 10 + [2])
    split = draw_split(SplitOptions(test=9, val=0, seed=seed), 21, classes=labels(codes))
    assert 2 in codes[split.parts["train"]]


@given(st.integers(2, 7), st.lists(st.integers(0, 2), min_size=30, max_size=90))
def test_each_row_is_in_the_test_part_of_one_fold(folds, codes):
    codes = np.array([0, 1, 2] * 7 + codes)
    options = SplitOptions(folds=folds, val=0.1)
    tests = []
    for fold in range(folds):
        split = draw_split(options, len(codes), classes=labels(codes), fold=fold)
        part_of(split, len(codes))
        tests.append(split.parts["test"])
        assert len(split.parts["val"]) == max(1, round(0.1 * len(codes)))
        counts = np.bincount(codes[tests[-1]], minlength=3)
        assert (abs(counts - np.bincount(codes) / folds) < 1).all()
    assert sorted(np.concatenate(tests)) == list(range(len(codes)))


@pytest.mark.parametrize("folds", [None, 4])
def test_groups_stay_together(folds):
    codes = np.random.default_rng(0).integers(0, 40, 400)
    for fold in range(folds or 1):
        split = draw_split(SplitOptions(folds=folds), 400, groups=labels(codes), fold=fold)
        parts = part_of(split, 400)
        assert all(len(set(parts[codes == group])) == 1 for group in range(40))
        assert abs((parts == "test").sum() - 400 / (folds or 10)) < 20
        assert abs((parts == "val").sum() - 40) < 20


def test_a_column_may_name_the_parts():
    names = labels([0, 0, 1, 2, 0], ["Train", "validation", "test"])
    split = draw_split(SplitOptions(column="part"), 5, names=names)
    assert {part: rows.tolist() for part, rows in split.parts.items()} == {
        "train": [0, 1, 4],
        "val": [2],
        "test": [3],
    }
    with pytest.raises(DataError, match="says `holdout` where train, val or test"):
        draw_split(SplitOptions(column="part"), 2, names=labels([0, 1], ["train", "holdout"]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"val": 5, "test": 5}, "5 val and 5 test rows of 10 leave none to train on"),
        ({"folds": 11}, "11 folds of 10 rows"),
        ({"stratify": True}, "is for classification"),
    ],
)
def test_impossible_splits_are_config_errors(options, message):
    with pytest.raises(ConfigError, match=message):
        draw_split(SplitOptions(**options), 10)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"group": "g", "stratify": True}, "`stratify: true` cannot hold"),
        ({"column": "p", "folds": 3}, "`folds` cannot draw them"),
        ({"column": "p", "group": "g"}, "`group` has no effect"),
        ({"val": 1.5}, "neither a share"),
    ],
)
def test_contradictions_are_told_by_the_options(options, message):
    with pytest.raises(ValueError, match=message):
        SplitOptions(**options)


def test_a_class_that_groups_take_out_of_training_is_named():
    groups, classes = np.arange(60) // 10, labels(np.where(np.arange(60) < 3, 1, 0), ["a", "b"])
    found = {}
    for seed in range(20):
        options = SplitOptions(group="g", val=10, test=10, seed=seed)
        try:
            split = draw_split(options, 60, classes=classes, groups=labels(groups))
        except DataError as error:
            found[seed] = error.faults[0]
        else:
            assert set(classes.codes[split.parts["train"]]) == {0, 1}
    assert 0 < len(found) < 20
    for fault in found.values():
        assert fault.message.startswith("class `b` has no row in the training part: all of it, 3 ")
        assert fault.path == ("data", "split")
        assert "another `data.split.seed`" in fault.suggestion


@pytest.mark.parametrize(("width", "remedy"), [(10, "leave the class"), (20, "fewer folds")])
def test_every_fold_is_checked_before_the_first(width, remedy):
    rows = np.arange(60)
    classes = labels(np.where(rows < width, 1, 0), ["a", "b"])
    options = SplitOptions(group="g", val=10, folds=6, seed=3)
    for fold in range(6):
        with pytest.raises(DataError, match="of fold") as caught:
            draw_split(options, 60, classes=classes, groups=labels(rows // 10), fold=fold)
        suggestion = caught.value.faults[0].suggestion
        assert remedy in suggestion
        assert ("seed" in suggestion) == (width == 20)


def test_a_class_that_the_split_column_takes_out_of_training_is_named():
    names = labels([0, 0, 0, 1, 2], ["train", "val", "test"])
    with pytest.raises(DataError, match="class `b` has no row in the training part: the split"):
        draw_split(
            SplitOptions(column="part"), 5, classes=labels([0, 0, 0, 1, 0], ["a", "b"]), names=names
        )


@pytest.mark.parametrize(
    ("sizes", "own", "lost"),
    [
        ([100, 100, 100], {}, ["val", "test"]),
        ([100, 100, 100], {"val": 0}, ["test"]),
        ([40, 40, 40], {"val": 40}, ["test"]),
        ([10] * 10, {}, []),
        ([100, 100, 100], {"folds": 3}, ["val"]),
    ],
)
def test_a_part_that_groups_leave_empty_is_told_aloud(sizes, own, lost):
    codes = np.repeat(np.arange(len(sizes)), sizes)
    split = draw_split(SplitOptions(group="g", **own), len(codes), groups=labels(codes))
    empty = {"val", "test"} - split.parts.keys()
    assert empty == {*lost, *(part for part, size in own.items() if size == 0)}
    assert len(split.warnings) == len(lost)
    for said, part in zip(split.warnings, lost, strict=True):
        assert said.startswith(f"no group of {len(sizes)} is small enough for a {part} part of ")
        assert f"(`split: {{{part}: 0}}` says that it is meant)" in said


def test_a_val_part_that_a_lost_class_takes_back_is_told_aloud():
    codes = labels([0] * 20 + [1])
    found = [
        draw_split(SplitOptions(val=1, test=0, seed=seed), 21, classes=codes) for seed in range(60)
    ]
    empty = [split for split in found if "val" not in split.parts]
    assert 0 < len(empty) < 60
    for split in found:
        told = [
            said
            for said in split.warnings
            if said.startswith("no row is left for a val part of 1 row,")
        ]
        assert len(told) == ("val" not in split.parts)
