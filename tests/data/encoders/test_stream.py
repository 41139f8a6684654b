"""Running text as codes: what a token is, which are known, and the way back."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dlcli.data.encoders.registry import encoder_from_state
from dlcli.data.encoders.stream import UNKNOWN_TEXT, StreamEncoder, cut, fit_stream
from dlcli.data.spec import PADDING, UNKNOWN

LEVELS = pytest.mark.parametrize("level", ["character", "word"])
texts = st.text(alphabet=st.sampled_from("ab '-9\n\té中𝄞"), max_size=40)


def fit(text, level="character", **options):
    own = {"min_count": 1, "max_tokens": 1000, "embedding_size": 4} | options
    return fit_stream("text", level, [cut(text, level)], **own)


def codes(encoder, *cells):
    return encoder.encode(pa.array(cells, pa.string()))


@LEVELS
@given(text=texts)
def test_the_tokens_of_a_text_are_that_text(level, text):
    assert "".join(cut(text, level)) == text


@LEVELS
@given(text=texts.filter(bool))
def test_a_known_text_comes_back_from_its_codes(level, text):
    encoder = fit(text, level)
    encoded = codes(encoder, text)
    assert encoder.decode(encoded.unsqueeze(0)) == [text]
    assert int(encoded.min()) > UNKNOWN
    assert int(encoded.max()) < encoder.field.size


def test_a_word_keeps_the_space_before_it():
    text = "Well, don't  go\n\tJo-Ann 12!"
    expected = ["Well", ",", " don't", " ", " go", "\n", "\t", "Jo", "-", "Ann", " 12", "!"]
    assert cut(text, "word") == expected


@LEVELS
@given(text=texts, other=texts)
def test_what_training_did_not_show_is_unknown(level, text, other):
    encoder = fit(text, level)
    found = codes(encoder, other).tolist()
    tokens = cut(other, level)
    assert [code == UNKNOWN for code in found] == [t not in encoder.vocabulary for t in tokens]
    shown = [t if t in encoder.vocabulary else UNKNOWN_TEXT for t in tokens]
    assert encoder.decode(torch.tensor([found])) == ["".join(shown)]
    count = found.count(UNKNOWN)
    cells = pa.array([other], pa.string())
    assert sum(encoder.notes(cells, encoder.encode(cells)).values()) == count


def test_characters_stand_by_code_point_and_words_by_falling_count():
    assert fit("cabba").vocabulary == ("a", "b", "c")
    assert fit("b b a b c c", "word").vocabulary == (" b", " c", " a", "b")


def test_rare_tokens_and_those_beyond_the_most_are_unknown():
    assert fit("aaabbc", min_count=2).vocabulary == ("a", "b")
    assert fit("aaabcc", max_tokens=2).vocabulary == ("a", "c")


@pytest.mark.parametrize(("size", "dtype"), [(254, torch.uint8), (255, torch.int16)])
def test_codes_are_as_small_as_they_can_be(size, dtype):
    text = "".join(map(chr, range(100, 100 + size)))
    encoder = fit(text)
    assert encoder.field.size == size + 2
    assert codes(encoder, text).dtype == dtype
    assert codes(encoder, text).tolist() == list(range(2, size + 2))


@LEVELS
def test_several_cells_are_one_text_and_none_is_empty(level):
    encoder = fit("a b", level)
    assert codes(encoder, "a b", "", "b").tolist() == [
        *codes(encoder, "a b").tolist(),
        *codes(encoder, "b").tolist(),
    ]
    assert codes(encoder).tolist() == codes(encoder, "").tolist() == []


@LEVELS
def test_its_state_makes_the_encoder_again(level):
    encoder = fit("to be or not", level)
    again = encoder_from_state(json.loads(json.dumps(encoder.state())))
    assert again == encoder
    assert isinstance(again, StreamEncoder)


def test_padding_is_nobodys_code():
    assert PADDING not in codes(fit("abc"), "abcdé")
