from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from dlcli.commands.list import FAMILIES, listing, listing_data
from dlcli.config.options import components
from dlcli.errors import UsageError

MEMBERS = [(family, name) for family, base in FAMILIES.items() for name in components(base)]


def test_all_families_and_members_are_listed():
    text = listing()
    assert all(family in text.splitlines() for family in FAMILIES)
    assert all(f"  {name} " in text for _, name in MEMBERS)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_member_says_what_it_is(family):
    for row in listing_data(family)["members"]:
        assert row["about"].endswith(".")
        assert row["name"] in listing(family)
    assert "FILE.py:NAME" in listing(family)
    assert "of your own" in listing(family).splitlines()[-1]


@pytest.mark.parametrize(("family", "name"), MEMBERS)
def test_every_option_of_every_component_is_described(family, name):
    data = json.loads(json.dumps(listing_data(family, name)))
    for option in data["options"]:
        assert option["description"], option
        assert option["type"]
        assert option["name"] in listing(family, name)


def test_an_option_tells_type_default_bounds_and_description():
    options = {row["name"]: row for row in listing_data("models", "mlp")["options"]}
    assert options["dropout"]["type"] == "a number from 0 and below 1"
    assert options["dropout"]["bounds"] == {"ge": 0, "lt": 1}
    assert options["dropout"]["default"] == 0.0
    widths = "a list of one or more whole numbers from 1 to 1,048,576"
    assert options["hidden_sizes"]["type"] == widths
    table = {row["name"]: row for row in listing_data("data", "table")["options"]}
    assert table["path"]["is_required"]
    assert table["split.val"]["default"] == 0.1


def test_one_family_can_be_named_in_the_singular():
    assert listing_data("optimizer") == listing_data("optimizers")
    assert listing_data("loss", "mse") == listing_data("losses", "mse")


def test_sections_list_their_options():
    assert "early_stopping.patience" in listing("train")
    assert "seed" in listing("config")


@pytest.mark.parametrize(
    ("words", "suggestion"),
    [(("modles",), "`models`"), (("models", "mpl"), "`mlp`"), (("optimizers", "AdamW"), "`adamw`")],
)
def test_an_unknown_name_is_told_with_the_nearest(words, suggestion):
    with pytest.raises(UsageError) as caught:
        listing(*words)
    assert caught.value.faults[0].suggestion == f"did you mean {suggestion}?"


def test_listing_imports_no_torch():
    code = "import sys, dlcli.commands.list as l; l.listing(); print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "False"
