"""Running text as windows: what is told, of what, and what a part knows of the others."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from torch.nn import functional as F

from dlcli.config.data import TextFileOptions
from dlcli.data.language import measured
from dlcli.data.prepare import prepare, restore
from dlcli.data.sources.text_file import TEXT, open_text_file
from dlcli.data.spec import PADDING, UNKNOWN
from dlcli.errors import ConfigError, DataError

TEXTS = ("to be or not to be, that is the question: ", "whether tis nobler in the mind ")


def options(**own):
    split = own.pop("split", {"val": 0.2, "test": 0.1})
    return TextFileOptions.model_validate({"path": "a.txt", "context": 8, "split": split} | own)


def prepared(folder, text, **own):
    (folder / "a.txt").write_text(text)
    chosen = options(**own)
    return prepare(open_text_file(chosen, folder), chosen, task=None)


# what a val or test part is measured on


@given(data=st.data(), context=st.integers(2, 9), length=st.integers(2, 60))
def test_every_token_but_the_first_is_told_exactly_once_from_those_before(data, context, length):
    stride = data.draw(st.integers(1, context))
    codes = torch.arange(1, length + 1, dtype=torch.int16)
    examples = measured(codes, context=context, stride=stride)
    batch = examples.slice(0, len(examples))
    inputs, targets = batch.inputs[TEXT], batch.targets
    told = targets != PADDING
    assert targets[told].tolist() == codes[1:].tolist()
    assert (inputs[told] == targets[told] - 1).all()
    assert told.any(1).all()
    for number, row in enumerate(inputs):
        start = number * stride
        seen = codes[start : start + context]
        assert row[: len(seen)].tolist() == seen.tolist()
        assert (row[len(seen) :] == PADDING).all()
    first = told.int().argmax(1)  # tokens before a row's first one that counts
    assert first.tolist() == [0] + [context - stride] * (len(inputs) - 1)


@given(data=st.data(), context=st.integers(2, 9), length=st.integers(2, 60))
def test_measured_windows_are_views_that_any_batch_can_take(data, context, length):
    stride = data.draw(st.integers(1, context))
    codes = torch.randint(UNKNOWN, 200, (length,), dtype=torch.uint8)
    examples = measured(codes, context=context, stride=stride)
    assert examples.nbytes <= 2 * (length + context)

    count = len(examples)
    padded = F.pad(codes, (0, (count - 1) * stride + context + 1 - length), value=PADDING)
    windows = padded.unfold(0, context + 1, stride)
    targets = windows[:, 1:].clone()
    targets[1:, : context - stride] = PADDING
    chosen = torch.tensor(data.draw(st.lists(st.integers(0, count - 1), min_size=1)))
    start = data.draw(st.integers(0, count - 1))
    for batch, expected in (
        (examples.take(chosen), chosen),
        (examples.slice(start, count), torch.arange(start, count)),
    ):
        assert torch.equal(batch.inputs[TEXT], windows[expected, :-1])
        assert torch.equal(batch.targets, targets[expected])
        assert batch.targets.dtype == codes.dtype
    assert examples.targets[examples.targets != PADDING].tolist() == codes[1:].tolist()


# what training sees


def test_training_windows_tell_each_token_from_the_one_before(tmp_path):
    train = prepared(tmp_path, TEXTS[0] * 20).examples["train"]
    codes = train.rows
    for epoch in range(20):
        own = train.for_epoch(7, epoch)
        batch = own.take(torch.arange(len(own)))
        assert batch.inputs[TEXT].shape == batch.targets.shape == (len(train), 8)
        assert torch.equal(batch.inputs[TEXT][:, 1:], batch.targets[:, :-1])
        start = own.first
        expected = codes[start : start + len(own) * 8 + 1]
        assert batch.inputs[TEXT].flatten().tolist() == expected[:-1].tolist()
        assert batch.targets.flatten().tolist() == expected[1:].tolist()


def test_each_epoch_begins_elsewhere_and_as_often_as_asked_at_the_same_place(tmp_path):
    train = prepared(tmp_path, TEXTS[0] * 20).examples["train"]
    starts = [train.for_epoch(0, epoch).first for epoch in range(200)]
    assert set(starts) == set(range(8))
    assert starts == [train.for_epoch(0, epoch).first for epoch in range(200)]


@given(context=st.integers(2, 12), extra=st.integers(0, 30))
def test_the_latest_beginning_still_fits(tmp_path_factory, context, extra):
    folder = tmp_path_factory.getbasetemp()
    text = (TEXTS[0] * 3)[: 2 * context + extra - 1] + "\n"
    train = prepared(folder, text, context=context, split={"val": 0}).examples["train"]
    last = train.first + context - 1 + (len(train) - 1) * context
    assert last + context < len(text)  # the target of its last token
    assert last + 2 * context >= len(text)  # another window would not always fit


def test_a_part_is_held_once_in_a_byte_a_token(tmp_path):
    made = prepared(tmp_path, TEXTS[0] * 20)
    train = made.examples["train"]
    assert train.rows.dtype == torch.uint8
    assert train.inputs[TEXT].data_ptr() == train.rows.data_ptr()
    assert len(train.rows) == len(made.rows["train"])


# the parts


def test_parts_follow_each_other_and_are_as_large_as_asked(tmp_path):
    text = (TEXTS[0] + "\n") * 20
    made = prepared(tmp_path, text)
    total = len(text)
    test, val = round(0.1 * total), round(0.2 * total)
    assert made.rows == {
        "train": range(total - test - val),
        "val": range(total - test - val, total - test),
        "test": range(total - test, total),
    }
    encoder = made.preprocessor.inputs[TEXT]
    for part in ("val", "test"):
        rows = made.rows[part]
        targets = made.examples[part].targets
        told = targets[targets != PADDING].unsqueeze(0)
        assert encoder.decode(told) == [text[rows.start + 1 : rows.stop]]


@pytest.mark.parametrize(("level", "tails"), [("character", "xé"), ("word", [" y", " ß"])])
def test_nothing_of_val_and_test_reaches_the_vocabulary(tmp_path, level, tails):
    states = []
    for tail in tails:
        text = TEXTS[0] * 10 + tail * 50
        made = prepared(tmp_path, text, level=level, context=4, split={"val": 31, "test": 20})
        states.append(made.preprocessor.state())
    assert states[0] == states[1]


def test_the_vocabulary_is_that_of_the_training_part_exactly(tmp_path):
    made = prepared(tmp_path, "abcd" * 10 + "efgh" * 10, split={"val": 41})
    assert made.preprocessor.inputs[TEXT].vocabulary == ("a", "b", "c", "d")
    assert made.warnings == (
        "41 characters of the val part (100.00%) are unknown: not (often enough) in the train part",
    )


def test_restored_parts_are_those_of_the_training(tmp_path):
    made = prepared(tmp_path, TEXTS[1] * 20, level="word", context=4)
    chosen = options(level="word", context=4)
    again = restore(
        open_text_file(chosen, tmp_path),
        chosen,
        preprocessor=made.preprocessor,
        task=None,
        parts=("train", "val", "test"),
    )
    assert list(again) == list(made.examples)
    for part, examples in made.examples.items():
        index = torch.arange(len(examples))
        ours, theirs = examples.take(index), again[part].take(index)
        assert torch.equal(ours.inputs[TEXT], theirs.inputs[TEXT])
        assert torch.equal(ours.targets, theirs.targets)


# what is refused


@pytest.mark.parametrize(
    ("text", "own", "error", "message"),
    [
        (
            "a" * 14,
            {"split": {"val": 0}},
            DataError,
            "the train part has 15 tokens of 15, fewer than two rows of `context: 8`",
        ),
        (
            "a" * 99,
            {"split": {"val": 60, "test": 40}},
            ConfigError,
            "60 val and 40 test tokens of 100 leave none to train on",
        ),
        (
            "a" * 99,
            {"split": {"val": 1}},
            DataError,
            "the val part has 1 token of 100, and it takes 2",
        ),
        (
            "ab" * 30,
            {"min_count": 100},
            DataError,
            "no character occurs 100 times in the train part: every one is unknown",
        ),
    ],
)
def test_what_cannot_be_trained_on_is_one_line(tmp_path, text, own, error, message):
    with pytest.raises(error) as caught:
        prepared(tmp_path, text, **own)
    assert str(caught.value) == message


@pytest.mark.parametrize("overlap", [8, 9])
def test_an_overlap_as_long_as_the_context_is_refused(overlap):
    with pytest.raises(ValidationError, match=f"`overlap: {overlap}` leaves nothing to tell"):
        options(overlap=overlap)
