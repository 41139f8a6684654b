"""Makes the next item in a thread while the one before is used; knows nothing of what they are."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")


def ahead(items: Iterator[Item]) -> Iterator[Item]:
    """Yield the same items in the same order, each made while its user is busy with the last one.

    What making one raises is raised here, in its place. The first one is made by the caller's own
    thread, which a signal can interrupt: of standard input it takes as long as a person does.
    Whoever leaves early waits for the item that is being made, and for nothing more.

    Args:
        items: None of them is None.
    """
    item = next(items, None)
    with ThreadPoolExecutor(1) as worker:
        while item is not None:
            coming = worker.submit(next, items, None)
            yield item
            item = coming.result()
