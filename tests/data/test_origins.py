"""Which files changed is told by name."""

from __future__ import annotations

import pytest

from dlcli.data.origins import condensed, differences

FILES = {"a.csv": "1", "b.csv": "2", "c.csv": "3"}


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (FILES, ""),
        (FILES | {"b.csv": "9"}, "`b.csv` differs"),
        (FILES | {"a.csv": "9", "b.csv": "9"}, "`a.csv` and `b.csv` differ"),
        ({"a.csv": "1", "b.csv": "2"}, "`c.csv` is gone"),
        (FILES | {"/x/d.csv": "4"}, "`/x/d.csv` is new"),
        ({"d.csv": "1"}, "`a.csv`, `b.csv` and `c.csv` are gone; `d.csv` is new"),
    ],
)
def test_what_differs_is_named(after: dict[str, str], words: str) -> None:
    assert differences(FILES, after) == words


def test_of_many_only_some_are_named() -> None:
    files = {f"{number}.png": "1" for number in range(9)}
    changed = dict.fromkeys(files, "2")
    assert differences(files, changed) == "`0.png`, `1.png`, `2.png` and 6 more differ"


def test_of_very_many_the_folder_is_named() -> None:
    files = {f"set/{kind}/{number}.png": "1" for kind in "ab" for number in range(9)}
    kept = condensed(files, most=10)
    assert kept.keys() == {"set/a/", "set/b/"}
    assert differences(kept, files) == ""
    assert differences(kept, files | {"set/b/4.png": "2"}) == "`set/b/` differs"
    assert differences(kept, {n: h for n, h in files.items() if n != "set/a/4.png"}) == (
        "`set/a/` differs"
    )
    assert condensed(files, most=1).keys() == {"set/"}
    assert condensed({"/a/b": "1", "c": "2"}, most=1).keys() == {"./"}
