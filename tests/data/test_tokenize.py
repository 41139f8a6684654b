"""Texts cut into words, characters, or as a `tokenizers` file says."""

import sys
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcli.data.tokenize import cutter, read_tokenizer
from dlcli.errors import DataError, ExtraError

PATH = ("data", "text", "tokenizer")


def cut(text, kind="word", **options):
    (tokens,) = cutter(kind, **{"lowercase": True, **options})(pa.array([text]))
    return list(tokens)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Free entry!", ["free", "entry", "!"]),
        ("don't won\u2019t 'quoted'", ["don't", "won\u2019t", "'", "quoted", "'"]),
        ("call 08712 now, win £1,000", ["call", "08712", "now", ",", "win", "£", "1", ",", "000"]),
        ("2nd u2 snake_case", ["2", "nd", "u", "2", "snake", "_", "case"]),
        ("ÉCOLE Straße", ["école", "straße"]),
        ("e\u0301cole", ["école"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("Привет, мир", ["привет", ",", "мир"]),
        ("٣٤ x", ["٣٤", "x"]),
        ("ok\u2764\ufe0f\U0001f600", ["ok", "\u2764\ufe0f", "\U0001f600"]),
        ("a\u00a0b\tc\nd", ["a", "b", "c", "d"]),
        ("  ", []),
    ],
)
def test_words_numbers_and_single_signs(text, tokens):
    assert cut(text) == tokens


@given(st.text())
def test_no_sign_but_white_space_is_lost(text):
    composed = cut(text, "character", lowercase=False)
    assert "".join(cut(text, lowercase=False)) == "".join("".join(composed).split())


@given(st.lists(st.text(), max_size=5), st.sampled_from(["word", "character"]))
def test_a_text_is_cut_alone_as_among_others(texts, kind):
    found = cutter(kind, lowercase=True)(pa.array(texts, pa.string()))
    assert [list(tokens) for tokens in found] == [cut(text, kind) for text in texts]


def test_characters_are_all_of_them():
    assert cut("Ab 1", "character") == ["a", "b", " ", "1"]
    assert cut("Ab", "character", lowercase=False) == ["A", "b"]


@pytest.mark.parametrize("text", ["a" * 200_000, "a'" * 100_000, "e\u0301" * 100_000])
@pytest.mark.timeout(10)
def test_long_runs_take_time_in_proportion(text):
    assert len(cut(text)) in (1, 2)


@pytest.fixture
def tokenizer_file(tmp_path: Path) -> Path:
    """A file with everything that dlcli does not want: special tokens, truncation, padding."""
    library = pytest.importorskip("tokenizers")
    made = library.Tokenizer(
        library.models.WordLevel({"[UNK]": 0, "[CLS]": 1, "free": 2, "entry": 3}, unk_token="[UNK]")
    )
    made.pre_tokenizer = library.pre_tokenizers.Whitespace()
    made.normalizer = library.normalizers.Lowercase()
    made.post_processor = library.processors.TemplateProcessing(
        single="[CLS] $A", special_tokens=[("[CLS]", 1)]
    )
    made.enable_truncation(2)
    made.enable_padding(length=9)
    made.save(str(tmp_path / "tokenizer.json"))
    return tmp_path / "tokenizer.json"


def test_a_tokenizers_file_makes_the_tokens_alone(tokenizer_file):
    content = read_tokenizer("tokenizer.json", tokenizer_file.parent, PATH)
    tokenizer_file.unlink()
    assert cut("FREE entry now free", tokenizer=content) == ["free", "entry", "[UNK]", "free"]
    assert cut("", tokenizer=content) == []


@pytest.mark.parametrize("content", [b"{}", b"text", b"\xff\xfe", b""])
def test_a_file_that_is_no_tokenizer_is_named(tmp_path, content):
    pytest.importorskip("tokenizers")
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(DataError, match=r"^x\.json is no `tokenizers` file: ") as caught:
        read_tokenizer("x.json", tmp_path, PATH)
    assert caught.value.faults[0].path == PATH


def test_a_missing_file_is_named_with_the_nearest(tokenizer_file):
    with pytest.raises(DataError, match=r"no file tokeniser\.json") as caught:
        read_tokenizer("tokeniser.json", tokenizer_file.parent, PATH)
    assert caught.value.faults[0].suggestion == "did you mean `tokenizer.json`?"


def test_without_the_package_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(ExtraError, match=r"`text\.tokenizer` needs the package `tokenizers`") as e:
        read_tokenizer("x.json", tmp_path, PATH)
    assert e.value.faults[0].suggestion == (
        "pip install 'dlcli[tokenizers]'; in a clone: pip install -e '.[tokenizers]'"
    )
