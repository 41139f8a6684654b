from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from dlcli.build import open_sources
from dlcli.commands.init import init
from dlcli.config.read import read_config
from dlcli.data.labels import decide_task, read_labels
from dlcli.errors import DataError, UsageError


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rows(count=60, separator=",", *, header=True, missing="", quote=""):
    draw = random.Random(0)
    lines = [separator.join(["id", "age", "city", "note", "income"])] if header else []
    for i in range(count):
        age = missing if missing and i % 9 == 4 else str(draw.randint(18, 80))
        note = f"{quote}a remark of some length, number {i * 7919}{quote}".replace(",", ";" * 0)
        city = draw.choice(["Rome", "Oslo"])
        lines.append(separator.join([str(i), age, city, note, draw.choice(["low", "high"])]))
    return "\n".join(lines) + "\n"


def opened(path):
    """Open the data that a config names, as training does."""
    read = read_config(path)
    sources = open_sources(read.config, read.folder)
    labels = read_labels(sources.train, sources.targets, read.config.data.split)
    decide_task(sources, labels, read.config.task)
    return read.config, sources


def test_the_written_config_trains_as_it_stands():
    Path("people.csv").write_text(rows())
    path = init(Path("people.csv"), "income")
    assert path == Path("people.yaml")
    config, sources = opened(path)
    assert config.task == "classification"
    assert config.data.drop == ["id", "note"]
    assert dict(sources.train.kinds) == {
        "age": "numeric",
        "city": "categorical",
        "income": "categorical",
    }
    assert sources.warnings == ()


def test_every_setting_says_why():
    Path("people.csv").write_text(rows())
    text = init(Path("people.csv")).read_text()
    body = text.split("data:")[1]
    settings = [line for line in body.splitlines() if ":" in line and line[:2] != "# "]
    unexplained = [line for line in settings if "#" not in line and not line.endswith(":")]
    assert [line.strip() for line in unexplained] == ["name: table"]


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_separator_and_missing_values_are_found(separator):
    Path("people.csv").write_text(rows(separator=separator, missing="?"))
    config, sources = opened(init(Path("people.csv"), "income"))
    assert config.data.separator == separator
    assert "?" in config.data.na_values
    assert sources.train.kinds["age"] == "numeric"


def test_a_file_without_header_gets_names():
    Path("people.csv").write_text(rows(header=False))
    config, _ = opened(init(Path("people.csv")))
    assert config.data.header is False
    assert config.data.columns == [f"column_{i}" for i in range(1, 6)]
    assert config.data.target == "column_5"


def test_other_encodings_are_found():
    for encoding in ("cp1252", "utf-16"):
        Path("people.csv").write_bytes(rows().replace("Oslo", "Århus").encode(encoding))
        config, sources = opened(init(Path("people.csv"), "income", force=True))
        assert config.data.encoding == encoding
        cities = next(iter(sources.train.chunks(["city"]))).column(0).to_pylist()
        assert set(cities) == {"Rome", "Århus"}


def test_quotes_that_are_text_are_found():
    lines = [f'{i % 2}\tsay "{i}\t{i % 5}\n' for i in range(50)]
    lines[7] = '1\t"open\t3\n'
    Path("a.tsv").write_text("y\twords\tx\n" + "".join(lines))
    config, sources = opened(init(Path("a.tsv"), "x"))
    assert config.data.quoting == "none"
    assert sum(batch.num_rows for batch in sources.train.chunks(["x"])) == 50


def test_numbers_are_a_regression():
    Path("r.csv").write_text("x,price\n" + "".join(f"{i % 7},{i * 1.5}\n" for i in range(40)))
    config, _ = opened(init(Path("r.csv"), "price"))
    assert config.task == "regression"
    assert [metric.name for metric in config.metrics] == ["rmse", "mae", "r2"]


def test_json_lines_are_taken():
    Path("a.jsonl").write_text(
        "".join(f'{{"x": {i % 5}, "y": "{"ab"[i % 2]}"}}\n' for i in range(40))
    )
    config, _ = opened(init(Path("a.jsonl")))
    assert config.data.target == "y"


def test_the_target_is_guessed_from_its_name_or_place():
    Path("a.csv").write_text("label,x\n" + "".join(f"{i % 2},{i % 5}\n" for i in range(30)))
    assert opened(init(Path("a.csv")))[0].data.target == "label"


def test_a_path_is_relative_to_the_config(folder):
    (folder / "data").mkdir()
    (folder / "configs").mkdir()
    Path("data/people.csv").write_text(rows())
    path = init(Path("data/people.csv"), "income", output=Path("configs/p.yaml"))
    assert opened(path)[0].data.path == "../data/people.csv"


def test_an_unknown_target_names_the_nearest_column():
    Path("people.csv").write_text(rows())
    with pytest.raises(UsageError, match="no column `incme`") as caught:
        init(Path("people.csv"), "incme")
    assert caught.value.faults[0].suggestion == "did you mean `income`?"
    assert not Path("people.yaml").exists()


@pytest.mark.parametrize("target", ["note", "same"])
def test_a_target_without_anything_to_learn_is_refused(target):
    lines = rows().splitlines()
    Path("a.csv").write_text(
        "".join(f"{line},{'same' if i == 0 else 1}\n" for i, line in enumerate(lines))
    )
    with pytest.raises(UsageError, match=f"the target `{target}` has"):
        init(Path("a.csv"), target)


def test_a_file_that_exists_is_kept_without_force():
    Path("people.csv").write_text(rows())
    Path("people.yaml").write_text("mine")
    with pytest.raises(UsageError, match=r"people.yaml exists"):
        init(Path("people.csv"))
    assert Path("people.yaml").read_text() == "mine"
    init(Path("people.csv"), force=True)
    assert Path("people.yaml").read_text() != "mine"


def test_a_missing_file_is_a_data_error():
    with pytest.raises(DataError):
        init(Path("none.csv"))


def test_odd_column_names_stay_inside_their_lines():
    header = '"a: b","# c","d\ne","{f}"'
    Path("odd.csv").write_text(
        f"{header}\n" + "".join(f"{i % 3},{i % 4},{i % 5},{i % 2}\n" for i in range(40))
    )
    config, sources = opened(init(Path("odd.csv")))
    assert config.data.target == "{f}"
    assert set(sources.inputs) == {"a: b", "# c", "d\ne"}


@pytest.mark.timeout(10)
def test_a_pipe_or_folder_is_not_read(folder):
    os.mkfifo("p.csv")
    with pytest.raises(DataError, match=r"p\.csv is a pipe, not a file"):
        init(Path("p.csv"))
    with pytest.raises(DataError, match="is a folder, not a file"):
        init(folder)


def test_the_data_file_is_never_written_over():
    Path("people.csv").write_text(rows())
    Path("link.csv").symlink_to("people.csv")
    for output in ("people.csv", "link.csv"):
        with pytest.raises(UsageError, match="is the data file itself"):
            init(Path("people.csv"), output=Path(output), force=True)
    assert Path("people.csv").read_text() == rows()


@pytest.mark.parametrize("unit", [1, 1000])
def test_times_in_seconds_are_no_target(unit):
    draw = random.Random(0)
    lines = [
        f"{i % 50},{draw.randint(1, 5)},{draw.randint(800_000_000, 1_000_000_000) * unit}\n"
        for i in range(100)
    ]
    Path("ratings.csv").write_text("item,rating,timestamp\n" + "".join(lines))
    assert opened(init(Path("ratings.csv")))[0].data.target == "rating"


@pytest.mark.parametrize("ids", [False, True])
def test_text_alone_is_read_and_row_ids_are_not(ids):
    lines = [f"{['ham', 'spam'][i % 2]},a message of some length {i * 7919}" for i in range(60)]
    lines = [f"{i},{line}" if ids else line for i, line in enumerate(lines)]
    Path("sms.csv").write_text("\n".join(["id," * ids + "label,message", *lines]))
    config, sources = opened(init(Path("sms.csv")))
    assert "# 1 input: 1 text;" in Path("sms.yaml").read_text()
    assert config.data.types == {"message": "text"}
    assert config.data.drop == ["id"] * ids
    assert dict(sources.train.kinds) == {"label": "categorical", "message": "text"}
    assert sources.warnings == ()


def test_utf_16_without_a_mark_is_found():
    Path("people.csv").write_bytes(rows().encode("utf-16-be"))
    assert opened(init(Path("people.csv"), "income"))[0].data.encoding == "utf-16-be"
