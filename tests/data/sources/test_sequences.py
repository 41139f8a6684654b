import numpy as np
import pytest
from pydantic import ValidationError

from dlcli.config.data import SequencesOptions
from dlcli.data.prepare import prepare
from dlcli.data.sources.sequences import open_sequences, read_sequences
from dlcli.errors import ConfigError, DataError


def options(**own):
    return SequencesOptions(**{"path": "long.csv", "target": "label", "time": "time", **own})


def written(folder, rows, name="long.csv"):
    text = "\n".join(",".join(map(str, row)) for row in rows) + "\n"
    (folder / name).write_text("id,time,x,y,label\n" + text)
    return folder


ROWS = [
    ("a", 2, 0.2, 20, "up"),
    ("b", 1, 1.1, "", "down"),
    ("a", 1, 0.1, 10, "up"),
    ("b", 2, 1.2, 40, ""),
    ("a", 3, 0.3, 30, "up"),
]


def only(source, *names):
    (batch,) = source.chunks(list(names))
    return [batch.column(name).to_pylist() for name in names]


def test_rows_of_an_id_are_gathered_in_order_of_time(tmp_path):
    sources = open_sequences(options(), written(tmp_path, ROWS))
    steps, labels = only(sources.train, "steps", "label")
    assert [[step["x"] for step in one] for one in steps] == [[0.1, 0.2, 0.3], [1.1, 1.2]]
    assert np.isnan(steps[1][0]["y"])
    assert labels == ["up", "down"]
    assert sources.inputs == ("steps",)


def test_without_a_time_the_order_is_the_file_s(tmp_path):
    sources = open_sequences(options(time=None, drop=["time"]), written(tmp_path, ROWS))
    (steps,) = only(sources.train, "steps")
    assert [[step["x"] for step in one] for one in steps] == [[0.2, 0.1, 0.3], [1.1, 1.2]]


def test_dates_order_rows_too(tmp_path):
    dated = [(i, f"2024-03-{t:02}", *rest) for i, t, *rest in ROWS]
    sources = open_sequences(options(), written(tmp_path, dated))
    (steps,) = only(sources.train, "steps")
    assert [step["x"] for step in steps[0]] == [0.1, 0.2, 0.3]


def test_any_order_of_the_rows_gives_the_same_sequences(tmp_path):
    random = np.random.default_rng(0)
    expected = None
    for _ in range(3):
        sources = open_sequences(options(), written(tmp_path, random.permutation(ROWS).tolist()))
        steps, labels = only(sources.train, "steps", "label")
        found = {label: str(one) for label, one in zip(labels, steps, strict=True)}
        assert found == (expected or found)
        expected = found


def many(count=40):
    return [
        (f"s{i}", t, f"{i % 2 + t / 10:.1f}", t, ["up", "down"][i % 2])
        for i in range(count)
        for t in range(2 + i % 3)
    ]


def test_sequences_are_split_by_id_and_fitted_on_training_alone(tmp_path):
    given = options(split={"val": 0.2, "test": 0.2})
    prepared = prepare(open_sequences(given, written(tmp_path, many())), given, task=None)
    sizes = {part: len(examples) for part, examples in prepared.examples.items()}
    assert sizes == {"train": 24, "val": 8, "test": 8}
    steps = prepared.examples["train"].inputs["steps"].numpy()
    present = steps[steps[:, :, -1] == 1]
    np.testing.assert_allclose(present[:, 0].mean(), 0, atol=1e-6)
    np.testing.assert_allclose(present[:, 0].std(), 1, atol=1e-6)


def test_a_test_file_is_gathered_likewise(tmp_path):
    written(tmp_path, many(4), "test.csv")
    sources = open_sequences(options(test_path="test.csv"), written(tmp_path, many()))
    assert len(only(sources.test, "steps")[0]) == 4


def test_an_id_with_two_targets_is_named(tmp_path):
    rows = [*ROWS, ("a", 4, 0.4, 40, "down")]
    with pytest.raises(DataError, match="`label` must be one of a sequence") as error:
        open_sequences(options(), written(tmp_path, rows))
    assert error.value.faults[0].note == "a has up and down"


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (("", 4, 1, 1, "up"), "row 6, column `id`: a value is missing"),
        (("a", "", 1, 1, "up"), "row 6, column `time`: a value is missing"),
    ],
)
def test_a_row_without_id_or_time_is_named(tmp_path, row, said):
    with pytest.raises(DataError, match=said):
        open_sequences(options(), written(tmp_path, [*ROWS, row]))


@pytest.mark.parametrize("is_dated", [False, True])
def test_two_rows_of_an_id_and_time_are_named(tmp_path, is_dated):
    rows = [*ROWS, ("c", 1, 1, 1, "up"), ("b", 2, 9, 9, "down"), ("b", 1, 9, 9, "down")]
    if is_dated:
        rows = [(i, f"2024-03-{t:02}", *rest) for i, t, *rest in rows]
    with pytest.raises(DataError) as error:
        open_sequences(options(), written(tmp_path, rows))
    (fault,) = error.value.faults
    assert fault.message == (
        "long.csv, row 7, column `time`: `b` has this time in long.csv, row 4, already, and a "
        "sequence has one row of each time; there are 2 such rows"
    )
    assert fault.suggestion.startswith("remove one of the two; or train with `time: null`")


def test_two_rows_of_an_id_and_time_are_named_by_their_files(tmp_path):
    written(tmp_path, ROWS, "one.csv")
    written(tmp_path, [("a", 4, 1, 1, "up"), ("b", 2, 9, 9, "down")], "two.csv")
    said = "two.csv, row 2, column `time`: `b` has this time in one.csv, row 4, already"
    with pytest.raises(DataError, match=said):
        open_sequences(options(path=["one.csv", "two.csv"]), tmp_path)


@pytest.mark.parametrize("rows", [200, 40_000])
def test_a_row_of_the_same_time_is_found_wherever_it_stands(tmp_path, rows):
    """In any batch of the file."""
    long = [(f"s{row % 10}", row, 1, 1, "up") for row in range(rows)]
    long.insert(rows - 3, long[7])
    said = f"long.csv, row {rows - 2}, column `time`: `s7` has this time in long.csv, row 8, alr"
    with pytest.raises(DataError, match=said):
        open_sequences(options(target="x", drop=["label"]), written(tmp_path, long))


def test_missing_numbers_can_be_refused(tmp_path):
    with pytest.raises(DataError, match="`y` is missing in a row of `b`"):
        open_sequences(options(missing={"numeric": "refuse"}), written(tmp_path, ROWS))


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ({"id": "idd"}, "no column `idd`"),
        ({"time": "when"}, "no column `when`"),
        ({"target": "no"}, "no column `no`"),
        ({"drop": ["x", "y"]}, "no column of numbers is left"),
        ({"time": "label", "target": "x"}, "`label` is categorical, neither numbers nor dates"),
    ],
)
def test_faults_are_named(tmp_path, own, said):
    with pytest.raises((ConfigError, DataError), match=said):
        open_sequences(options(**own), written(tmp_path, ROWS))


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ({"target": "id"}, "two roles"),
        ({"time": "label"}, "two roles"),
        ({"split": {"group": "id"}}, "stay together anyway"),
        ({"drop": ["time"]}, "has a role of its own"),
    ],
)
def test_roles_do_not_overlap(own, said):
    with pytest.raises(ValidationError, match=said):
        options(**own)


def test_long_files_and_records_are_read_to_predict(tmp_path):
    given = options(split={"val": 0, "test": 0})
    prepared = prepare(open_sequences(given, written(tmp_path, many())), given, task=None)
    preprocessor = prepared.preprocessor
    path = written(tmp_path, ROWS, "new.csv") / "new.csv"
    (batch,) = read_sequences(path, given, preprocessor)
    assert batch.column("id").to_pylist() == ["a", "b"]
    assert [step["x"] for step in batch.column("steps")[0].as_py()] == [0.1, 0.2, 0.3]
    (labelled,) = read_sequences(path, given, preprocessor, has_targets=True)
    assert labelled.column("label").to_pylist() == ["up", "down"]
    steps = [[0.1, 10.0]]
    (ready,) = read_sequences([{"steps": steps}], given, preprocessor)
    assert ready.column("steps").to_pylist() == [steps]
    assert preprocessor.encode(labelled).targets.tolist() == [1, 0]
