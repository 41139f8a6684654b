"""What training has not seen is read as training read its own."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from dlcli.config.data import ImageFolderOptions, SequencesOptions
from dlcli.data.spec import Field
from dlcli.data.unseen import beside, names_of

OPTIONS = ImageFolderOptions(path="pictures")


def test_paths_in_a_table_are_seen_from_its_folder(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    batch = pa.record_batch({"x": ["a.png", "none.png"], "n": [1, 2]})
    image = [Field("x", "image", (1, 2, 2))]
    found = beside(batch, image, tmp_path / "table.csv")
    assert found.to_pydict() == {"x": [str(tmp_path / "a.png"), "none.png"], "n": [1, 2]}
    assert names_of(batch, OPTIONS, image) == {"file": ["a.png", "none.png"]}
    assert names_of(batch, OPTIONS, [Field("n", "number", (1,))]) == {}
    assert names_of(pa.record_batch({"x": ["[[0, 1], [2, 3]]"]}), OPTIONS, image) == {}


def test_a_sequence_is_named_by_its_id() -> None:
    options = SequencesOptions(path="long.csv", target="y", id="patient")
    batch = pa.record_batch({"steps": [[[1.0]], [[2.0]]], "patient": ["a", "b"]})
    assert names_of(batch, options, [Field("steps", "steps", (1, 2))]) == {"patient": ["a", "b"]}
    assert names_of(batch.select(["steps"]), options, []) == {}
