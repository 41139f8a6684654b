"""Records to predict: any form, any order, and the same treatment as in training."""

import io
import json

import pytest

from dlcli.config.data import TableOptions
from dlcli.data.sources.dialect import Dialect, dialect_of
from dlcli.data.sources.records import read_records
from dlcli.data.sources.source import origin
from dlcli.errors import DataError

CSV = "extra,b,a\n9, x ,1\n8,?,2\n"
ROWS = [{"a": 1, "b": " x ", "extra": 9}, {"b": "?", "a": 2}]
DIALECT = dialect_of(TableOptions(path="p", target="y", na_values=["?"], replace={"b": {"x": "X"}}))


def forms(folder):
    (folder / "a.csv").write_text(CSV)
    lines = "\n".join(map(json.dumps, ROWS))
    (folder / "a.jsonl").write_text(lines)
    return {
        "csv file": folder / "a.csv",
        "jsonl file": folder / "a.jsonl",
        "csv stream": io.BytesIO(CSV.encode()),
        "jsonl stream": io.BytesIO(lines.encode()),
        "json stream": io.BytesIO(json.dumps(ROWS).encode()),
        "records": ROWS,
    }


FORMS = ["csv file", "jsonl file", "csv stream", "jsonl stream", "json stream", "records"]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_cells(tmp_path, form):
    given = forms(tmp_path)[form]
    batches = list(read_records(given, DIALECT, needed=["a", "b"], optional=["y"]))
    assert batches[0].schema.names == ["a", "b"]
    cells = [
        (str(a), b) for batch in batches for a, b in zip(*batch.to_pydict().values(), strict=True)
    ]
    assert cells == [("1", "X"), ("2", None)]


def test_missing_columns_are_all_named():
    with pytest.raises(DataError, match="the record has no column `age`, `city`") as caught:
        list(read_records([{"Age": 3}], DIALECT, needed=["age", "city"]))
    assert caught.value.faults[0].suggestion == "did you mean `Age`?"
    assert caught.value.faults[0].note == "found: Age"


def test_the_target_is_taken_where_it_is_there():
    (batch,) = read_records([{"a": 1, "y": 2}], Dialect(), needed=["a"], optional=["y"])
    assert batch.to_pydict() == {"a": [1], "y": [2]}


@pytest.mark.parametrize("text", ["1,2,p\n", "1,2\n"])
def test_files_without_a_header_may_lack_the_target(tmp_path, text):
    dialect = Dialect(header=False, columns=("a", "b", "y"))
    (tmp_path / "a.csv").write_text(text)
    (batch,) = read_records(tmp_path / "a.csv", dialect, needed=["b", "a"], optional=["y"])
    assert (batch.to_pydict()["b"], batch.to_pydict()["a"]) == (["2"], ["1"])


def test_rows_are_numbered_through_the_file(tmp_path):
    rows = 300_000
    (tmp_path / "a.csv").write_text("a\n" + "\n".join(map(str, range(rows))))
    batches = list(read_records(tmp_path / "a.csv", Dialect(), needed=["a"]))
    assert len(batches) > 1
    assert all(batch.column("a")[0].as_py() == str(origin(batch)[1]) for batch in batches)
    assert sum(batch.num_rows for batch in batches) == rows
