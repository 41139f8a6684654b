from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcli.config.nodes import Origin
from dlcli.config.syntax import lines_of
from dlcli.config.write import written
from dlcli.config.yaml import MAX_DEPTH, parse
from dlcli.errors import ConfigError


def read(text):
    return parse(text, Origin("c.yaml"))


def value(text):
    node, faults = read(f"a: {text}")
    assert faults == []
    return node.plain()["a"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1e-3", 0.001),
        ("1E5", 100000.0),
        ("-2", -2),
        ("+2", 2),
        ("0", 0),
        ("-0.5", -0.5),
        (".5", 0.5),
        ("1.", 1.0),
        ("no", "no"),
        ("on", "on"),
        ("yes", "yes"),
        ("off", "off"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("010", "010"),
        ("0x1f", "0x1f"),
        ("1_000", "1_000"),
        ("12:30:45", "12:30:45"),
        ("2024-01-31", "2024-01-31"),
        ("nan", "nan"),
        ("1e", "1e"),
        ("'1'", "1"),
        ('"true"', "true"),
        ("=", "="),
        ("|\n  1", "1"),
    ],
)
def test_a_plain_scalar_is_what_it_looks_like(text, expected):
    found = value(text)
    assert (found, type(found)) == (expected, type(expected))


def test_keys_are_always_text():
    node, _ = read("1: a\ntrue: b\nnull: c\n0.5: d")
    assert list(node.plain()) == ["1", "true", "null", "0.5"]


def test_a_value_knows_where_it_stands():
    node, _ = read("a:\n  b: [1, hello]\n")
    found = node.get(("a", "b", 1))
    assert (found.place.line, found.place.column, found.place.length) == (2, 10, 5)
    assert node.get(("a", "b")).key.column == 3


def test_columns_count_letters_not_bytes():
    node, _ = read("ä: {ö: ü, b: x}")
    assert node.get(("ä", "b")).place.column == 14


@pytest.mark.parametrize(
    ("text", "line", "column", "said"),
    [
        ("", 0, 0, "holds no value"),
        ("# nothing\n", 0, 0, "holds no value"),
        ("a: 1\nb: \0", 2, 4, "NUL"),
        ("a: \ufeff", 1, 4, "byte order mark"),
        ("a: \x1b[31m", 1, 4, "U+001B"),
        ("a:\n\t- b", 2, 1, "a tab cannot indent"),
        ("a: @x", 1, 4, "`@` cannot begin a value"),
        ("a: [1, 2\nb: 3", 1, 4, "`[` is not closed"),
        ("a: {b: 1", 1, 4, "`{` is not closed"),
        ("a: 'x", 1, 4, "a quote is not closed"),
        ("a: b: c", 1, 5, "a `:` where no key can stand"),
        ("a: 1\n  b: 2", 2, 4, "a `:` where no key can stand"),
        ("a: {b}_{c}.wav", 1, 4, "`{` at the beginning of a value begins a map, which ends before"),
        ("a: {x: 1, b: {b}_{c}.wav}", 1, 14, "`{` at the beginning of a value begins a map"),
        ("a: 1\n---\nb: 2", 2, 1, "a second one"),
        ("? [a]\n: 1", 1, 3, "a key must be text"),
        ("a: &x 1\n<<: {b: 1}", 2, 1, "merge keys"),
        ("a: *x", 1, 4, "repeats nothing"),
        ("a: &x [*x]", 1, 8, "repeats nothing"),
        ("[" * 3000, 1, MAX_DEPTH + 2, "nested deeper"),
        ("{a: " * 3000, 1, 4 * MAX_DEPTH + 5, "nested deeper"),
    ],
)
def test_a_text_without_structure_is_one_fault_with_its_place(text, line, column, said):
    with pytest.raises(ConfigError) as caught:
        read(text)
    (fault,) = caught.value.faults
    assert said in fault.message
    assert (fault.line, fault.column) == (line, column)


@pytest.mark.parametrize(
    ("label", "suggestion"),
    [
        ("a.yaml", """quote it: "{b}_{c}.wav\""""),
        (
            "command line: a={b}_{c}.wav",
            """quote it twice, for YAML and the shell: '"{b}_{c}.wav"'""",
        ),
    ],
)
def test_a_text_that_begins_with_a_brace_is_to_be_quoted(label, suggestion):
    with pytest.raises(ConfigError) as caught:
        parse("{b}_{c}.wav", Origin(label))
    assert caught.value.faults[0].suggestion == suggestion


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: .nan", "not a finite number"),
        ("a: -.inf", "not a finite number"),
        ("a: 1e999", "too large"),
        ("a: " + "9" * 5000, "5000 characters"),
        ("a: !!float 1", "tags such as"),
        ("a: !x {b: 1}", "tags such as"),
        ('a: "\\0"', "NUL"),
        ("a: 1\na: 2", "duplicate key `a`"),
    ],
)
def test_a_bad_value_leaves_a_tree_to_check_further(text, said):
    node, (fault,) = read(text)
    assert said in fault.message
    assert (fault.line, fault.path) == (len(lines_of(text)), ("a",))
    assert "a" in node.value


def test_a_duplicate_key_names_both_places():
    node, (fault,) = read("s:\n  a: 1\n  b: 2\n  a: 3\n")
    assert fault.message == "duplicate key `a` in `s`"
    assert (fault.line, fault.column) == (4, 3)
    assert fault.suggestion == "it stands in line 2 already"
    assert node.plain() == {"s": {"a": 1, "b": 2}}


def test_an_alias_repeats_a_value():
    node, _ = read("a: &x [1, {b: 2}]\nc: *x")
    assert node.plain()["c"] == [1, {"b": 2}]


def test_an_alias_bomb_is_refused():
    lines = ["a0: &a0 [x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 20)]
    with pytest.raises(ConfigError, match="aliases repeat more than"):
        read("\n".join(lines))


@settings(max_examples=300, deadline=None)
@given(st.text())
def test_any_text_is_a_tree_or_a_config_error(text):
    with suppress(ConfigError):
        read(text)


yamlish = st.text(alphabet=st.sampled_from("ab1.-_:,[]{}\"'#&*!|>%@?\n \t\\~0e"), max_size=60)


@settings(max_examples=500, deadline=None)
@given(yamlish)
def test_any_punctuation_is_a_tree_or_a_config_error(text):
    with suppress(ConfigError):
        read(text)


scalars = st.none() | st.booleans() | st.integers(-(10**50), 10**50) | st.text() | yamlish
scalars |= st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(max_size=8).filter(lambda text: "\0" not in text)
trees = st.recursive(
    scalars.filter(lambda value: not (isinstance(value, str) and "\0" in value)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(texts, trees, min_size=1, max_size=4))
def test_what_is_written_reads_back(data):
    node, faults = read(written(data))
    assert faults == []
    assert node.plain() == data
    assert repr(node.plain()) == repr(data)  # 1 and 1.0 and True are equal
