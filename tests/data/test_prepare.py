"""From a table to tensors: the task, law 6, streaming, restoring, and the warnings."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from dlcli.config.data import InlineOptions, TableOptions, TabularOptions
from dlcli.config.data.embedded import DigitsOptions, IrisOptions, LineOptions
from dlcli.data.prepare import encode_labelled, prepare, restore
from dlcli.data.preprocessor import Preprocessor
from dlcli.data.sources.embedded import open_embedded
from dlcli.data.sources.inline import open_inline
from dlcli.data.sources.line import open_line
from dlcli.data.sources.memory import MemorySource
from dlcli.data.sources.source import Sources
from dlcli.data.sources.table import open_table
from dlcli.data.spec import CATEGORIES, NUMBERS
from dlcli.errors import CheckpointError, ConfigError, DataError

ROWS = 200


def mixed(rows=ROWS, seed=0):
    """Return a table of every kind, with missing cells, as lists."""
    random = np.random.default_rng(seed)
    number = random.standard_normal(rows).round(3)
    text = random.choice(["red", "green", "blue"], rows)
    day = np.datetime64("2020-01-01") + random.integers(0, 900, rows)
    return {
        "number": [None if x > 1.5 else x for x in number.tolist()],
        "whole": random.integers(0, 1000, rows).tolist(),
        "colour": [None if x > 1.7 else c for x, c in zip(number, text.tolist(), strict=True)],
        "flag": (random.random(rows) > 0.5).tolist(),
        "day": [str(one) for one in day],
        "y": (3 * number + random.standard_normal(rows)).round(4).tolist(),
    }


KINDS = {
    "number": "numeric",
    "whole": "numeric",
    "colour": "categorical",
    "flag": "boolean",
    "day": "date",
    "y": "numeric",
}


def sources_of(columns, kinds=KINDS, targets=("y",)) -> Sources:
    source = MemorySource(pa.table(columns), kinds, "memory")
    inputs = tuple(name for name in columns if name not in targets)
    return Sources(source, None, None, targets, inputs, source.fingerprint())


def table_file(folder, columns, name="a.csv", **options):
    """Write columns as CSV; return the options of that table and its sources."""
    lines = [",".join(columns)]
    for row in zip(*columns.values(), strict=True):
        lines.append(",".join("" if cell is None else str(cell) for cell in row))
    (folder / name).write_text("\n".join(lines) + "\n")
    chosen = TableOptions(**{"path": name, "target": "y", **options})
    return chosen, open_table(chosen, folder)


@pytest.mark.parametrize("scaling", ["standard", "min_max", "robust"])
def test_nothing_of_val_or_test_rows_reaches_the_fit(scaling):
    columns = mixed()
    options = TabularOptions(scaling=scaling)
    first = prepare(sources_of(columns), options, task=None)
    others = [row for part in ("val", "test") for row in first.rows[part]]
    for row in others:
        columns["number"][row] = columns["whole"][row] = columns["y"][row] = 1e9
        columns["colour"][row] = "never seen"
        columns["day"][row] = "9999-12-31 12:00"
    second = prepare(sources_of(columns), options, task=None)
    assert second.preprocessor.state() == first.preprocessor.state()
    for name, block in first.examples["train"].inputs.items():
        assert torch.equal(second.examples["train"].inputs[name], block)
    assert (second.examples["test"].targets > 1e6).all()


def test_missing_values_in_test_rows_alone_do_not_reach_the_fit():
    columns = mixed()
    first = prepare(sources_of(columns), TabularOptions(), task=None)
    for row in first.rows["test"]:
        columns["whole"][row] = None
    second = prepare(sources_of(columns), TabularOptions(), task=None)
    assert second.preprocessor == first.preprocessor
    assert torch.isfinite(second.examples["test"].inputs[NUMBERS]).all()


def test_a_file_a_block_at_a_time_equals_the_whole(tmp_path, monkeypatch):
    columns = mixed()
    options, sources = table_file(tmp_path, columns)
    streamed = prepare(sources, options, task=None)
    whole = prepare(sources_of(columns), options, task=None)
    for part in ("train", "val", "test"):
        assert (streamed.rows[part] == whole.rows[part]).all()
        for name, block in whole.examples[part].inputs.items():
            torch.testing.assert_close(
                streamed.examples[part].inputs[name], block, rtol=1e-6, atol=1e-6
            )
    monkeypatch.setattr("dlcli.data.sources.delimited.BLOCK_BYTES", 500)
    cut = prepare(sources, options, task=None)
    assert len(list(sources.train.chunks())) > 10
    torch.testing.assert_close(
        cut.examples["train"].inputs[NUMBERS], streamed.examples["train"].inputs[NUMBERS]
    )


def test_every_row_stands_at_its_place(tmp_path):
    columns = {"x": [float(i) for i in range(100)], "y": [i + 0.5 for i in range(100)]}
    options, sources = table_file(tmp_path, columns)
    prepared = prepare(sources, options, task=None)
    assert {part: len(rows) for part, rows in prepared.rows.items()} == {
        "train": 80,
        "val": 10,
        "test": 10,
    }
    for part, examples in prepared.examples.items():
        (encoder,) = prepared.preprocessor.inputs.values()
        decoded = encoder.decode(examples.inputs[NUMBERS])
        np.testing.assert_allclose(decoded, prepared.rows[part], atol=1e-4)
        decoded = prepared.preprocessor.decode(examples.targets)
        np.testing.assert_allclose(decoded, prepared.rows[part] + 0.5, atol=1e-4)


def test_take_gives_rows_in_the_order_asked_for():
    prepared = prepare(sources_of(mixed()), TabularOptions(), task=None)
    examples = prepared.examples["train"]
    index = torch.tensor([5, 0, 5])
    batch = examples.take(index)
    for name, block in examples.inputs.items():
        assert torch.equal(batch.inputs[name], block[index])
    assert torch.equal(batch.targets, examples.targets[index])
    assert examples.nbytes == sum(
        block.numel() * block.element_size() for block in (*examples.inputs.values(),)
    ) + 4 * len(examples)


def test_restoring_gives_the_same_parts_after_a_way_through_json(tmp_path):
    options, sources = table_file(tmp_path, mixed())
    prepared = prepare(sources, options, task=None)
    state = json.loads(json.dumps(prepared.preprocessor.state()))
    preprocessor = Preprocessor.from_state(state)
    assert preprocessor == prepared.preprocessor
    parts = restore(
        open_table(options, tmp_path),
        options,
        preprocessor=preprocessor,
        task=prepared.task,
        parts=("test", "train"),
    )
    assert list(parts) == ["train", "test"]
    for part, examples in parts.items():
        assert torch.equal(examples.targets, prepared.examples[part].targets)
        for name, block in prepared.examples[part].inputs.items():
            assert torch.equal(examples.inputs[name], block)


def test_new_labelled_records_are_encoded_as_the_parts_were():
    columns = mixed()
    prepared = prepare(sources_of(columns), TabularOptions(), task=None)
    records = pa.RecordBatch.from_pydict(columns)
    examples = encode_labelled(iter([records[:90], records[90:]]), prepared.preprocessor)
    rows = torch.from_numpy(prepared.rows["val"])
    for name, block in prepared.examples["val"].inputs.items():
        assert torch.equal(examples.inputs[name][rows], block)
    assert torch.equal(examples.targets[rows], prepared.examples["val"].targets)


@pytest.mark.parametrize(
    ("y", "task", "reason"),
    [
        (["a", "b"] * 20, "classification", "is text"),
        (["true", "false"] * 20, "classification", "is true or false"),
        ([0, 1] * 20, "classification", "2 distinct whole numbers (at most 20)"),
        (list(range(40)), "regression", "40 distinct whole numbers (more than 20)"),
        ([0.5, 1] * 20, "regression", "not whole"),
        ([120, 210, 150], "regression", "another whole number in every row"),
    ],
)
def test_the_task_is_told_from_the_target(tmp_path, y, task, reason):
    options, sources = table_file(tmp_path, {"x": [i / 7 for i in range(len(y))], "y": y})
    prepared = prepare(sources, options, task=None)
    assert prepared.task == task
    assert reason in prepared.task_reason
    assert (prepared.class_counts is None) == (task == "regression")


def test_a_task_given_wins(tmp_path):
    options, sources = table_file(tmp_path, {"x": list(range(40)), "y": [1, 2] * 20})
    prepared = prepare(sources, options, task="regression")
    assert prepared.examples["train"].targets.dtype == torch.float32
    assert prepared.task_reason == "given in the config"
    options, sources = table_file(tmp_path, {"x": list(range(40)), "y": ["a", "b"] * 20})
    with pytest.raises(ConfigError, match="regression needs numbers"):
        prepare(sources, options, task="regression")


def test_several_targets_are_one_regression():
    columns = mixed()
    prepared = prepare(
        sources_of(columns, targets=("y", "whole")), TabularOptions(), task=None, scale_targets=True
    )
    targets = prepared.examples["train"].targets
    assert targets.shape == (160, 2)
    expected = np.array([columns["y"], columns["whole"]]).T[prepared.rows["train"]]
    np.testing.assert_allclose(prepared.preprocessor.unscale(targets), expected, atol=1e-3)
    np.testing.assert_allclose(prepared.preprocessor.decode(targets), expected, atol=1e-3)
    with pytest.raises(ConfigError, match="takes one target"):
        prepare(
            sources_of(columns, targets=("y", "whole")), TabularOptions(), task="classification"
        )


def test_targets_stay_in_their_units_for_a_loss_with_an_exponential_link():
    columns = mixed()
    prepared = prepare(sources_of(columns), TabularOptions(), task=None, scale_targets=False)
    expected = torch.tensor(columns["y"])[torch.from_numpy(prepared.rows["train"])]
    assert torch.equal(prepared.examples["train"].targets, expected)
    with pytest.raises(ConfigError, match="cannot be scaled"):
        prepare(
            sources_of(columns),
            TabularOptions(target_scaling="standard"),
            task=None,
            scale_targets=False,
        )


def test_blocks_are_as_small_as_they_can_be():
    prepared = prepare(sources_of(mixed()), TabularOptions(), task=None)
    inputs = prepared.examples["train"].inputs
    assert inputs[CATEGORIES].dtype == torch.uint8
    assert inputs[CATEGORIES].shape == (160, 2)
    assert inputs[NUMBERS].shape == (160, 2 + 1 + 7)  # a number with indicator, a number, a date
    digits = prepare(open_embedded(DigitsOptions(), None), DigitsOptions(), task=None)
    assert digits.examples["train"].inputs["image"].dtype == torch.uint8


def test_parts_of_line_and_iris():
    line = prepare(open_line(LineOptions(), None), LineOptions(), task=None)
    assert {part: len(rows) for part, rows in line.rows.items()} == {"train": 4}
    assert line.warnings == ()
    iris = prepare(open_embedded(IrisOptions(), None), IrisOptions(), task=None)
    assert {part: len(rows) for part, rows in iris.rows.items()} == {
        "train": 120,
        "val": 15,
        "test": 15,
    }
    assert iris.class_counts.tolist() == [40, 40, 40]
    assert iris.preprocessor.classes == ("setosa", "versicolor", "virginica")


def test_folds_share_no_test_row():
    options = IrisOptions(split={"folds": 5})
    tests = [
        prepare(open_embedded(options, None), options, task=None, fold=fold).rows["test"]
        for fold in range(5)
    ]
    assert sorted(np.concatenate(tests)) == list(range(150))
    with pytest.raises(ConfigError, match="no fold 5 of 5"):
        prepare(open_embedded(options, None), options, task=None, fold=5)


def test_rows_without_a_target_are_left_out_aloud(tmp_path):
    columns = mixed()
    columns["y"][3] = columns["y"][7] = None
    options, sources = table_file(tmp_path, columns)
    prepared = prepare(sources, options, task=None)
    assert "2 rows without a target are left out" in prepared.warnings
    rows = np.concatenate(list(prepared.rows.values()))
    assert sorted(rows) == [row for row in range(ROWS) if row not in (3, 7)]


def test_a_test_file_of_its_own_is_the_test_part(tmp_path):
    table_file(tmp_path, mixed(50, seed=1), "t.csv")
    options, sources = table_file(tmp_path, mixed(), test_path="t.csv")
    prepared = prepare(sources, options, task=None)
    assert {part: len(rows) for part, rows in prepared.rows.items()} == {
        "train": 180,
        "val": 20,
        "test": 50,
    }
    parts = restore(sources, options, preprocessor=prepared.preprocessor, task=prepared.task)
    assert torch.equal(parts["test"].targets, prepared.examples["test"].targets)
    np.testing.assert_allclose(
        prepared.preprocessor.decode(parts["test"].targets), mixed(50, seed=1)["y"], atol=1e-4
    )


def test_group_and_split_columns_are_no_inputs(tmp_path):
    columns = mixed() | {"part": ["train", "val", "test", "train"] * 50}
    options, sources = table_file(tmp_path, columns, split={"column": "part"})
    prepared = prepare(sources, options, task=None)
    assert "part" not in prepared.preprocessor.inputs
    assert prepared.rows["val"].tolist() == list(range(1, ROWS, 4))
    columns["part"] = [f"p{row // 10}" for row in range(ROWS)]
    options, sources = table_file(tmp_path, columns, split={"group": "part"})
    prepared = prepare(sources, options, task=None)
    groups = [set((rows // 10).tolist()) for rows in prepared.rows.values()]
    assert sum(map(len, groups)) == 20


def test_what_may_be_wrong_is_said_once(tmp_path):
    columns = {
        "x": [float(i % 30) / 4 for i in range(60)],
        "same": [7] * 60,
        "copy": [i % 2 for i in range(60)],
        "y": [i % 2 for i in range(60)],
    }
    options, sources = table_file(tmp_path, columns)
    warnings = prepare(sources, options, task=None).warnings
    assert len(warnings) == 3
    assert warnings[0].startswith("the same in every training row, so of no use: same")
    assert warnings[1].startswith("input `copy` equals the target `y`")
    assert "have the inputs and target of a training row" in warnings[2]


def test_an_option_that_the_data_do_not_have_is_no_remedy():
    """Inline data have no `drop`."""
    options = InlineOptions(x=[[1, i % 2] for i in range(60)], y=[i % 2 for i in range(60)])
    warnings = prepare(open_inline(options, Path()), options, task=None).warnings
    assert any(text.startswith("the same in every training row") for text in warnings)
    assert any("equals the target" in text for text in warnings)
    assert "drop" not in " ".join(warnings)


@pytest.mark.parametrize("name", ["numbers", "categories", "known"])
def test_a_text_column_may_be_called_as_a_block_is(tmp_path, name):
    columns = mixed(40) | {name: [f"word{row % 3} and more" for row in range(40)]}
    options, sources = table_file(tmp_path, columns, types={name: "text"})
    prepared = prepare(sources, options, task=None)
    blocks = prepared.examples["train"].inputs
    assert {key: block.dtype for key, block in blocks.items()} == {
        NUMBERS: torch.float32,
        CATEGORIES: torch.uint8,
        f"tokens/{name}": torch.uint8,
    }
    again = Preprocessor.from_state(json.loads(json.dumps(prepared.preprocessor.state())))
    assert again.spec == prepared.preprocessor.spec


@pytest.mark.parametrize(
    "state",
    [{}, {"inputs": [{}], "targets": []}, {"inputs": [], "targets": [], "window": {"x": 1}}],
)
def test_a_state_that_is_none_is_refused(state):
    with pytest.raises(CheckpointError, match="the stored preprocessing is not valid"):
        Preprocessor.from_state(state)


def test_duplicates_are_counted_exactly(tmp_path):
    columns = mixed(100)
    twice = {name: cells + cells for name, cells in columns.items()}
    options, sources = table_file(tmp_path, twice)
    prepared = prepare(sources, options, task=None)
    trained = {row % 100 for row in prepared.rows["train"]}
    counts = {
        part: sum(row % 100 in trained for row in prepared.rows[part]) for part in ("val", "test")
    }
    expected = f"{counts['val']} of 20 val rows and {counts['test']} of 20 test rows"
    assert expected in prepared.warnings[-1]


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("abc", 't.csv, row 3, column `x`: "abc" is not a number'),
        ("inf", 't.csv, row 3, column `x`: "inf" is infinite'),
    ],
)
def test_a_bad_cell_is_named_with_file_row_and_column(tmp_path, cell, message):
    (tmp_path / "t.csv").write_text(f"x,y\n1,1\n2,\n{cell},2\n")
    columns = {"x": list(range(40)), "y": [0.5 + i for i in range(40)]}
    options, sources = table_file(tmp_path, columns, test_path="t.csv")
    with pytest.raises(DataError) as caught:
        prepare(sources, options, task=None)
    assert caught.value.faults[0].message == message


def test_refused_missing_values_are_data_errors(tmp_path):
    options, sources = table_file(tmp_path, mixed(), missing={"numeric": "refuse"})
    with pytest.raises(
        DataError, match=r"a.csv, row \d+, column `number`: a value is missing, which `missing"
    ):
        prepare(sources, options, task=None)


def test_one_class_is_nothing_to_learn(tmp_path):
    options, sources = table_file(tmp_path, {"x": list(range(30)), "y": ["a"] * 30})
    with pytest.raises(DataError, match="every training row has the class `a`"):
        prepare(sources, options, task=None)


@pytest.mark.parametrize("scaling", ["standard", "min_max", "robust"])
@pytest.mark.parametrize("column", ["x", "y"])
def test_numbers_too_large_to_scale_are_named(tmp_path, scaling, column):
    columns = {"x": [i / 7 for i in range(80)], "y": [0.5 + i for i in range(80)]}
    columns[column] = [1.5e308 + 1e305 * i if i % 2 else -1.7e308 for i in range(80)]
    options, sources = table_file(tmp_path, columns, scaling=scaling, target_scaling=scaling)
    with pytest.raises(DataError, match=f"column `{column}`: its largest training value, -1.7e"):
        prepare(sources, options, task=None)


def test_classes_may_be_huge_numbers(tmp_path):
    columns = {"x": [i / 7 for i in range(40)], "y": [1e308, -1e20] * 20}
    options, sources = table_file(tmp_path, columns)
    assert prepare(sources, options, task=None).preprocessor.classes == (-1e20, 1e308)


def test_a_number_too_large_for_its_scale_is_named(tmp_path):
    rest = {"x": [i / 7 for i in range(40)], "y": [0.5 + i for i in range(40)]}
    table_file(tmp_path, {"x": [1.0, 1e308], "y": [1, 2]}, "t.csv")
    rest["x"] = [x * 1e-5 for x in rest["x"]]
    options, sources = table_file(tmp_path, rest, test_path="t.csv")
    with pytest.raises(DataError, match=r"t\.csv, row 2, column `x`: 1e\+308 is too large"):
        prepare(sources, options, task=None)


def test_a_whole_number_of_many_digits_is_quoted(tmp_path):
    columns = {"x": list(range(40)), "y": [0.5 + i for i in range(40)]}
    columns["x"][3] = "1" + "0" * 400
    options, sources = table_file(tmp_path, columns)
    with pytest.raises(DataError, match=r'row 4, column `x`: "1000.* is too large for a number'):
        prepare(sources, options, task=None)


def test_a_target_that_never_changes_is_told(tmp_path):
    options, sources = table_file(tmp_path, {"x": list(range(40)), "y": [1.5] * 40})
    (warning,) = [w for w in prepare(sources, options, task=None).warnings if "target" in w]
    assert warning.startswith("the target `y` is the same in every training row")


def test_folds_by_group_that_leave_a_class_without_training_rows_are_told_at_once(tmp_path):
    columns = {
        "x": [i / 7 for i in range(60)],
        "g": [f"g{i // 10}" for i in range(60)],
        "y": ["b" if 30 <= i < 35 else "ac"[i % 2] for i in range(60)],
    }
    options, sources = table_file(tmp_path, columns, split={"group": "g", "folds": 3, "val": 0})
    for fold in range(3):
        with pytest.raises(DataError, match="class `b` has no row in the training part of fold"):
            prepare(sources, options, task=None, fold=fold)


@pytest.mark.parametrize("kind", ["numeric", "categorical"])
def test_a_refused_missing_cell_is_named_by_its_row(tmp_path, kind):
    columns = {"x": [i % 5 for i in range(40)], "y": [0.5 + i for i in range(40)]}
    columns["x"][7] = None
    options, sources = table_file(
        tmp_path, columns, types={"x": kind}, missing={kind: "refuse"}, split={"val": 0, "test": 0}
    )
    with pytest.raises(DataError, match=r"a\.csv, row 8, column `x`: a value is missing"):
        prepare(sources, options, task=None)


def test_counts_are_written_for_people(tmp_path):
    columns = {"x": [i % 3 for i in range(6000)], "y": [i % 2 for i in range(6000)]}
    columns["y"][0] = None
    options, sources = table_file(tmp_path, columns, split={"val": 0.5})
    warnings = prepare(sources, options, task=None).warnings
    assert "1 row without a target is left out" in warnings
    assert "duplicates: 3,000 of 3,000 val rows" in warnings[-1]


def test_narrow_floats_are_learned_from_as_wide_ones_of_the_same_value(tmp_path):
    random = np.random.default_rng(0)
    values = random.standard_normal((60, 3)).astype(np.float32)
    values[::7, 1] = np.nan
    found = []
    for kind in (pa.float32(), pa.float64()):
        columns = {f"c{i}": pa.array(values[:, i], kind, from_pandas=True) for i in range(3)}
        pq.write_table(pa.table(columns), tmp_path / "table.parquet")
        options = TableOptions(name="table", path="table.parquet", target="c2")
        found.append(prepare(open_table(options, tmp_path), options, task=None))
    narrow, wide = found
    assert narrow.preprocessor.state() == wide.preprocessor.state()
    for part, examples in narrow.examples.items():
        assert examples.inputs[NUMBERS].equal(wide.examples[part].inputs[NUMBERS])
        assert examples.targets.equal(wide.examples[part].targets)
