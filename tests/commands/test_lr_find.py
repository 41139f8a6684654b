"""`dlcli lr-find`: a table, a picture and a suggestion; nothing is trained."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from dlcli.commands.lr_find import find_lr
from dlcli.config.read import read_config
from tests.command_line import as_json, dlcli

IRIS = "data: iris\nmodel: {name: mlp, hidden_sizes: [8]}\noptimizer: {name: adamw, lr: 1e-2}\n"


def test_the_command_suggests_a_rate_that_trains(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(IRIS)
    done = dlcli("lr-find", "c.yaml", "--output", "curve.png", folder=tmp_path)
    assert "suggested: " in done.stdout
    assert "the config has 0.01" in done.stdout
    assert "picture: curve.png" in done.stdout
    with Image.open(tmp_path / "curve.png") as picture:
        assert picture.width > 500
    assert not (tmp_path / "runs").exists()
    next_command = done.stderr.split("next: dlcli ")[1].split()
    trained = as_json(*next_command, "train.epochs=3", folder=tmp_path)
    assert trained["metrics"]["train"]["loss"] < 1


@pytest.mark.parametrize("name", ["x.txt", "x.jpg", "x", "."])
def test_a_picture_of_no_known_format_is_refused_before_any_step(name: str, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(IRIS)
    done = dlcli("lr-find", "c.yaml", "--output", name, folder=tmp_path, check=2)
    assert "its name does not say of which format" in done.stderr
    assert "endings: .png, .svg, .pdf" in done.stderr
    assert "data: iris" not in done.stderr


def test_json_gives_the_whole_curve(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(IRIS)
    result = as_json("lr-find", "c.yaml", folder=tmp_path)
    assert 1e-3 < result["lr"] < 1
    assert result["config_lr"] == 0.01
    assert result["picture"] is None
    assert {*result["curve"][0]} == {"lr", "loss", "smoothed"}


def test_a_curve_that_never_falls_suggests_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = "\n".join(f"{n % 7},{'ab'[n % 2]}" for n in range(140))
    (tmp_path / "t.csv").write_text(f"x,y\n{rows}\n")
    (tmp_path / "c.yaml").write_text(
        "data: {name: table, path: t.csv, target: y}\nmodel: linear\noptimizer: sgd\n"
    )
    outcome = find_lr(read_config(tmp_path / "c.yaml"), is_quiet=True)
    assert outcome.data["lr"] is None
    outcome.show()
    assert "no suggestion" in capsys.readouterr().out
