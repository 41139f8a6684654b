from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcli.config.load import checked, load
from dlcli.config.resolve import located, origins, resolved
from dlcli.errors import ConfigError, DataError, MachineError, UsageError
from dlcli.messages import render
from tests.config.families import NEEDS, ROOT, Needs, Root


@pytest.fixture
def at(tmp_path, monkeypatch):
    """Write files into the working directory, read one of them: `at({name: text}, *overrides)`."""
    monkeypatch.chdir(tmp_path)

    def read(files, *overrides, env=None):
        files = {"c.yaml": files} if isinstance(files, str | bytes) else files
        for name, text in files.items():
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).write_bytes(text if isinstance(text, bytes) else text.encode())
        layers = load(Path(next(iter(files))), overrides, ROOT, env or {})
        return checked(Root, layers), layers.root

    return read


@pytest.fixture
def faults(at):
    def read(files, *overrides, env=None):
        with pytest.raises(ConfigError) as caught:
            at(files, *overrides, env=env)
        return caught.value.faults

    return read


# -- what is accepted


def test_a_bare_word_is_a_component(at):
    config, _ = at("shape: box\nshapes: [circle, {name: box, sides: [2]}]")
    assert config.shape.name == "box"
    assert [shape.name for shape in config.shapes] == ["circle", "box"]


def test_a_component_without_name_is_the_default_one(at):
    config, _ = at("shape: {radius: 2}")
    assert config.shape.radius == 2


def test_a_whole_number_is_a_number_and_true_is_not(at, faults):
    assert at("rate: 1")[0].rate == 1
    (fault,) = faults("rate: true")
    assert fault.message == "`rate`: expected a number above 0, found `true`"


def test_a_byte_order_mark_and_windows_lines_are_read(at):
    assert at(b"\xef\xbb\xbfrate: 2\r\ncount: 5\r\n")[0].count == 5


# -- messages

MESSAGES = [
    ("rate: abc", "`rate`: expected a number above 0, found text `abc`", 7, ""),
    ("rate: 0", "`rate`: expected a number above 0, found `0`", 7, ""),
    ("rate: '0.1'", "`rate`: expected a number above 0, found text `0.1`", 7,
     "write 0.1, without quotes"),
    ("rate: 0,5", "`rate`: expected a number above 0, found text `0,5`", 7,
     "write 0.5, without quotes"),
    ("count: 1e1", "`count`: expected a whole number from 1 to 1,000,000,000, found `10.0`", 8,
     "write 10"),
    ("count: 1_000", "`count`: expected a whole number from 1 to 1,000,000,000, found text `1_000`",
     8, "write 1000, without quotes"),
    ("count:", "`count`: expected a whole number from 1 to 1,000,000,000, found nothing", 7, ""),
    ("count: [1]", "`count`: expected a whole number from 1 to 1,000,000,000, found a list of 1", 1,
     "write the value without brackets"),
    ("flag: yes", "`flag`: expected `true` or `false`, found text `yes`", 7,
     "did you mean `true`?"),
    ("text: 5", "`text`: expected text, found `5`", 7, 'write "5" in quotes'),
    ("text: {label}", "`text`: expected text, found keys (`label:`)", 1,
     'write "{label}" in quotes'),
    ("paths: [1]", "`paths.0`: expected text, found `1`", 9, 'write "1" in quotes'),
    ("paths: {a: b}", "`paths`: expected text or a list of texts, found keys (`a:`)", 1, ""),
    ("mixed: true", "`mixed`: expected a whole number, a list of texts or `KEY: VALUE` pairs, "
     "each value a number, found `true`", 8, "write [true]"),
    ("mixed: {a: x}", "`mixed.a`: expected a number, found text `x`", 12, ""),
    ("grid: [[1], [a]]", "`grid.1.0`: expected a number, found text `a`", 14, ""),
    ("grid: [1, a]", "`grid.1`: expected a number, found text `a`", 11, ""),
    ("either: -1", "`either`: expected a number from 0, found `-1`", 9, ""),
    ("words: {a: {b: 1}}", "`words.a.b`: expected text, found `1`", 16, 'write "1" in quotes'),
    ("cuont: 1", "unknown key `cuont`", 1, "did you mean `count`?"),
    ("inner: {dpeth: 1}", "unknown key `dpeth` in `inner`", 9, "did you mean `depth`?"),
    ("depth: 1", "unknown key `depth`", 1, "did you mean `inner.depth` or `maybe.depth`?"),
    ("inner:", "`inner`: expected a section of `KEY: VALUE` lines, found nothing", 7,
     "leave the key out, or put options under it"),
    ("inner: 1", "`inner`: expected a section of `KEY: VALUE` lines, found `1`", 8, ""),
    ("maybe: 1", "`maybe`: expected a section of `KEY: VALUE` lines or null, found `1`", 8, ""),
    ("inner: {low: 5, high: 2}", "`inner`: `low` is above `high`", 9, ""),
    ("shape: crcle", "unknown shape `crcle`", 8, "did you mean `circle`?"),
    ("shape: {name: 4}", "`shape.name`: expected the name of a shape, found `4`", 15, ""),
    ("shape: 4", "`shape`: expected a name, or `name:` and its options, found `4`", 8, ""),
    ("wanted: {radius: 1}", "missing key `name` in `wanted`: which shape", 1, ""),
    ("shape: {name: circle, circle: 1}", "unknown key `circle` in `shape`", 23, ""),
    ("shape: {name: box, box: 1, radius: 2}", "unknown key `box` in `shape`", 20, ""),
    ("shape: {name: box, sides: [0]}",
     "`shape.sides.0`: expected a whole number from 1 to 1,000,000,000, found `0`", 28, ""),
    ("shape: {name: box, betas: [0.9]}",
     "`shape.betas`: expected a list of 2 numbers from 0 and below 1, found a list of 1", 20, ""),
    ("shape: {name: box, betas: [0.9, 1]}",
     "`shape.betas.1`: expected a number from 0 and below 1, found `1`", 33, ""),
    ("shape: {name: box, tag: bleu}",
     "`shape.tag`: expected `red`, `blue` or null, found text `bleu`", 25,
     "did you mean `blue`?"),
    ("shapes: []",
     "`shapes`: expected a list of one or more names or null, found an empty list", 1, ""),
    ("shapes: [box, {name: bxo}]", "unknown shape `bxo`", 22, "did you mean `box`?"),
    ("shapes: [1]", "`shapes.0`: expected a name, or `name:` and its options, found `1`", 10, ""),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message", "column", "suggestion"), MESSAGES)
def test_a_fault_is_told_in_plain_words_at_its_place(faults, text, message, column, suggestion):
    fault = faults(text)[0]
    assert fault.message == message
    assert (fault.file, fault.line, fault.column) == ("c.yaml", 1, column)
    assert fault.suggestion == suggestion
    assert fault.source == text


def test_all_faults_are_told_at_once_in_the_order_of_the_file(faults):
    text = (
        "rate: abc\n"
        "lenght: 3\n"
        "shape: {name: box, sides: [0, x], nmae: 1}\n"
        "count: ${env:NOT_SET}\n"
        "flag: .nan\n"
        "rate: 2\n"
        "maybe: {low: a}\n"
    )
    found = [(fault.line, fault.message) for fault in faults(text)]
    assert found == [
        (1, "`rate`: expected a number above 0, found text `abc`"),
        (2, "unknown key `lenght`"),
        (3, "`shape.sides.0`: expected a whole number from 1 to 1,000,000,000, found `0`"),
        (3, "`shape.sides.1`: expected a whole number from 1 to 1,000,000,000, found text `x`"),
        (3, "unknown key `nmae` in `shape`"),
        (4, "`count`: the environment variable `NOT_SET` is not set"),
        (5, "`.nan` is not a finite number"),
        (6, "duplicate key `rate`"),
        (7, "`maybe.low`: expected a whole number, found text `a`"),
    ]


def test_an_unknown_key_says_what_is_taken(faults):
    (fault,) = faults("shape: {name: circle, radus: 1}")
    assert fault.note == "circle takes: radius"
    assert faults("shape: {name: tri}")[0].note == "accepted: circle, box"


def test_the_message_looks_as_designed(faults):
    with_source = render(ConfigError(faults("count: 2\nshape:\n  name: circle\n  radus: 1\n")))
    assert with_source == (
        "error[config]: unknown key `radus` in `shape`\n"
        "  c.yaml:4:3\n"
        "   4 |   radus: 1\n"
        "     |   ^^^^^ did you mean `radius`?\n"
        "  circle takes: radius"
    )


@pytest.mark.parametrize("text", ["- a\n- b", "abc", "5", "a:b"])
def test_a_root_that_is_no_map_is_one_fault(faults, text):
    (fault,) = faults(text)
    assert "expected sections such as" in fault.message
    assert (fault.line, fault.column) == (1, 1)


def test_text_that_is_not_utf8_is_told_with_its_place(faults):
    (fault,) = faults(b"a: 1\ntext: caf\xe9\n")
    assert (fault.line, fault.column) == (2, 10)
    assert "byte 0xE9 is not UTF-8" in fault.message


# -- files


def test_a_missing_file_is_a_usage_error_that_names_a_near_one(tmp_path):
    (tmp_path / "adult.yaml").write_text("")
    with pytest.raises(UsageError, match="no such config file") as caught:
        load(tmp_path / "adlut.yaml", (), ROOT, {})
    assert "adult.yaml" in caught.value.faults[0].suggestion


def test_a_folder_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="is a folder"):
        load(tmp_path, (), ROOT, {})


def test_a_file_that_cannot_be_a_path_is_told(tmp_path):
    with pytest.raises((MachineError, UsageError)):
        load(tmp_path / ("x" * 5000), (), ROOT, {})


def test_a_huge_file_is_no_config(faults):
    (fault,) = faults(b"#" * (17 * 2**20))
    assert "this is no config" in fault.message


def test_a_far_name_is_not_suggested(tmp_path):
    (tmp_path / "dots.yaml").write_text("")
    with pytest.raises(UsageError) as caught:
        load(tmp_path / "nope.yaml", (), ROOT, {})
    assert caught.value.faults[0].suggestion == ""


def test_a_pipe_or_a_device_is_a_usage_error(tmp_path):
    os.mkfifo(tmp_path / "p.yaml")
    for path in (tmp_path / "p.yaml", Path("/dev/zero")):
        with pytest.raises(UsageError, match="is a pipe or a device, not a config file"):
            load(path, (), ROOT, {})


# -- extends


def test_maps_merge_and_lists_are_replaced(at):
    config, _ = at(
        {
            "c.yaml": "extends: base.yaml\ninner: {depth: 2}\nshapes: [box]\nrate: 3",
            "base.yaml": "inner: {low: 1}\nshapes: [circle, circle]\nrate: 1\ncount: 7",
        }
    )
    assert (config.inner.depth, config.inner.low) == (2, 1)
    assert len(config.shapes) == 1
    assert (config.rate, config.count) == (3, 7)


def test_another_component_drops_the_inherited_options(at):
    base = "shape: {name: circle, radius: 5}"
    other, _ = at({"c.yaml": "extends: base.yaml\nshape: box", "base.yaml": base})
    same, _ = at({"c.yaml": "extends: base.yaml\nshape: {name: circle}", "base.yaml": base})
    more, _ = at({"c.yaml": "extends: base.yaml\nshape: {radius: 6}", "base.yaml": base})
    assert other.shape.name == "box"
    assert same.shape.radius == 5
    assert more.shape.radius == 6


def test_options_of_an_unnamed_default_are_dropped_with_it(at):
    config, _ = at(
        {
            "c.yaml": "extends: b.yaml\nshape: {name: box, sides: [2]}",
            "b.yaml": "shape: {radius: 5}",
        }
    )
    assert config.shape.sides == [2]


def test_null_takes_an_inherited_section_away(at):
    config, _ = at({"c.yaml": "extends: b.yaml\nmaybe: null", "b.yaml": "maybe: {depth: 3}"})
    assert config.maybe is None


def test_extends_goes_through_several_files_in_their_folders(at):
    config, _ = at(
        {
            "c.yaml": "extends: sub/b.yaml\nrate: 1",
            "sub/b.yaml": "extends: deep/a.yaml\ncount: 2",
            "sub/deep/a.yaml": "count: 9\ntext: far",
        }
    )
    assert (config.rate, config.count, config.text) == (1, 2, "far")


def test_a_fault_in_a_base_stands_in_the_base(faults):
    (fault,) = faults({"c.yaml": "extends: b.yaml", "b.yaml": "count: 1\nrate: x"})
    assert (fault.file, fault.line, fault.column) == ("b.yaml", 2, 7)


@pytest.mark.parametrize("text", ["extends: c.yaml", "extends: ./sub/../c.yaml"])
def test_a_circle_is_told(faults, text):
    (fault,) = faults({"c.yaml": text, "sub/x": ""})
    assert "goes round in a circle" in fault.message
    assert fault.line == 1


@pytest.mark.usefixtures("at")
def test_a_circle_is_told_once():
    files = {"c.yaml": "inner: {low: 1}\nextends: b.yaml", "b.yaml": "rate: 1\nextends: c.yaml"}
    Path("c.yaml").write_text(files["c.yaml"])
    Path("b.yaml").write_text(files["b.yaml"])
    layers = load(Path("c.yaml"), (), NEEDS, {})
    with pytest.raises(ConfigError) as caught:
        checked(Needs, layers)
    (fault,) = caught.value.faults
    assert "goes round in a circle" in fault.message
    assert (fault.file, fault.line) == ("b.yaml", 2)


@pytest.mark.usefixtures("at")
def test_what_a_missing_base_may_hold_is_not_missed():
    Path("c.yaml").write_text(
        "extends: b.yaml\nwanted: {radius: 1}\nshape: {sides: [2]}\ninner: {low: 12}\n"
        "shapes: [{name: box, radius: 2}]\nneeded: 1\n"
    )
    with pytest.raises(ConfigError) as caught:
        checked(Needs, load(Path("c.yaml"), (), NEEDS, {}))
    assert [fault.path for fault in caught.value.faults] == [
        ("extends",),
        ("shapes", 0, "radius"),
        ("needed",),
    ]


@pytest.mark.parametrize(
    ("base", "data", "message"),
    [
        ("/dev/zero", None, "cannot read /dev/zero: a pipe or a device, not a config file"),
        ("pipe.yaml", None, "cannot read pipe.yaml: a pipe or a device, not a config file"),
        ("large.yaml", b"#" * (17 * 2**20), "large.yaml: larger than 16 MB"),
        ("latin.yaml", b"a: 1\ntext: caf\xe9", "latin.yaml:2:10: byte 0xE9 is not UTF-8"),
        ("zero.yaml", b"text: \0\0", "zero.yaml:1:7: a NUL byte cannot stand in a config"),
    ],
)
def test_a_base_that_is_no_text_is_told_at_the_key(faults, base, data, message, tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    files = {"c.yaml": f"count: 1\nextends: {base}\n"} | ({base: data} if data else {})
    (fault,) = faults(files)
    assert f"`extends`: {message}" in fault.message
    assert (fault.file, fault.line, fault.column) == ("c.yaml", 2, 10)


def test_a_missing_base_is_told_beside_other_faults(faults):
    first, second = faults({"c.yaml": "extends: bsae.yaml\nrate: x", "base.yaml": "count: 1"})
    assert "cannot read bsae.yaml" in first.message
    assert first.suggestion == "did you mean `base.yaml`?"
    assert second.path == ("rate",)


def test_a_chain_without_end_is_told(faults):
    files = {"c.yaml": "extends: c0.yaml"}
    files |= {f"c{i}.yaml": f"extends: c{i + 1}.yaml" for i in range(40)}
    assert "more than 20 files" in faults(files)[0].message


def test_extends_must_be_text(faults):
    (fault,) = faults("extends: [a]")
    assert "expected the path of a config" in fault.message
    (fault,) = faults('extends: "a\\0"')
    assert "NUL" in fault.message


# -- environment


def test_a_reference_is_read_as_if_it_stood_there(at):
    config, root = at(
        "rate: ${env:RATE}\ntext: a ${env:X} b\nshape: ${env:S}",
        env={"RATE": "1e-3", "X": "7", "S": "box"},
    )
    assert (config.rate, config.text, config.shape.name) == (0.001, "a 7 b", "box")
    data = resolved(config, root)
    assert (data["rate"], data["text"]) == ("${env:RATE}", "a ${env:X} b")
    assert data["shape"]["name"] == "${env:S}"
    portable = resolved(config, root, only_paths=True)
    assert (portable["rate"], portable["shape"]["name"]) == (0.001, "box")
    assert portable["text"] == "a 7 b"


def test_a_kept_reference_is_one_in_a_path(at):
    text = "text: $${env:X} ${env:X}\npaths: ['${env:X}/$${y}', '$${env:X}']"
    config, root = at(text, env={"X": "7"})
    assert resolved(config, root)["text"] == "$${env:X} ${env:X}"
    portable = resolved(config, root, only_paths=True)
    assert portable["text"] == "$${env:X} 7"
    assert portable["paths"] == ["${env:X}/$${y}", "$${env:X}"]


def test_a_number_from_the_environment_is_text_where_text_is_wanted(at):
    assert at("text: ${env:X}", env={"X": "007"})[0].text == "007"
    assert at("text: ${env:X}", env={"X": "7"})[0].text == "7"
    assert at("text: ${env:X}", env={"X": ""})[0].text == ""


def test_an_escaped_reference_is_text(at):
    config, root = at("text: $${env:X}")
    assert config.text == "${env:X}"
    assert resolved(config, root)["text"] == "$${env:X}"


def test_a_value_from_the_environment_is_not_repeated_in_a_message(faults):
    (fault,) = faults("rate: ${env:KEY}", env={"KEY": "s3cret"})
    assert "s3cret" not in render(ConfigError([fault]))
    assert fault.message.endswith("found text from `${env:KEY}`")


def test_an_unset_variable_is_told_with_a_near_one(faults):
    (fault,) = faults("rate: ${env:RAET}", env={"RATE": "1"})
    assert fault.suggestion == "did you mean `RATE`?"
    assert (fault.line, fault.column) == (1, 7)


def test_another_kind_of_reference_is_told(faults):
    (fault,) = faults("text: ${HOME}/x")
    assert fault.suggestion == "did you mean `${env:HOME}`?"


# -- overrides


@pytest.mark.parametrize(
    ("override", "path", "expected"),
    [
        ("rate=1e-2", ("rate",), 0.01),
        ("inner.depth=4", ("inner", "depth"), 4),
        ("shape=box", ("shape", "name"), "box"),
        ("shape.radius=3", ("shape", "radius"), 3),
        ("shapes.1=circle", ("shapes", 1, "name"), "circle"),
        ("shapes.0.sides=[7]", ("shapes", 0, "sides"), [7]),
        ("maybe={depth: 2}", ("maybe", "depth"), 2),
        ("text=a=b", ("text",), "a=b"),
        ("name=", ("name",), None),
        ("words.a.1=x", ("words", "a", "1"), "x"),
    ],
)
def test_an_override_is_read_by_the_same_dialect(at, override, path, expected):
    _, root = at("name: n\nshape: circle\nshapes: [box, box]", override)
    assert root.get(path).plain() == expected
    assert str(root.get(path).place) == f"command line: {override}"


@pytest.mark.parametrize("order", [1, -1])
def test_overrides_of_one_component_go_together_in_any_order(at, order):
    overrides = ["shape.name=box", "shape.sides=[4]"][::order]
    config, _ = at("shape: {name: circle, radius: 2}", *overrides)
    assert config.shape.sides == [4]


def test_an_override_is_named_in_its_fault(faults):
    wrong, unknown = faults("rate: 1", "shape.radus=1", "count=x")
    assert unknown.file == "command line: shape.radus=1"
    assert unknown.suggestion == "did you mean `radius`?"
    assert (wrong.file, wrong.line) == ("command line: count=x", 0)
    assert "  command line: shape.radus=1\n  did you mean `radius`?" in render(
        ConfigError([unknown])
    )


def test_an_index_beyond_the_list_is_told(faults):
    (fault,) = faults("shapes: [box]", "shapes.3=box")
    assert "the list has 1 values" in fault.message


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("text.0=y", "no value number 0: `text` is one text, not a list"),
        ("inner.depth.1=y", "no value number 1: `inner.depth` is one value, not a list"),
    ],
)
def test_an_index_of_a_single_value_is_told(faults, override, message):
    (fault,) = faults("text: x\ninner: {depth: 2}", override)
    key = override.rpartition(".")[0]
    assert (fault.message, fault.suggestion) == (message, f"write {key}=...")
    assert fault.path == (*key.split("."), int(override[-3]))


@pytest.mark.parametrize("text", ["rate", "=1", "a..b=1", "rate=[1", "rate=a: b: c", "rate=#1"])
def test_a_malformed_override_is_a_usage_error(at, text):
    with pytest.raises(UsageError) as caught:
        at("rate: 1", text)
    assert "rate" in render(caught.value) or "KEY=VALUE" in render(caught.value)


# -- paths


def test_paths_are_relative_to_the_main_file(at):
    files = {
        "configs/c.yaml": "extends: ../bases/b.yaml\ntext: own.csv",
        "bases/b.yaml": "paths: [a.csv, /abs.csv, ~/home.csv, '${env:D}/x.csv']",
    }
    config, root = at(files, env={"D": "d"})
    assert config.paths == ["../bases/a.csv", "/abs.csv", "~/home.csv", "../bases/d/x.csv"]
    assert config.text == "own.csv"
    assert resolved(config, root)["paths"][3] == "../bases/${env:D}/x.csv"
    config, _ = at(files, "paths=here.csv", env={"D": "d"})
    assert config.paths == "../here.csv"
    config, _ = at({"c.yaml": "paths: x.csv"}, "paths=./y.csv")
    assert config.paths == "./y.csv"


def test_a_path_of_the_command_line_is_found_from_a_linked_folder(at, tmp_path):
    (tmp_path / "far" / "away").mkdir(parents=True)
    (tmp_path / "configs").symlink_to(tmp_path / "far" / "away")
    config, _ = at({"configs/c.yaml": "text: x"}, "paths=here.csv")
    assert Path("configs", config.paths).resolve() == tmp_path / "here.csv"


def test_an_absolute_folder_from_the_environment_stays(at):
    files = {"c.yaml": "extends: sub/b.yaml", "sub/b.yaml": "paths: ${env:D}/x.csv"}
    config, root = at(files, env={"D": "/data"})
    assert config.paths == "/data/x.csv"
    assert resolved(config, root)["paths"] == "${env:D}/x.csv"


# -- places found later


def test_a_fault_about_the_data_gets_its_place(at):
    _, root = at("rate: 1\ninner:\n  depth: 2\nshape: box", "count=2")
    error = DataError("too deep", path=("inner", "depth"), suggestion="dig")
    (fault,) = located(error, root).faults
    assert (fault.file, fault.line, fault.column, fault.suggestion) == ("c.yaml", 3, 10, "dig")
    assert isinstance(located(error, root), DataError)
    (fault,) = located(ConfigError("x", path=("count",)), root).faults
    assert fault.file == "command line: count=2"
    (fault,) = located(ConfigError("x", path=("shape", "name")), root).faults
    assert (fault.line, fault.column) == (4, 8)
    (fault,) = located(ConfigError("x", path=("maybe", "low")), root).faults
    assert (fault.file, fault.line) == ("c.yaml", 0)
    assert located(plain := ConfigError("x"), root) is plain


def test_origins_say_where_each_value_came_from(at):
    config, root = at(
        {"c.yaml": "extends: b.yaml\ncount: ${env:N}\nshape: box", "b.yaml": "\nrate: 1"},
        "inner.low=2",
        env={"N": "4"},
    )
    found = origins(config, root)
    assert found["rate"] == "b.yaml:2"
    assert found["count"] == "${env:N}, c.yaml:2"
    assert found["shape.name"] == "c.yaml:3"
    assert found["inner.low"] == "command line: inner.low=2"
    assert found["inner.depth"] == "default"


words = st.sampled_from(
    [*Root.model_fields, "radius", "sides", "circle", "box", "extends", "env:X", "${env:X}", "low"]
)
yamlish = st.lists(
    words | st.sampled_from(list(" :,[]{}-\n'\"#&*1.0e")) | st.just("\n  ") | st.just(": "),
    max_size=30,
).map("".join)


@settings(max_examples=300, deadline=None)
@given(yamlish, st.lists(yamlish, max_size=2))
def test_nothing_but_our_own_errors_is_raised(tmp_path_factory, text, overrides):
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(text)
    with suppress(ConfigError, UsageError):
        checked(Root, load(path, overrides, ROOT, {"X": "1"}))
