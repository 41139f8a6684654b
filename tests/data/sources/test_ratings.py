import pytest
from pydantic import ValidationError

from dlcli.config.data import RatingsOptions
from dlcli.data.prepare import prepare
from dlcli.data.sources.dialect import dialect_of
from dlcli.data.sources.ratings import open_ratings
from dlcli.data.sources.records import read_records
from dlcli.errors import ConfigError

ROWS = "".join(f"{i % 7 + 100}\t{i % 5 + 1}\t{i % 4 + 1}\t88{i}\n" for i in range(60))
TABS = {"separator": "\t", "header": False, "columns": ["user", "item", "rating", "timestamp"]}


def options(**own):
    return RatingsOptions(path="u.data", **{**TABS, **own})


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "u.data").write_text(ROWS)
    return tmp_path


def test_ids_are_categories_and_the_rest_is_left_out(folder):
    sources = open_ratings(options(), folder)
    assert sources.inputs == ("user", "item")
    assert sources.train.kinds == {
        "user": "categorical",
        "item": "categorical",
        "rating": "numeric",
    }
    assert (sources.task, sources.warnings) == ("regression", ())


def test_the_order_of_the_columns_does_not_matter(folder):
    swapped = options(user="item", item="user")
    assert open_ratings(swapped, folder).inputs == ("item", "user")


def test_every_id_has_a_code_and_an_unknown_one_is_zero(folder):
    given = options(categories={"embedding_size": 6})
    prepared = prepare(open_ratings(given, folder), given, task=None)
    users, items = prepared.preprocessor.spec.inputs
    assert (users.size, items.size) == (8, 6)
    assert users.embedding_size == items.embedding_size == 6
    records = [{"user": 100, "item": "1"}, {"user": 999, "item": 2}]
    (batch,) = read_records(records, dialect_of(given), needed=["user", "item"])
    assert prepared.preprocessor.encode_inputs(batch)["categories"].tolist() == [[1, 1], [0, 2]]


def test_parts_can_be_named_by_another_column(folder):
    parts = "".join(f"{'test' if i % 5 == 0 else 'train'}\n" for i in range(60)).splitlines()
    rows = [f"{row}\t{part}" for row, part in zip(ROWS.splitlines(), parts, strict=True)]
    (folder / "u.data").write_text("\n".join(rows) + "\n")
    given = options(columns=[*TABS["columns"], "part"], split={"column": "part"})
    prepared = prepare(open_ratings(given, folder), given, task=None)
    assert len(prepared.examples["test"]) == 12


def test_missing_columns_are_named_at_once(folder):
    with pytest.raises(ConfigError) as error:
        open_ratings(options(user="usr", item="film"), folder)
    assert [fault.path for fault in error.value.faults] == [("data", "user"), ("data", "item")]
    assert error.value.faults[0].suggestion == "did you mean `user`?"


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ({"item": "user"}, "two roles"),
        ({"split": {"group": "user"}}, "two roles"),
        ({"drop": ["timestamp"]}, "leave `drop` out"),
    ],
)
def test_roles_do_not_overlap(own, said):
    with pytest.raises(ValidationError, match=said):
        options(**own)
