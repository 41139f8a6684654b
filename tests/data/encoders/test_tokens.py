"""Texts as codes: what a vocabulary holds, how rows are cut and filled, and what is told."""

import json
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dlcli.config.data import TextOptions
from dlcli.data.encoders.registry import encoder_from_state
from dlcli.data.encoders.tokens import TokensFit
from dlcli.data.spec import PADDING, UNKNOWN

words = st.lists(st.sampled_from(["a", "b", "c", "dd", "é", "!"]), max_size=8)
rows = st.lists(words, min_size=1, max_size=20)


def fit(texts, *, chunks=1, folder=Path(), **options):
    tokens_fit = TokensFit("t", TextOptions(**{"min_count": 1, **options}), folder)
    size = max(1, -(-len(texts) // chunks))
    for start in range(0, len(texts), size):
        tokens_fit.add(pa.array(texts[start : start + size], pa.string()))
    return tokens_fit.finish()


def codes(encoder, *texts):
    return encoder.encode(pa.array(texts, pa.string())).tolist()


@given(rows)
def test_texts_go_there_and_back(tokens):
    encoder = fit([" ".join(row) for row in tokens])
    encoded = encoder.encode(pa.array([" ".join(row) for row in tokens]))
    assert encoder.decode(encoded) == [row or ["<unknown>"] for row in tokens]
    assert encoded.shape == (len(tokens), *encoder.field.shape)
    assert int(encoded.max()) < encoder.field.size
    assert encoder_from_state(json.loads(json.dumps(encoder.state()))) == encoder


@given(rows, rows, st.integers(1, 3), st.integers(1, 4), st.integers(1, 9))
def test_codes_are_those_of_a_plain_loop(tokens, others, min_count, max_tokens, max_length):
    counts = Counter(token for row in tokens for token in row[:max_length])
    by_count = sorted(counts, key=lambda token: (-counts[token], token))
    known = [token for token in by_count if counts[token] >= min_count][:max_tokens]
    length = max(1, min(max_length, max(map(len, tokens))))
    expected = []
    for row in others:
        line = [known.index(token) + 2 if token in known else UNKNOWN for token in row[:length]]
        expected.append((line or [UNKNOWN]) + [PADDING] * (length - max(1, len(line))))

    encoder = fit(
        [" ".join(row) for row in tokens],
        min_count=min_count,
        max_tokens=max_tokens,
        max_length=max_length,
    )
    assert codes(encoder, *(" ".join(row) for row in others)) == expected
    assert encoder.vocabulary == tuple(known)


@given(rows, st.integers(1, 6))
def test_chunks_do_not_matter(tokens, chunks):
    texts = [" ".join(row) for row in tokens]
    assert fit(texts, chunks=chunks) == fit(texts)


@given(st.lists(st.text(), min_size=1, max_size=8), st.sampled_from(["word", "character"]))
def test_a_row_does_not_depend_on_the_others(texts, kind):
    encoder = fit(texts[: len(texts) // 2], tokens=kind)
    together = codes(encoder, *texts)
    assert together == [codes(encoder, text)[0] for text in texts]
    assert all(row[0] != PADDING for row in together)  # no text has the length 0


def test_empty_and_missing_texts_are_one_unknown_token():
    assert codes(fit(["a b", ""]), "", None, "  ", "a") == [[1, 0], [1, 0], [1, 0], [2, 0]]


@pytest.mark.parametrize(
    ("count", "dtype"), [(254, torch.uint8), (255, torch.int16), (32_767, torch.int32)]
)
def test_codes_take_the_smallest_type(count, dtype):
    encoder = fit(
        [chr(0x4E00 + i % 20_000) * (1 + i // 20_000) for i in range(count)], max_tokens=count
    )
    assert (encoder.field.size, encoder.encode(pa.array(["x"])).dtype) == (count + 2, dtype)


def test_what_is_cut_off_is_not_in_the_vocabulary():
    encoder = fit(["a b c", "a"], max_length=2)
    assert (encoder.vocabulary, encoder.length) == (("a", "b"), 2)
    assert (encoder.cut, encoder.longest) == (1, 3)


def test_numbers_and_truth_values_are_read_as_they_are_written():
    encoder = fit(["5 true 2.5"])
    assert encoder.encode(pa.array([5, None])).tolist() == [[codes(encoder, "5")[0][0], 0, 0, 0, 0],
                                                            [1, 0, 0, 0, 0]]  # fmt: skip
    assert encoder.decode(encoder.encode(pa.array([True]))) == [["true"]]


def test_notes_count_odd_rows_each_once():
    encoder = fit(["a b c", "b c"])
    texts = ["a", "", None, "a b c a", "x", "x y a", "a x", "x y z x"]
    cells = pa.array(texts)
    assert encoder.notes(cells, encoder.encode(cells)) == {
        "empty text": 2,
        "longer than 3 tokens, cut": 2,
        "most of its tokens not seen (often enough) in training": 3,
    }
    cells = pa.array(["a b"])
    assert encoder.notes(cells, encoder.encode(cells)) == {}


def test_a_tokenizer_comes_along_in_the_state(tmp_path):
    library = pytest.importorskip("tokenizers")
    made = library.Tokenizer(library.models.WordLevel({"a": 0, "?": 1}, unk_token="?"))
    made.pre_tokenizer = library.pre_tokenizers.WhitespaceSplit()
    made.save(str(tmp_path / "x.json"))
    encoder = fit(["a x a", "a"], tokenizer="x.json", folder=tmp_path)
    (tmp_path / "x.json").unlink()
    again = encoder_from_state(json.loads(json.dumps(encoder.state())))
    assert again.decode(again.encode(pa.array(["x a"]))) == [["?", "a"]]


def test_a_tokenizer_and_a_kind_of_token_contradict_each_other():
    with pytest.raises(ValueError, match="`tokens` has no effect"):
        TextOptions(tokenizer="x.json", tokens="character")
