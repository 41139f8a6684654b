"""Text files as one running text, and what is wrong with them."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcli.config.data import TextFileOptions
from dlcli.data.encoders.stream import cut
from dlcli.data.sources import text_file
from dlcli.data.sources.text_file import TEXT, TextSource, open_text_file
from dlcli.errors import ConfigError, DataError


def stretches(source):
    return [cell.as_py() for batch in source.chunks() for cell in batch.column(TEXT)]


def read(folder, path="a.txt", **options):
    return "".join(stretches(open_text_file(TextFileOptions(path=path, **options), folder).train))


@pytest.mark.parametrize(
    ("raw", "encoding", "expected"),
    [
        (b"one\r\ntwo\rthree", "utf-8", "one\ntwo\nthree\n"),
        ("\ufeffé\n".encode(), "utf-8", "é\n"),
        (b"caf\xe9\n", "latin-1", "café\n"),
        ("déjà vu\n".encode("utf-16"), "utf-16", "déjà vu\n"),
        (b"\n\n", "UTF8", "\n\n"),
    ],
)
def test_line_ends_marks_and_encodings(tmp_path, raw, encoding, expected):
    (tmp_path / "a.txt").write_bytes(raw)
    assert read(tmp_path, encoding=encoding) == expected


def test_files_follow_each_other_in_order_each_ending_its_line(tmp_path):
    (tmp_path / "b.txt").write_text("second")
    (tmp_path / "a.txt").write_text("first\n")
    (tmp_path / "c.txt.gz").write_bytes(gzip.compress(b"third"))
    assert read(tmp_path, "*.txt*") == "first\nsecond\nthird\n"
    assert read(tmp_path, ["c.txt.gz", "a.txt"]) == "third\nfirst\n"


@given(
    text=st.text(alphabet=st.sampled_from("ab' \n\r.é"), min_size=1),
    size=st.integers(1, 7),
)
def test_blocks_of_any_size_give_the_same_tokens(tmp_path_factory, text, size):
    file = tmp_path_factory.getbasetemp() / "blocks.txt"
    file.write_bytes(text.encode())
    source = TextSource([file], "utf-8")
    whole = "".join(stretches(source))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_file, "BLOCK_BYTES", size)
        found = stretches(source)
    assert "".join(found) == whole
    if all(
        len(word.encode()) < size for word in whole.split()
    ):  # longer ones do not fit in a block
        words = [word for stretch in found for word in cut(stretch, "word")]
        assert words == cut(whole, "word")


@pytest.mark.parametrize(
    ("name", "raw", "options", "message"),
    [
        ("a.txt", b"", {}, "a.txt is empty"),
        ("a.txt", b"abc\xe9 d", {}, "a.txt, byte 3: 0xe9 is not utf-8 text"),
        ("a.txt", b"\xef\xbb\xbfab\xff", {}, "a.txt, byte 5: 0xff is not utf-8 text"),
        ("a.txt", b"ab\xc3", {}, "a.txt, byte 2: 0xc3 is not utf-8 text"),
        ("a.txt", "ab".encode("utf-16"), {}, "a.txt is not utf-8 text; it begins like UTF-16"),
        ("b.txt", b"abc", {}, "no file a.txt in"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_line(tmp_path, name, raw, options, message):
    (tmp_path / name).write_bytes(raw)
    with pytest.raises(DataError) as caught:
        read(tmp_path, **options)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_a_byte_far_into_a_file_is_named_by_its_place(tmp_path, monkeypatch):
    monkeypatch.setattr(text_file, "BLOCK_BYTES", 16)
    (tmp_path / "a.txt").write_bytes("é".encode() * 1000 + b"\xff")
    with pytest.raises(DataError, match="byte 2,000: 0xff"):
        read(tmp_path)


@pytest.mark.parametrize("encoding", ["utf-9", "hex", "undefined"])
def test_an_encoding_that_there_is_not_is_a_fault_of_the_config(tmp_path, encoding):
    (tmp_path / "a.txt").write_bytes(b"abc")
    with pytest.raises(ConfigError, match=f"no encoding `{encoding}`"):
        read(tmp_path, encoding=encoding)
