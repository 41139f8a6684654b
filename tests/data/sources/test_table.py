"""Tables from files: formats, dialects, inference, and every fault with its message."""

import datetime
import decimal
import gzip
import json
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlcli.config.data import TableOptions
from dlcli.data.sources.delimited import open_delimited
from dlcli.data.sources.dialect import Dialect
from dlcli.data.sources.reader import open_reader
from dlcli.data.sources.table import open_table
from dlcli.errors import ConfigError, DataError, DlcliError


def write(folder, text, name="a.csv", encoding="utf-8"):
    (folder / name).write_text(text, encoding=encoding, newline="")
    return folder


def read(folder, path="a.csv", target="y", **options):
    """Open a table; return its sources and its training rows as a dict of lists."""
    sources = open_table(TableOptions(path=path, target=target, **options), folder)
    columns = {name: [] for name in sources.train.kinds}
    for batch in sources.train.chunks():
        for name, values in batch.to_pydict().items():
            columns[name] += values
    return sources, columns


def fault(folder, error=DataError, **options) -> str:
    with pytest.raises(error) as caught:
        read(folder, **options)
    return "\n".join(
        f"{'.'.join(map(str, one.path))}|{one.message}|{one.suggestion}|{one.note}"
        for one in caught.value.faults
    )


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1", "2.5", "-3e4"], "numeric"),
        (["1", "", "NA"], "numeric"),
        (["1", "2", "x"], "categorical"),
        (["01", "02", "13"], "categorical"),
        (["0", "0.5", "10"], "numeric"),
        (["true", "False", "TRUE"], "boolean"),
        (["2020-01-31", "2020-02-01 10:00", "soon"], "categorical"),
        (["2020-01-31", "2020-02-01 10:00", "NA"], "date"),
        (["1,234", "5", "6"], "categorical"),
        (["red", "blue", "red"], "categorical"),
    ],
)
def test_kinds_are_told_from_every_cell(tmp_path, cells, kind):
    rows = "\n".join(f'"{cell}",{index % 2}' for index, cell in enumerate(cells))
    sources, _ = read(write(tmp_path, f"c,y\n{rows}\n"))
    assert sources.train.kinds["c"] == kind


def test_the_last_row_may_change_the_kind(tmp_path):
    rows = "\n".join(f"{index},{index % 2}" for index in range(200_000))
    sources, columns = read(write(tmp_path, f"c,y\n{rows}\nlast,1\n"))
    assert sources.train.kinds["c"] == "categorical"
    assert (columns["c"][0], columns["c"][-1]) == ("0", "last")


def test_cells_are_stripped_then_missing_then_replaced(tmp_path):
    write(tmp_path, "c, y\n a , 1\n ? , 2\n b , 1\n")
    options = {"na_values": ["?"], "replace": {"c": {"a": "A"}, "y": {1: "one"}}}
    _, columns = read(tmp_path, **options)
    assert columns == {"c": ["A", None, "b"], "y": ["one", "2", "one"]}
    assert read(tmp_path, target=" y", strip=False, na_values=["?"])[1]["c"] == [
        " a ",
        " ? ",
        " b ",
    ]


def test_a_number_may_mean_missing(tmp_path):
    _, columns = read(write(tmp_path, "c,y\n-999,1\n3,2\n"), na_values=[-999])
    assert columns["c"] == [None, 3.0]


def table(*columns):
    """Return a CSV of 30 rows: a row id, free text, few numbers or classes, by their names."""
    cells = {
        "id": lambda i: i,
        "text": lambda i: f"message number {i * 7} of many",
        "note": lambda i: f"remark number {i * 9} of many",
        "few": lambda i: i % 5,
        "twice": lambda i: f"message number {i % 18} of many",
        "y": lambda i: i % 2,
    }
    rows = [",".join(str(cells[name](i)) for name in columns) for i in range(30)]
    return "\n".join([",".join(columns), *rows]) + "\n"


def test_free_text_beside_other_inputs_is_left_out_with_a_pointer(tmp_path):
    sources, _ = read(write(tmp_path, table("text", "note", "few", "y")))
    assert sources.inputs == ("few",)
    assert sources.warnings == (
        "left out, free text: text, note (`types: {text: text}` makes it an input; "
        "`drop: [text, note]` says that it is meant)",
    )


@pytest.mark.parametrize("kind", ["text", "categorical"])
def test_free_text_is_an_input_where_types_say_so(tmp_path, kind):
    sources, _ = read(write(tmp_path, table("text", "few", "y")), types={"text": kind})
    assert sources.train.kinds == {"text": kind, "few": "numeric", "y": "numeric"}
    assert sources.warnings == ()


@pytest.mark.parametrize("columns", [("text", "y"), ("text", "note", "y")])
def test_free_text_alone_is_an_input_by_itself(tmp_path, columns):
    texts = columns[:-1]
    sources, _ = read(write(tmp_path, table(*columns)))
    assert sources.inputs == texts
    assert {sources.train.kinds[name] for name in texts} == {"text"}
    said = ", ".join(f"{name}: text" for name in texts)
    assert sources.warnings == (
        f"free text, taken as such (`types: {{{said}}}` says that it is meant)",
    )
    assert read(tmp_path, types=dict.fromkeys(texts, "text"))[0].warnings == ()


def test_free_text_beside_row_ids_alone_is_an_input(tmp_path):
    sources, _ = read(write(tmp_path, table("id", "text", "y")))
    assert sources.inputs == ("id", "text")
    assert "free text, taken as such" in sources.warnings[0]
    assert "row ids" in sources.warnings[1]


def test_text_is_never_a_target_or_what_splits(tmp_path):
    write(tmp_path, table("few", "text", "note", "twice", "y"))
    split = {"group": "note"}
    sources, _ = read(tmp_path, target="text", types={"text": "text"}, split=split, drop=["twice"])
    assert sources.train.kinds["text"] == sources.train.kinds["note"] == "categorical"


def test_columns_without_a_value_are_left_out(tmp_path):
    sources, _ = read(write(tmp_path, "a,b,y\n1,,1\n2,NA,2\n"))
    assert sources.inputs == ("a",)
    assert sources.warnings == ("left out, every cell missing: b",)


@pytest.mark.parametrize(
    ("name", "text", "options"),
    [
        ("a.tsv", "a\ty\n1\tp\n2\tq", {}),
        ("a.csv", "a;y\n1;p\n2;q\n", {"separator": ";"}),
        ("a.csv", "1,p\n2,q\n", {"header": False, "columns": ["a", "y"]}),
        ("a.csv", "\ufeffa,y\r\n1,p\r\n\r\n2,q\r\n", {}),
        ("a.csv", '\n\n"a","y"\n"1","p"\n"2","q"\n', {}),
        ("a.jsonl", '{"a": 1, "y": "p"}\n{"y": "q", "a": 2}\n', {}),
        ("a.json", '[{"a": 1, "y": "p"}, {"y": "q", "a": 2}]', {}),
    ],
)
def test_dialects_give_the_same_table(tmp_path, name, text, options):
    sources, columns = read(write(tmp_path, text, name), path=name, **options)
    assert columns == {"a": [1, 2], "y": ["p", "q"]}
    assert sources.train.kinds == {"a": "numeric", "y": "categorical"}


def test_packed_files_are_unpacked(tmp_path):
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"a,y\n1,p\n2,q\n"))
    assert read(tmp_path, path="a.csv.gz")[1] == {"a": [1, 2], "y": ["p", "q"]}


def test_other_encodings(tmp_path):
    write(tmp_path, "a,y\ncafé,p\nthé,q\n", encoding="latin-1")
    assert read(tmp_path, encoding="latin-1")[1]["a"] == ["café", "thé"]
    assert "a.csv, line 2, is not utf-8 text|set `encoding`" in fault(tmp_path)
    assert "no encoding `latn`" in fault(tmp_path, ConfigError, encoding="latn")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize(("before", "line"), [("", 1), ("\n\n", 3)])
def test_a_heading_in_another_encoding_is_refused_as_a_cell_is(tmp_path, encoding, before, line):
    write(tmp_path, before + "café,y\n1,p\n2,q\n", encoding="latin-1")
    said = f"a.csv, line {line}, is not {encoding} text|set `encoding`"
    assert said in fault(tmp_path, encoding=encoding)
    assert read(tmp_path, encoding="latin-1")[1]["café"] == [1, 2]


def test_a_heading_may_hold_the_sign_of_an_unknown_character(tmp_path):
    write(tmp_path, "caf\N{REPLACEMENT CHARACTER},y\n1,p\n2,q\n")
    assert read(tmp_path)[1]["caf\N{REPLACEMENT CHARACTER}"] == [1, 2]


def test_parquet_types(tmp_path):
    table = pa.table(
        {
            "i": pa.array([1, None], pa.int16()),
            "d": pa.array([decimal.Decimal("1.5"), decimal.Decimal("2.5")]),
            "b": [True, False],
            "t": [datetime.datetime(2020, 1, 1), None],
            "c": pa.array(["a", "b"]).dictionary_encode(),
            "f": pa.array([float("nan"), 2.0], pa.float32()),
            "y": [0.5, 1.5],
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    sources, columns = read(tmp_path, path="a.parquet")
    kinds = ["numeric", "numeric", "boolean", "date", "categorical", "numeric", "numeric"]
    assert list(sources.train.kinds.values()) == kinds
    assert columns["d"] == [1.5, 2.5]
    assert columns["c"] == ["a", "b"]
    assert columns["f"] == [None, 2.0]


def test_json_columns_may_mix_types(tmp_path):
    lines = [
        {"a": 1, "b": "2020-01-01", "y": 1},
        {"a": "x", "b": "no date", "y": 2},
        {"a": None, "y": 3},
    ]
    write(tmp_path, "\n".join(map(json.dumps, lines)), "a.jsonl")
    _, columns = read(tmp_path, path="a.jsonl")
    assert columns == {
        "a": ["1", "x", None],
        "b": ["2020-01-01", "no date", None],
        "y": [1, 2, 3],
    }


def test_several_files_are_one_table_by_column_names(tmp_path):
    write(tmp_path, "a,y\n1,p\n", "part-1.csv")
    write(tmp_path, "y,a\nq,2\n", "part-2.csv")
    assert read(tmp_path, path="part-*.csv")[1] == {"a": [1, 2], "y": ["p", "q"]}
    assert read(tmp_path, path=["part-2.csv", "part-1.csv"])[1]["a"] == [2, 1]
    write(tmp_path, "y,b\nq,2\n", "part-3.csv")
    assert "part-3.csv lacks `a`, which part-1.csv has" in fault(tmp_path, path="part-*.csv")


def test_test_file_must_have_the_columns(tmp_path):
    write(tmp_path, "a,b,y\n1,2,p\n")
    write(tmp_path, "a,y\n1,p\n", "t.csv")
    assert "data.test_path|t.csv lacks `b`, which a.csv has" in fault(
        tmp_path.parent / tmp_path.name, test_path="t.csv"
    )


def test_all_unknown_columns_are_told_together(tmp_path):
    write(tmp_path, "age,city,income\n1,x,2\n")
    found = fault(
        tmp_path,
        ConfigError,
        target="incom",
        drop=["cty"],
        types={"ag": "numeric"},
        replace={"z": {"a": "b"}},
        split={"group": "who"},
    )
    assert "data.target|a.csv has no column `incom`|did you mean `income`?" in found
    assert "data.drop.0|a.csv has no column `cty`|did you mean `city`?" in found
    assert "data.types.ag|a.csv has no column `ag`|did you mean `age`?" in found
    assert "data.replace.z|a.csv has no column `z`" in found
    assert "data.split.group|a.csv has no column `who`" in found
    assert "its columns: age, city, income" in found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a.csv is empty"),
        ("\n\n", "a.csv is empty"),
        ("a,y\n", "a.csv has a header and no rows"),
        ("a,a,y\n1,2,3\n", "more than one column named `a`"),
        ("a,y\n1,2\n1,2,3\n", "a.csv, line 3: 3 fields where 2 were expected (a, y)"),
        ("a,y\n1,2\n\n1\n", "a.csv, line 4: 1 field where 2 were expected"),
        ("a,y\n1,\n2,NA\n", "every cell of the target `y` is missing"),
        ("y\n1\n2\n", "no column is left to predict from"),
        ("a,y\n,1\n,2\n", "|left out, every cell missing: a"),
    ],
)
def test_faulty_files_are_told_in_one_line(tmp_path, text, message):
    assert message in fault(write(tmp_path, text))


@pytest.mark.parametrize(
    ("line", "message"),
    [("{bad", "line 2: not JSON"), ("[1]", "line 2: found a list where an object")],
)
def test_faulty_json_lines_are_named(tmp_path, line, message):
    write(tmp_path, f'{{"a": 1, "y": 2}}\n{line}\n', "a.jsonl")
    assert message in fault(tmp_path, path="a.jsonl")


def test_missing_files_are_named_with_the_nearest(tmp_path):
    write(tmp_path, "a,y\n1,2\n", "train.csv")
    assert "data.path|no file trian.csv" in fault(tmp_path, path="trian.csv")
    assert "did you mean `train.csv`?" in fault(tmp_path, path="trian.csv")
    assert "no file matches x*.csv" in fault(tmp_path, path="x*.csv")
    assert "is a folder" in fault(tmp_path.parent, path=tmp_path.name)
    (tmp_path / "a.parquet").write_bytes(b"PAR1 nothing")
    assert "is not a Parquet file" in fault(tmp_path, path="a.parquet")


def test_text_that_repeats_is_offered_as_categories(tmp_path):
    sources, _ = read(write(tmp_path, table("twice", "few", "y")))
    assert sources.warnings == (
        "left out, free text: twice (`types: {twice: text}` makes it an input; "
        "`types: {twice: categorical}` takes each text for a category; "
        "`drop: [twice]` says that it is meant)",
    )


def test_a_wrong_separator_is_suspected(tmp_path):
    found = fault(write(tmp_path, "a;y\n1;2\n"), ConfigError)
    assert "its only column is `a;y`: is `separator` right?" in found


def test_lines_joined_by_quotes_are_told(tmp_path):
    write(tmp_path, 'a,y\n"1\n2",p\n3,q\n')
    sources, columns = read(tmp_path)
    assert columns["a"] == ["1\n2", "3"]
    assert "1 line end stands inside quotes, the first in line 2" in sources.warnings[0]
    assert "`quoting: none`" in sources.warnings[0]


def test_records_longer_than_a_block_are_read(tmp_path):
    long = "x" * (3 << 20)
    write(tmp_path, f"a,y\n{long},p\nb,q\n")
    assert read(tmp_path, types={"a": "categorical"})[1]["a"] == [long, "b"]


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text('ab"\n', min_size=1, max_size=30))
def test_parsed_rows_are_the_rows_counted(tmp_path, text):
    (tmp_path / "q.csv").write_text(text, newline="")
    dialect = Dialect(header=False, columns=("c",))
    try:
        reader = open_delimited(tmp_path / "q.csv", dialect)
    except DlcliError:
        assert not text.strip("\n")
        return
    assert sum(batch.num_rows for batch in reader.batches(["c"])) == reader.records


def test_fingerprint_follows_the_bytes(tmp_path):
    one = read(write(tmp_path, "a,y\n1,2\n"))[0].fingerprint
    assert read(write(tmp_path, "a,y\n1,2\n"))[0].fingerprint == one
    assert read(write(tmp_path, "a,y\n1,3\n"))[0].fingerprint != one


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"header": False}, "needs the names of the `columns`"),
        ({"columns": ["a"]}, "add `header: false`"),
        ({"header": False, "columns": ["a", "a"]}, "names a more than once"),
        ({"test_path": "t.csv", "split": {"folds": 3}}, "`test_path` cannot be given"),
    ],
)
def test_contradictions_are_told_by_the_options(options, message):
    with pytest.raises(ValueError, match=message):
        TableOptions.model_validate({"path": "a.csv", "target": "y", **options})


@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "a.jsonl"])
@pytest.mark.timeout(10)
def test_a_pipe_is_not_waited_for(tmp_path, name):
    os.mkfifo(tmp_path / name)
    found = fault(tmp_path, path=name)
    assert f"data.path|{name} is a pipe, not a file|" in found
    assert "did you mean" not in found
    with pytest.raises(DataError, match="is a pipe, not a file"):
        open_reader(tmp_path / name, Dialect())


def test_no_file_is_suggested_that_has_the_same_name(tmp_path):
    (tmp_path / "a.csv").symlink_to("nowhere")
    assert "did you mean" not in fault(tmp_path)


def test_names_that_no_file_can_have_are_told(tmp_path):
    assert "no file xxx" in fault(tmp_path, path="x" * 300 + ".csv")
    assert "no file xxx" in fault(tmp_path, path="x" * 300 + "/a.csv")
    assert "no file ~nobody/a.csv" in fault(tmp_path, path="~nobody/a.csv")
    found = fault(tmp_path, ConfigError, path="b/a**.csv")
    assert "data.path|b/a**.csv is no pattern of file names" in found


@pytest.mark.parametrize(
    ("encoding", "remedy"),
    [("utf-16", "utf-16"), ("utf-16-le", "utf-16-le"), ("utf-16-be", "utf-16-be")],
)
@pytest.mark.parametrize("given", ["utf-8", "latin-1"])
def test_utf_16_is_recognised(tmp_path, encoding, remedy, given):
    write(tmp_path, "a,y\n1,2\n3,4\n", encoding=encoding)
    found = fault(tmp_path, encoding=given)
    assert f"a.csv is not {given} text; it begins like UTF-16|set `encoding: {remedy}`" in found
    assert read(tmp_path, encoding=remedy)[1]["a"] == [1, 3]
    write(tmp_path, '{"a": 1, "y": 2}\n', "a.jsonl", encoding=encoding)
    assert "it begins like UTF-16" in fault(tmp_path, path="a.jsonl", encoding=given)


def test_huge_numbers_are_scanned_without_a_warning(tmp_path):
    write(tmp_path, "a,y\n1e308,1\n-1e308,2\n1e999,3\n1e999,4\n")
    assert read(tmp_path)[1]["a"] == ["1e308", "-1e308", "1e999", "1e999"]


def test_long_records_to_predict_are_read_in_fewer_blocks_to_the_same_values(tmp_path):
    """Blocks to train from stay as they are: the last bits of a mean depend on them."""
    names = [f"c{i}" for i in range(300)]
    rows = [",".join(str(i * 300 + j) for j in range(300)) for i in range(900)]
    (tmp_path / "wide.csv").write_text("\n".join([",".join(names), *rows]))
    seen, unseen = (
        [*reader.batches(names)]
        for reader in (
            open_reader(tmp_path / "wide.csv", Dialect()),
            open_reader(tmp_path / "wide.csv", Dialect(), needed=names),
        )
    )
    assert len(unseen) < len(seen)
    assert pa.Table.from_batches(unseen).combine_chunks() == (
        pa.Table.from_batches(seen).combine_chunks()
    )
