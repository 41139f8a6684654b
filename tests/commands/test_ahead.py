"""Items made ahead are the same items, in order, whatever happens to their maker or user."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from dlcli.commands.ahead import ahead


@pytest.mark.parametrize("count", [0, 1, 2, 100])
def test_the_items_are_the_same_in_order(count: int) -> None:
    assert list(ahead(iter(range(count)))) == list(range(count))


def test_an_item_is_made_while_the_one_before_is_used() -> None:
    is_asked = threading.Event()

    def make() -> Iterator[int]:
        yield 1
        is_asked.set()
        yield 2

    items = ahead(make())
    assert next(items) == 1
    assert is_asked.wait(10)  # though nobody here has asked for the next one
    assert list(items) == [2]


def test_an_error_comes_after_the_items_before_it() -> None:
    def make() -> Iterator[int]:
        yield from (1, 2)
        raise KeyError("three")

    found = []
    with pytest.raises(KeyError, match="three"):
        found += ahead(make())
    items = ahead(make())
    assert [next(items), next(items)] == [1, 2]
    with pytest.raises(KeyError, match="three"):
        next(items)


def test_no_more_than_one_item_waits() -> None:
    made = []

    def make() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            yield number

    for number in ahead(make()):
        assert len(made) <= number + 2
        if number == 10:
            break
    assert len(made) <= 12


def test_whoever_leaves_early_leaves_no_thread_and_closes_the_maker() -> None:
    before, is_closed = threading.active_count(), threading.Event()

    def make() -> Iterator[int]:
        try:
            yield from range(100)
        finally:
            is_closed.set()

    items = ahead(ahead(make()))
    assert next(items) == 0
    assert threading.active_count() > before
    del items
    assert is_closed.is_set()
    assert threading.active_count() == before
