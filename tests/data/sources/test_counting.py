"""Our own record count against Python's csv module."""

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcli.data.sources.counting import count_records

texts = st.text('ab,"\n', max_size=60)


def blocks_of(text: str, size: int):
    """Cut after a line end once a block has `size` bytes, as the file reader does."""
    block = b""
    for line in text.encode().splitlines(keepends=True):
        block += line
        if len(block) >= size:
            yield block
            block = b""
    if block:
        yield block


def reference(text: str, quoted: bool) -> int:
    if not quoted:
        return sum(line != "" for line in text.split("\n"))
    return sum(row != [] for row in csv.reader(io.StringIO(text, newline="")))


@settings(max_examples=400)
@given(texts, st.integers(1, 20), st.booleans())
def test_count_is_that_of_the_csv_module(text, size, quoted):
    count = count_records(blocks_of(text, size), ",", quoted=quoted)
    assert count.records == reference(text, quoted)


@given(st.lists(st.lists(st.text('ab,"\n', max_size=5), min_size=2, max_size=2), max_size=20))
def test_what_the_csv_module_writes_is_counted(rows):
    stream = io.StringIO(newline="")
    csv.writer(stream, lineterminator="\n").writerows(rows)
    count = count_records(blocks_of(stream.getvalue(), 7), ",", quoted=True)
    assert count.records == len(rows)
    assert count.joined_lines == sum(cell.count("\n") for row in rows for cell in row)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_any_line_end_counts(end):
    text = end.join(["a,b", "1,2", "", "3,4"])
    assert count_records([text.encode()], ",", quoted=True).records == 3


def test_a_line_that_goes_on_is_named():
    text = b'a,b\n1,2\n3,"x\ny"\n'
    count = count_records([text], ",", quoted=True)
    assert (count.records, count.joined_lines, count.first_joined) == (3, 1, 3)
    assert count_records([text], ",", quoted=False).records == 4
