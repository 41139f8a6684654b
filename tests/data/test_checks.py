"""Texts that can be trained on and may not be what they should: each finding is one line."""

import pytest
import torch

from dlcli.config.data import TableOptions
from dlcli.data.checks import row_hashes
from dlcli.data.examples import ResidentExamples
from dlcli.data.prepare import prepare
from dlcli.data.sources.table import open_table

SPLIT = {"val": 0, "test": 0.2}


def prepared(folder, rows, **options):
    lines = "".join(f'{name},"{text}"\n' for name, text in rows)
    (folder / "a.csv").write_text(f"y,text\n{lines}")
    chosen = TableOptions.model_validate(
        {"path": "a.csv", "target": "y", "types": {"text": "text"}, "split": SPLIT, **options}
    )
    return prepare(open_table(chosen, folder), chosen, task=None)


def rows(count=50):
    return [("pn"[i % 2], f"good or bad {i}") for i in range(count)]


def test_empty_and_long_training_rows_are_a_line_each(tmp_path):
    odd = [("p", ""), ("n", ""), ("p", "long " * 500)]
    found = prepared(tmp_path, [*rows(), *odd], split={"val": 0, "test": 0})
    assert found.warnings == (
        "`text` is empty in 2 training rows",
        "`text` is longer than 256 tokens in 1 training row, 500 at most: the first 256 are kept "
        "(`text: {max_length: ...}` keeps more)",
    )
    assert found.examples["train"].inputs["text"].shape == (53, 256)


def test_a_vocabulary_of_nothing_is_told(tmp_path):
    found = prepared(tmp_path, rows(), text={"min_count": 500}, split={"val": 0, "test": 0})
    (warning,) = found.warnings
    assert warning == (
        "every token of `text` is unknown, since none is frequent enough: lower "
        "`text: {min_count: ...}`"
    )


@pytest.mark.parametrize(("min_count", "dtype"), [(1, torch.int16), (200, torch.uint8)])
def test_texts_that_are_the_same_to_the_model_are_duplicates(tmp_path, min_count, dtype):
    """Of 60 texts each stands twice; with codes of one or of two bytes."""
    names = [f"w{chr(97 + i % 26)}{chr(97 + i // 26)}{'x' * (i // 2 % 3)}" for i in range(600)]
    texts = [("pn"[i // 10 % 2], " ".join(names[i : i + 10])) for i in range(0, 600, 10)]
    found = prepared(tmp_path, [*texts, *texts], text={"min_count": min_count})
    trained = {tuple(row) for row in found.examples["train"].inputs["text"].tolist()}
    tested = found.examples["test"].inputs["text"].tolist()
    assert found.examples["test"].inputs["text"].dtype == dtype
    count = sum(tuple(row) in trained for row in tested)
    assert any(f"duplicates: {count} of {len(tested)} test rows" in one for one in found.warnings)


def test_nothing_of_test_rows_reaches_the_vocabulary(tmp_path):
    one = prepared(tmp_path, rows())
    test_rows = set(one.rows["test"].tolist())
    changed = [(y, "1e9 " * 300 if i in test_rows else t) for i, (y, t) in enumerate(rows())]
    assert prepared(tmp_path, changed).preprocessor.state() == one.preprocessor.state()


def test_several_texts_are_a_field_each(tmp_path):
    (tmp_path / "a.csv").write_text("y,a,b\n" + "".join(f"{i % 2},q {i},r s\n" for i in range(30)))
    options = TableOptions(path="a.csv", target="y", types={"a": "text", "b": "text"})
    found = prepare(open_table(options, tmp_path), options, task=None)
    shapes = {
        name: tuple(block.shape[1:]) for name, block in found.examples["train"].inputs.items()
    }
    assert shapes == {"a": (2,), "b": (2,)}


def test_wide_rows_are_the_same_where_every_pixel_is() -> None:
    pixels = torch.randint(0, 256, (5, 3, 60, 60), dtype=torch.uint8)
    pixels[3] = pixels[1]
    hashes = row_hashes(ResidentExamples({"image": pixels}, torch.zeros(5, dtype=torch.int64)))
    assert hashes[3] == hashes[1]
    assert len(set(hashes.tolist())) == 4
