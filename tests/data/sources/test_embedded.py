"""The embedded sets against scikit-learn's loaders."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import sklearn.datasets

from dlcli.config.data import DataOptions
from dlcli.config.data.embedded import InlineOptions, LineOptions
from dlcli.config.options import components
from dlcli.data.sources.embedded import open_embedded
from dlcli.data.sources.inline import open_inline
from dlcli.data.sources.line import open_line

NAMES = ["digits", "iris", "wine", "breast_cancer", "diabetes"]


def table(sources) -> pa.Table:
    return pa.Table.from_batches(list(sources.train.chunks()))


@pytest.mark.parametrize("name", NAMES)
def test_embedded_sets_are_those_of_scikit_learn(name):
    sources = open_embedded(components(DataOptions)[name](), Path())
    load = getattr(sklearn.datasets, f"load_{name}")
    expected = load(scaled=False) if name == "diabetes" else load()
    found = table(sources)
    inputs = [np.array(found[column].to_pylist()) for column in sources.inputs]
    if name == "digits":
        np.testing.assert_array_equal(inputs[0], expected.images)
    else:
        np.testing.assert_array_equal(np.stack(inputs, axis=1), expected.data)
    answers = found[sources.targets[0]].to_pylist()
    if name in ("iris", "wine", "breast_cancer"):
        assert answers == expected.target_names[expected.target].tolist()
    else:
        assert answers == expected.target.tolist()
    assert sources.task == ("regression" if name == "diabetes" else "classification")


def test_nothing_of_scikit_learn_is_imported():
    code = (
        "import sys; from pathlib import Path;"
        "from dlcli.config.data.embedded import DigitsOptions;"
        "from dlcli.data.sources.embedded import open_embedded;"
        "open_embedded(DigitsOptions(), Path()); print('sklearn' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "False\n"


def test_line_is_two_x():
    sources = open_line(LineOptions(), Path())
    assert table(sources).to_pydict() == {"x": [0, 1, 2, 3], "y": [0, 2, 4, 6]}
    assert sources.task == "regression"


@pytest.mark.parametrize(
    ("x", "y", "inputs", "kind"),
    [
        ([0, 1.5], [1, 2], ("x",), "numeric"),
        ([[0, 1], [2, 3]], ["a", "b"], ("x1", "x2"), "categorical"),
        ([0, 1], [True, False], ("x",), "boolean"),
    ],
)
def test_inline_rows(x, y, inputs, kind):
    sources = open_inline(InlineOptions(x=x, y=y), Path())
    assert sources.inputs == inputs
    assert sources.train.kinds["y"] == kind
    assert table(sources)["y"].to_pylist() == y


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ([1, 2], [1], "`x` has 2 rows and `y` has 1"),
        ([[1, 2], [3]], [1, 2], "different lengths: 1, 2"),
        ([1, 2], [1, "a"], "mixes names and numbers"),
    ],
)
def test_faulty_inline_rows_are_told_by_the_options(x, y, message):
    with pytest.raises(ValueError, match=message):
        InlineOptions(x=x, y=y)
