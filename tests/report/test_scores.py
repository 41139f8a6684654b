"""Tables keep their cells whole, and classes are counted as scikit-learn does."""

from __future__ import annotations

import pytest
import torch
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from dlcli.report.advice import is_still_improving, worse_than_a_baseline
from dlcli.report.classes import class_report, print_class_report
from dlcli.report.scores import print_scores, print_spread
from dlcli.training.state import EpochReport


@pytest.mark.parametrize("columns", ["20", "80", "200"])
def test_no_cell_is_broken_in_a_narrow_terminal(
    columns: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    scores: dict[str, float | None] = {"loss": 0.1234, "a_metric_of_a_long_name": None}
    print_scores(dict.fromkeys(["train", "val", "test", "majority class (test)"], scores))
    shown = capsys.readouterr().out
    assert "majority class (test)" in shown
    assert "a_metric_of_a_long_name" in shown
    spread = {"mean": {"r2": 0.91234}, "std": {"r2": 0.01234}}
    print_spread(dict.fromkeys(["train", "val", "test"], spread), 5)
    shown = capsys.readouterr().out
    assert "5 runs" in shown
    assert shown.count("0.9123 ± 0.0123") == 3


def test_intervals_stand_beside_their_scores(capsys: pytest.CaptureFixture[str]) -> None:
    print_scores({"test": {"loss": 1.0, "accuracy": 0.9}}, intervals={"accuracy": (0.85, 0.95)})
    lines = capsys.readouterr().out.splitlines()
    (line,) = [line for line in lines if "accuracy" in line]
    assert line.split() == ["accuracy", "0.9000", "0.8500", "to", "0.9500"]


def test_a_class_report_equals_scikit_learns(capsys: pytest.CaptureFixture[str]) -> None:
    generator = torch.Generator().manual_seed(0)
    true = torch.randint(3, (200,), generator=generator)
    answered = torch.where(torch.rand(200, generator=generator) < 0.6, true, (true + 1) % 3)
    report = class_report(answered, true, ["[a]", "b", "never"][:3])
    assert report.confusion.tolist() == confusion_matrix(true, answered).tolist()
    precision, recall, f1, rows = precision_recall_fscore_support(true, answered)
    for index, row in enumerate(report.rows()):
        assert row["precision"] == pytest.approx(precision[index])
        assert row["recall"] == pytest.approx(recall[index])
        assert row["f1"] == pytest.approx(f1[index])
        assert row["rows"] == rows[index]
    print_class_report(report)
    assert "[a]" in capsys.readouterr().out  # no markup


def test_a_class_without_rows_or_answers_is_undefined_not_zero() -> None:
    report = class_report(torch.tensor([0, 0, 1]), torch.tensor([0, 0, 0]), ["a", "b", "c"])
    by_class = {row["class"]: row for row in report.rows()}
    assert by_class["a"]["recall"] == pytest.approx(2 / 3)
    assert (by_class["b"]["precision"], by_class["b"]["recall"]) == (0, None)
    assert (by_class["c"]["precision"], by_class["c"]["recall"], by_class["c"]["f1"]) == (None,) * 3


def history(losses: list[float]) -> list[EpochReport]:
    return [EpochReport(i + 1, i + 1, 0.1, {"loss": loss}, None) for i, loss in enumerate(losses)]


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ([0.9**i for i in range(30)], True),
        ([1 + 0.9**i for i in range(100)], False),
        ([1.0] * 50, False),
        ([1 + 0.01 * i for i in range(50)], False),
        ([0.5**i for i in range(60)], False),  # solved: it falls from nothing to less
        ([2.0, 1.0], False),  # too short to say
    ],
)
def test_a_loss_that_still_falls_is_noticed(losses: list[float], expected: bool) -> None:
    assert is_still_improving(history(losses)) is expected


@pytest.mark.parametrize(
    ("metric", "higher_is_better", "own", "answers", "words"),
    [
        ("mae", False, 3.0, [2.0, 1.5], "worse than `season` on the test part: mae 3.0000 against"),
        ("mae", False, 3.0, [4.0, 2.5], "worse than `season` on the test part: mae 3.0000 against"),
        ("mae", False, 3.0, [3.0, 3.5], ""),
        ("mae", False, 3.0, [3.0, None], ""),
        ("mae", False, None, [3.0, 2.0], ""),
        ("accuracy", True, 0.4, [0.6, 0.5], "worse than `naive` on the test part: accuracy 0.4000"),
        ("accuracy", True, 0.7, [0.6, 0.5], ""),
    ],
)
def test_a_model_that_loses_to_a_baseline_is_told_of_the_best_one(
    metric: str,
    higher_is_better: bool,
    own: float | None,
    answers: list[float | None],
    words: str,
) -> None:
    baselines = [
        {"name": name, "part": "test", metric: answer}
        for name, answer in zip(("naive", "season"), answers, strict=True)
    ]
    scores = {"loss": 1.0, metric: own}
    said = worse_than_a_baseline(scores, baselines, metric, higher_is_better=higher_is_better)
    assert said.startswith(words)
    assert bool(said) is bool(words)
