"""Pictures are real, readable, and drawn whatever the classes are called."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dlcli.report.classes import ClassReport
from dlcli.report.pictures import save_confusion, save_scatter


def pixels(path: Path) -> np.ndarray:
    """Return (H, W, 3) uint8 of a PNG file."""
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize(
    "names",
    [
        ["no", "yes"],
        ["$5-$10", r"$\frac{$", "50% & more_", "<b>"],  # matplotlib reads $...$ as a formula
        ["日本", "a\tb", ""],  # letters that the font lacks, and none at all
        ["x" * 500, "y"],
        [f"class {i}" for i in range(120)],
        ["only"],
    ],
)
def test_a_confusion_matrix_is_drawn_for_any_names(names: list[str], tmp_path: Path) -> None:
    counts = 5 * torch.eye(len(names), dtype=torch.int64)
    save_confusion(tmp_path / "confusion.png", ClassReport(names, counts))
    image = pixels(tmp_path / "confusion.png")
    assert 200 < min(image.shape[:2]) <= max(image.shape[:2]) < 2500
    is_dark_blue = (image[..., 2] > 80) & (image[..., 0] < 30)
    assert is_dark_blue.mean() > 0.1 / len(names)


def test_shades_are_shares_of_the_true_class(tmp_path: Path) -> None:
    few = ClassReport(["a", "b"], torch.tensor([[1, 0], [0, 1000]]))
    save_confusion(tmp_path / "few.png", few)
    dark = (pixels(tmp_path / "few.png")[..., 0] < 30).sum()
    save_confusion(
        tmp_path / "none.png", ClassReport(["a", "b"], torch.tensor([[0, 0], [0, 1000]]))
    )
    assert (pixels(tmp_path / "none.png")[..., 0] < 30).sum() < 0.75 * dark


def test_the_same_report_gives_the_same_bytes(tmp_path: Path) -> None:
    report = ClassReport(["a", "b"], torch.tensor([[4, 1], [2, 3]]))
    save_confusion(tmp_path / "one.png", report)
    save_confusion(tmp_path / "two.png", report)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


@pytest.mark.parametrize("targets", [1, 3])
def test_answers_are_drawn_against_truths(targets: int, tmp_path: Path) -> None:
    truths = torch.linspace(0, 1, 20_000)
    if targets > 1:
        truths = truths[:, None].expand(-1, targets)
    names = [f"price in ${i}$" for i in range(targets)]
    save_scatter(tmp_path / "scatter.png", truths * 0.5, truths, names)
    image = pixels(tmp_path / "scatter.png")
    assert image.shape[1] / image.shape[0] > targets
    assert len(np.unique(image.reshape(-1, 3), axis=0)) > 10
