"""What `dlcli summary` says of a network: figures as torch's own and as worked out by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from dlcli.commands.summary import summarise
from dlcli.config.read import read_config
from tests.command_line import as_json, dlcli


def summary(folder: Path, model: str, data: str = "digits", output: Path | None = None) -> dict:
    path = folder / "net.yaml"
    path.write_text(f"data: {data}\nmodel: {model}\n")
    return summarise(read_config(path, []), output=output).data


def layers(result: dict) -> list[tuple]:
    keys = ("kind", "inputs", "outputs", "parameters", "multiply_adds")
    return [tuple(layer[key] for key in keys) for layer in result["layers"]]


def test_layers_of_a_convolutional_network(tmp_path: Path) -> None:
    found = summary(tmp_path, "{name: cnn, channels: [4, 6], normalization: none}")
    assert layers(found) == [
        ("Picture", (1, 8, 8), (1, 8, 8), 0, 0),
        ("Conv2d", (1, 8, 8), (4, 8, 8), 4 * 9 + 4, 4 * 9 * 64),
        ("ReLU", (4, 8, 8), (4, 8, 8), 0, 0),
        ("MaxPool2d", (4, 8, 8), (4, 4, 4), 0, 0),
        ("Conv2d", (4, 4, 4), (6, 4, 4), 4 * 6 * 9 + 6, 4 * 6 * 9 * 16),
        ("ReLU", (6, 4, 4), (6, 4, 4), 0, 0),
        ("MaxPool2d", (6, 4, 4), (6, 2, 2), 0, 0),
        ("Pool", (6, 2, 2), (6,), 0, 0),
        ("Linear", (6,), (10,), 70, 60),
    ]
    assert found["parameters"] == 40 + 222 + 70
    assert found["multiply_adds"] == 2304 + 3456 + 60
    values = 64 + 4 * 64 + 4 * 16 + 6 * 16 + 6 * 4 + 6 + 10  # activations are computed in place
    assert found["activations_mb"] == pytest.approx(32 * 4 * values / 1e6)


@pytest.mark.parametrize(
    ("model", "parameters", "work"),
    [
        ("{name: gru, hidden_size: 5}", 3 * 5 * (8 + 5 + 2), 8 * 3 * 5 * (8 + 5)),
        ("{name: lstm, hidden_size: 5}", 4 * 5 * (8 + 5 + 2), 8 * 4 * 5 * (8 + 5)),
        (
            "{name: lstm, hidden_size: 5, bidirectional: true}",
            8 * 5 * (8 + 5 + 2),
            8 * 8 * 5 * (8 + 5),
        ),
        (
            "{name: transformer, d_model: 4, nhead: 2, num_layers: 1}",
            8 * 4 + 4 + 4 * 12 + 12 + 16 + 4 + 4 * 16 + 16 + 16 * 4 + 4 + 3 * 8,
            8 * (8 * 4 + 4 * 12 + 16 + 2 * 4 * 16) + 2 * 8 * 8 * 4,
        ),
    ],
)
def test_work_of_sequences_is_that_of_all_steps(tmp_path, model, parameters, work) -> None:
    found = summary(tmp_path, model)
    width = found["layers"][-1]["inputs"][0]
    assert found["parameters"] == parameters + 10 * width + 10
    assert found["multiply_adds"] == work + 10 * width


def test_parameters_outside_of_layers_are_counted_too(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text(
        "user,item,rating\n" + "".join(f"u{n % 5},i{n % 7},{n % 4}\n" for n in range(60))
    )
    found = summary(
        tmp_path, "{name: matrix_factorization, embedding_size: 3}", "{name: ratings, path: r.csv}"
    )
    assert found["parameters"] == (6 + 8) * (3 + 1) + 1
    assert sum(layer["parameters"] for layer in found["layers"]) == found["parameters"]


@pytest.mark.parametrize(
    ("ending", "begins"), [("png", b"\x89PNG"), ("SVG", b"<?xml"), ("pdf", b"%PDF-")]
)
def test_a_picture_is_what_its_ending_says_and_its_bytes_are_always_the_same(
    ending: str, begins: bytes, tmp_path: Path
) -> None:
    pictures = []
    for number in range(2):
        path = tmp_path / f"{number}.{ending}"
        summary(tmp_path, "linear", output=path)
        pictures.append(path.read_bytes())
    assert pictures[0] == pictures[1]
    assert pictures[0].startswith(begins)


@pytest.mark.parametrize(
    ("name", "message", "suggestion"),
    [
        ("net.jpg", "net.jpg is to be a picture", "endings: .png, .svg, .pdf"),
        ("net", "net is to be a picture", "endings: .png, .svg, .pdf"),
        ("old.png", "old.png exists", "--force replaces it"),
    ],
)
def test_a_picture_that_cannot_be_written_is_refused_before_any_work(
    name: str, message: str, suggestion: str, tmp_path: Path
) -> None:
    (tmp_path / "a.yaml").write_text("data: {name: table, path: gone.csv, target: y}\nmodel: mlp\n")
    (tmp_path / "old.png").write_text("mine")
    shown = dlcli("summary", "a.yaml", "--output", name, folder=tmp_path, check=2).stderr
    assert shown.startswith(f"error[usage]: {message}")
    assert suggestion in shown
    assert (tmp_path / "old.png").read_text() == "mine"


def test_an_old_picture_is_replaced_when_asked(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("data: iris\nmodel: linear\n")
    (tmp_path / "old.png").write_text("mine")
    dlcli("summary", "a.yaml", "--output", "old.png", "--force", folder=tmp_path)
    assert (tmp_path / "old.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("model", ["mlp", "transformer", "{name: cnn, channels: [4, 4, 4]}"])
def test_a_picture_shows_the_network(tmp_path: Path, model: str) -> None:
    pictures = []
    for number in range(2):
        path = tmp_path / f"{number}.png"
        assert summary(tmp_path, model, output=path)["picture"]
        pictures.append(path.read_bytes())
    assert pictures[0] == pictures[1]
    with Image.open(tmp_path / "0.png") as shown:
        assert shown.width > 500
        assert shown.height > shown.width


def test_the_command_shows_a_table_and_trains_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("data: iris\nmodel: mlp\n")
    shown = dlcli("summary", "a.yaml", "model.hidden_sizes=[8]", folder=tmp_path).stdout
    assert "Linear" in shown
    assert "in all" in shown
    assert "67" in shown  # 4 * 8 + 8 + 8 * 3 + 3
    assert not (tmp_path / "runs").exists()
    found = as_json("summary", "a.yaml", "--output", "net.png", folder=tmp_path)
    assert found["picture"] == "net.png"
    assert (tmp_path / "net.png").exists()


def test_a_model_that_does_not_fit_is_told_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("data: iris\nmodel: cnn\n")
    shown = dlcli("summary", "a.yaml", folder=tmp_path, check=3).stderr
    assert "`model: cnn` does not go with `data: iris`" in shown
    assert "a.yaml:2:8" in shown
