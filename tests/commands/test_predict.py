"""Predictions from whatever a person has: numbers, records, files and streams."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import dlcli as package
from dlcli.run import find_checkpoint
from tests.command_line import as_json, dlcli

LINE = "data: {name: line, batch_size: 1}\nmodel: linear\noptimizer: {name: adam, lr: 0.05}\n"
IRIS = "data: iris\nmodel: {name: mlp, hidden_sizes: [16]}\noptimizer: {name: adamw, lr: 1e-2}\n"
HOUSES = """\
data:
  name: table
  path: houses.csv
  target: price
  split: {val: 0.2, test: 0}
  categories: {min_count: 1}
model: {name: mlp, hidden_sizes: [8]}
"""
FLOWERS = [[5.1, 3.5, 1.4, 0.2], [6.0, 2.9, 4.5, 1.5], [6.7, 3.1, 5.6, 2.4]]
NAMES = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
SPECIES = ["setosa", "versicolor", "virginica"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the runs line, iris and houses."""
    folder = tmp_path_factory.mktemp("predict")
    (folder / "line.yaml").write_text(LINE + "train: {epochs: 200}\n")
    (folder / "iris.yaml").write_text(IRIS + "train: {epochs: 15}\n")
    (folder / "houses.yaml").write_text(HOUSES + "train: {epochs: 5}\n")
    rows = [f"{50 + i % 30},{['Rome', 'Oslo'][i % 2]},{i % 30 * 2.5 + i % 2}" for i in range(120)]
    (folder / "houses.csv").write_text("size,city,price\n" + "\n".join(rows) + "\n")
    for name in ("iris", "houses", "line"):
        dlcli("train", f"{name}.yaml", "--quiet", folder=folder)
    return folder


def predict(folder: Path, *words: object, stdin: str | None = None) -> str:
    """Return what a prediction prints."""
    return dlcli("predict", *words, folder=folder, stdin=stdin).stdout


def flowers(folder: Path, *words: object) -> str:
    return predict(folder, json.dumps(FLOWERS), "--checkpoint", "iris", *words)


# numbers, records and streams


@pytest.mark.parametrize(
    "words",
    [["3.0"], ["3"], ['{"x": 3}'], ['{"x": "3", "y": 9, "z": null}'], ["[3]"], ["[[3]]"],
     ['[{"x": 3}]']],
)  # fmt: skip
def test_one_record_prints_the_bare_value(words: list[str], folder: Path) -> None:
    text = predict(folder, *words)
    assert re.fullmatch(r"\d+\.\d+\n", text)
    assert float(text) == pytest.approx(6, abs=1e-2)


@pytest.mark.parametrize(
    ("words", "stdin"),
    [
        (["-1", "0.5", "2"], None),
        (["[-1]", '{"x": 0.5}', "[2]"], None),
        (["-"], "x\n-1\n0.5\n2\n"),
        (["-"], "y,x\n,-1\n,0.5\n,2"),
        (["-"], '{"x": -1}\n{"y": 3, "x": 0.5}\n{"x": 2}\n'),
        (["-"], '[{"x": -1}, {"x": 0.5}, {"x": 2}]'),
        (["-", "[2]"], "x\n-1\n0.5\n"),
    ],
)
def test_several_records_print_one_line_each(
    words: list[str], stdin: str | None, folder: Path
) -> None:
    header, *lines = predict(folder, *words, stdin=stdin).splitlines()
    assert header == "prediction"
    assert [float(line) for line in lines] == pytest.approx([-2, 1, 4], abs=1e-2)


def test_the_newest_run_is_taken_and_named(folder: Path) -> None:
    done = dlcli("predict", "3", folder=folder)
    (run,) = (folder / "runs").glob("*-line")
    best = run.relative_to(folder) / "checkpoints" / "best.safetensors"
    assert done.stderr == f"checkpoint: {best}\n"


def test_a_checkpoint_is_a_file_a_run_or_a_name(folder: Path) -> None:
    (run,) = (folder / "runs").glob("*-iris")
    names = ["iris", "iri", run.name, run, run.relative_to(folder), run / "checkpoints"]
    texts = {predict(folder, *map(str, FLOWERS[0]), "--checkpoint", name) for name in names[:-1]}
    best = run / "checkpoints" / "best.safetensors"
    texts.add(predict(folder, *map(str, FLOWERS[0]), "--checkpoint", best))
    assert texts == {"setosa\n"}


# files


def test_a_file_may_have_more_columns_in_another_order(folder: Path, tmp_path: Path) -> None:
    expected = flowers(folder)
    lines = [",".join(["id", *reversed(NAMES), "species"])]
    lines += [",".join(map(str, [9, *reversed(row), "?"])) for row in FLOWERS]
    (tmp_path / "flowers.csv").write_text("\n".join(lines))
    (tmp_path / "flowers.tsv").write_text("\n".join(lines).replace(",", "\t") + "\n")
    (tmp_path / "flowers.jsonl").write_text(
        "".join(json.dumps(dict(zip(NAMES, row, strict=True))) + "\n" for row in FLOWERS)
    )
    for name in ("flowers.csv", "flowers.tsv", "flowers.jsonl"):
        assert predict(folder, tmp_path / name, "--checkpoint", "iris") == expected
    both = predict(
        folder, tmp_path / "flowers.csv", tmp_path / "flowers.jsonl", "--checkpoint", "iris"
    )
    assert both.splitlines() == expected.splitlines() + expected.splitlines()[1:]


def test_the_rows_of_a_large_file_keep_their_order(folder: Path, tmp_path: Path) -> None:
    numbers = [i % 4 + i / 1e6 for i in range(70_000)]  # more than one batch
    (tmp_path / "many.csv").write_text("x\n" + "".join(f"{number}\n" for number in numbers))
    lines = predict(folder, tmp_path / "many.csv").splitlines()[1:]
    assert [float(line) for line in lines] == pytest.approx([2 * n for n in numbers], abs=1e-2)


def test_many_rows_of_a_file_are_answered_as_in_one_go(folder: Path, tmp_path: Path) -> None:
    rows = [(50 + i % 30, ["Rome", "Oslo"][i % 2]) for i in range(40_000)]
    text = "size,city\n" + "".join(f"{size},{city}\n" for size, city in rows)
    (tmp_path / "many.csv").write_text(text)
    told = predict(folder, tmp_path / "many.csv", "--checkpoint", "houses")
    batch = pa.record_batch({"size": [r[0] for r in rows], "city": [r[1] for r in rows]})
    model = package.load(find_checkpoint("houses", folder / "runs"))
    (expected,) = model.learner.task.decode(model.answers(batch))
    assert [float(line) for line in told.splitlines()[1:]] == pytest.approx(expected, rel=1e-6)


def test_missing_columns_are_all_named(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "few.csv").write_text("sepal_lenght,petal_width\n1,2\n")
    words = ["predict", tmp_path / "few.csv", "--checkpoint", "iris"]
    done = dlcli(*words, folder=folder, check=4)
    assert "`sepal_length`, `sepal_width`, `petal_length`" in done.stderr
    assert "did you mean `sepal_lenght`?" in done.stderr
    assert "found: sepal_lenght, petal_width" in done.stderr


def test_missing_keys_of_records_are_told_as_one_says_it(folder: Path) -> None:
    for words, subject in (
        (['{"y": 1}'], "the record has"),
        (['{"y": 1}'] * 2, "the records have"),
    ):
        said = dlcli("predict", *words, folder=folder, check=4).stderr
        assert f"{subject} no column `x`" in said


def test_a_table_without_a_header(tmp_path: Path) -> None:
    rows = [f"{i % 7},{'ab'[i % 2]},{'yes' if i % 7 > 3 else 'no'}" for i in range(60)]
    (tmp_path / "bare.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "bare.yaml").write_text(
        "data: {name: table, path: bare.csv, header: false, columns: [size, kind, big],"
        " target: big}\nmodel: {name: mlp, hidden_sizes: [8]}\ntrain: {epochs: 2}\n"
    )
    dlcli("train", "bare.yaml", "--quiet", folder=tmp_path)
    with_target = predict(tmp_path, "bare.csv")
    assert with_target.count("\n") == 61
    (tmp_path / "inputs.csv").write_text("\n".join(row.rpartition(",")[0] for row in rows) + "\n")
    assert predict(tmp_path, "inputs.csv") == with_target
    assert predict(tmp_path, "-", stdin="\n".join(rows)) == with_target


def test_a_table_without_a_header_may_have_the_inputs_alone(tmp_path: Path) -> None:
    rows = [f"{i},{i % 7},{'ab'[i % 2]},{'yes' if i % 7 > 3 else 'no'}" for i in range(60)]
    (tmp_path / "bare.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "bare.yaml").write_text(
        "data: {name: table, path: bare.csv, header: false, columns: [id, size, kind, big],"
        " target: big, drop: [id]}\nmodel: {name: mlp, hidden_sizes: [8]}\ntrain: {epochs: 1}\n"
    )
    dlcli("train", "bare.yaml", "--quiet", folder=tmp_path)
    whole = predict(tmp_path, "bare.csv")
    for first, last in ((0, 3), (1, 3)):  # without the target, and without the dropped one as well
        given = "\n".join(",".join(row.split(",")[first:last]) for row in rows) + "\n"
        assert predict(tmp_path, "-", stdin=given) == whole
    assert "1 field where 4 were expected" in (
        dlcli("predict", "-", folder=tmp_path, stdin="1\n", check=4).stderr
    )


# forms of output


def test_csv_has_a_line_per_record(folder: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(flowers(folder, "--format", "csv"))))
    assert [row["prediction"] for row in rows] == SPECIES
    assert all(1 / 3 < float(row["confidence"]) < 1 for row in rows)
    assert flowers(folder) == flowers(folder, "--format", "csv")  # off a terminal


def test_json_lines_and_json_hold_the_same(folder: Path) -> None:
    lines = [json.loads(line) for line in flowers(folder, "--format", "jsonl").splitlines()]
    assert [line["prediction"] for line in lines] == SPECIES
    assert json.loads(flowers(folder, "--format", "json")) == lines
    assert json.loads(flowers(folder, "--json")) == lines
    assert json.loads(predict(folder, "3", "--json"))[0]["prediction"] == pytest.approx(6, abs=1e-2)


def test_a_table_is_for_people(folder: Path) -> None:
    head, _, *rows = [
        line for line in flowers(folder, "--format", "table").splitlines() if line.strip()
    ]
    assert head.split() == ["row", "prediction", "confidence"]
    assert [row.split()[:2] for row in rows] == [[str(i + 1), SPECIES[i]] for i in range(3)]


def test_probabilities_and_ranks(folder: Path) -> None:
    options = ["--format", "jsonl", "--probs", "--top-k", "2"]
    for text, species in zip(flowers(folder, *options).splitlines(), SPECIES, strict=True):
        found = json.loads(text)
        shares = found["probabilities"]
        assert list(shares) == SPECIES
        assert sum(shares.values()) == pytest.approx(1, abs=1e-6)
        assert found["confidence"] == max(shares.values()) == shares[species]
        ranked = sorted(shares.items(), key=lambda item: -item[1])[:2]
        assert [(one["class"], one["probability"]) for one in found["top_k"]] == ranked
    header = flowers(folder, "--probs", "--top-k", "9").splitlines()[0].split(",")
    assert header == [
        "prediction", "confidence",
        "probability_setosa", "probability_versicolor", "probability_virginica",
        "top_1", "top_1_probability", "top_2", "top_2_probability", "top_3", "top_3_probability",
    ]  # fmt: skip


def test_predictions_below_the_least_confidence_are_left_empty(folder: Path) -> None:
    found = json.loads(flowers(folder, "--json"))
    least = sorted(one["confidence"] for one in found)[1]
    kept = json.loads(flowers(folder, "--json", "--min-confidence", repr(least)))
    for before, after in zip(found, kept, strict=True):
        assert after["confidence"] == before["confidence"]
        wanted = before["prediction"] if before["confidence"] >= least else None
        assert after["prediction"] == wanted
    assert "\n," in flowers(folder, "--min-confidence", repr(least))  # csv leaves it empty


@pytest.mark.parametrize("ending", ["csv", "json", "jsonl", "txt"])
def test_an_output_is_written_in_the_form_that_its_name_says(
    ending: str, folder: Path, tmp_path: Path
) -> None:
    output = tmp_path / f"out.{ending}"
    assert flowers(folder, "--output", output) == ""
    form = {"txt": "table"}.get(ending, ending)
    assert output.read_text() == flowers(folder, "--format", form)


def test_an_existing_output_needs_force(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.csv"
    output.write_text("mine")
    words = ["predict", "1", "2", "--output", output]
    dlcli(*words, folder=folder, check=2)
    assert output.read_text() == "mine"
    dlcli(*words, "--force", folder=folder)
    assert output.read_text().startswith("prediction\n")


def test_a_failure_leaves_no_half_of_an_output(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("x\n" + "1.00000000\n" * 200_000 + "oops\n")
    words = ["predict", tmp_path / "bad.csv"]
    dlcli(*words, "--output", tmp_path / "out.csv", folder=folder, check=4)
    assert [path.name for path in tmp_path.iterdir()] == ["bad.csv"]
    answer = as_json(*words, folder=folder, check=4)
    assert 'bad.csv, row 200001, column `x`: "oops"' in answer["errors"][0]["message"]


# what is odd about the inputs


def test_what_training_did_not_show_is_counted(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "odd.csv").write_text("size,city\n60,Rome\n60,Paris\n9999,Bonn\n,Oslo\n60,\n")
    done = dlcli("predict", tmp_path / "odd.csv", "--checkpoint", "houses", folder=folder)
    assert done.stdout.count("\n") == 6
    assert sorted(done.stderr.splitlines()) == [
        "warning: column `city`, category not seen (often enough) in training: 3",
        "warning: column `size`, missing value: 1",
        "warning: column `size`, value far outside the training range: 1",
    ]


def test_a_cell_that_does_not_parse_is_told_with_its_place(folder: Path) -> None:
    done = dlcli("predict", "-", folder=folder, stdin="x\n1\ntwo\n", check=4)
    assert 'stdin.csv, row 2, column `x`: "two" is not a number' in done.stderr


def test_rows_that_do_not_parse_are_left_out_when_asked_and_the_others_numbered(
    folder: Path,
) -> None:
    given = "x\n" + "".join("two\n" if n in {1, 7, 8} else f"{n}\n" for n in range(10))
    done = dlcli("predict", "-", "--skip-errors", folder=folder, stdin=given)
    found = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [int(row["row"]) for row in found] == [1, 3, 4, 5, 6, 7, 10]
    assert [float(row["prediction"]) for row in found] == pytest.approx(
        [0, 4, 6, 8, 10, 12, 18], abs=0.1
    )
    assert 'skipped: stdin.csv, row 8, column `x`: "two" is not a number' in done.stderr
    assert "warning: records that cannot be read, left out: 3" in done.stderr


# deployment


@pytest.mark.parametrize("name", ["line", "iris", "houses"])
def test_a_checkpoint_alone_predicts_what_it_did(name: str, tmp_path: Path) -> None:
    work, alone = tmp_path / "work", tmp_path / "alone"
    work.mkdir()
    alone.mkdir()
    (work / "line.yaml").write_text(LINE + "train: {epochs: 20}\n")
    (work / "iris.yaml").write_text(IRIS + "train: {epochs: 3}\n")
    (work / "houses.yaml").write_text(HOUSES + "train: {epochs: 3}\n")
    rows = [f"{50 + i % 30},{['Rome', 'Oslo'][i % 2]},{i % 30 * 2.5}" for i in range(120)]
    (work / "houses.csv").write_text("size,city,price\n" + "\n".join(rows) + "\n")
    inputs = {
        "line": ["1", "2", "-3"],
        "iris": [json.dumps(FLOWERS), "--probs"],
        "houses": ['{"size": 55, "city": "Oslo"}', '{"size": 70, "city": "Kiel"}'],
    }[name]
    result = as_json("train", f"{name}.yaml", folder=work)
    before = predict(work, *inputs, "--format", "jsonl")
    shutil.copy(work / result["checkpoint"], alone / "model.safetensors")
    shutil.rmtree(work)
    after = predict(alone, *inputs, "--format", "jsonl", "--checkpoint", "model.safetensors")
    assert after == before
    assert sorted(path.name for path in alone.iterdir()) == ["model.safetensors"]


def test_python_predicts_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    flower_records: list[dict[str, Any]] = [dict(zip(NAMES, row, strict=True)) for row in FLOWERS]
    assert package.load("iris").predict(flower_records) == SPECIES
    house = {"size": 61, "city": "Oslo"}
    shown = float(predict(folder, json.dumps(house), "--checkpoint", "houses"))
    assert package.load("houses").predict([house, house]) == [shown, shown]
    (x,) = package.load("latest").predict([{"x": 3}])
    assert float(predict(folder, "3")) == x


def test_what_is_read_is_never_written_over(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "records.csv"
    path.write_text("x\n1\n2\n")
    words = ["predict", path, "--output", path, "--force", "--checkpoint", "line"]
    done = dlcli(*words, folder=folder, check=2)
    assert "is what is being read" in done.stderr
    assert path.read_text() == "x\n1\n2\n"
