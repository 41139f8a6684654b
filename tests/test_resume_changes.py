"""What may change within a run, what only with --override, and what never."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from dlcli import checkpoint
from dlcli.commands.outcome import Outcome
from dlcli.commands.resume import resume_run
from dlcli.commands.train import train_config
from dlcli.config.read import read_config
from dlcli.errors import CheckpointError, ConfigError, DataError, DlcliError
from dlcli.run import find_run, read_facts

CONFIG = """\
data:
  name: table
  path: [numbers.csv, more.csv]
  target: y
  batch_size: 8
  split: {val: 0.2, test: 0.2}
model: {name: mlp, hidden_sizes: [8]}
train: {epochs: 2, max_time: 3600}
"""
ROWS = [f"{i % 7},{i % 3},{i * 1.5}\n" for i in range(60)]


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run that was stopped within its second epoch, to be copied."""
    folder = tmp_path_factory.mktemp("stopped")
    (folder / "numbers.csv").write_text("a,b,y\n" + "".join(ROWS[:40]))
    (folder / "more.csv").write_text("a,b,y\n" + "".join(ROWS[40:]))
    (folder / "numbers.yaml").write_text(CONFIG)
    train_config(
        read_config(folder / "numbers.yaml", ["train.epochs=1"]),
        runs_dir=folder / "runs",
        is_quiet=True,
    )
    resume_run(
        "latest",
        ["train.epochs=2", "train.max_time=1e-9"],
        runs_dir=folder / "runs",
        is_quiet=True,
    )
    return folder


@pytest.fixture
def folder(stopped: Path, tmp_path: Path) -> Path:
    """A copy of that folder, whose run thinks that it began here."""
    shutil.copytree(stopped, tmp_path, dirs_exist_ok=True)
    facts = find_run("latest", tmp_path / "runs") / "run.json"
    facts.write_text(facts.read_text().replace(str(stopped), str(tmp_path)))
    return tmp_path


@pytest.fixture
def resume(folder: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[Outcome, str]]:
    """Go on with the run; return the outcome and what was said."""

    def go_on(*words: str, may_change: bool = True) -> tuple[Outcome, str]:
        outcome = resume_run(
            "latest",
            ["train.max_time=3600", *words],
            runs_dir=folder / "runs",
            may_change=may_change,
        )
        return outcome, capsys.readouterr().err

    return go_on


def last(folder: Path) -> checkpoint.Loaded:
    return checkpoint.load(find_run("latest", folder / "runs") / "checkpoints/last.safetensors")


def fault(error: pytest.ExceptionInfo[DlcliError]) -> Any:
    (found,) = error.value.faults
    return found


def test_the_run_was_stopped_within_an_epoch(folder: Path) -> None:
    state = last(folder).data["state"]
    assert (state["epoch"], state["batch"]) == (1, 1)


def test_another_key_is_refused_and_override_named(resume: Any, folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"`optimizer\.lr` cannot change within") as caught:
        resume("optimizer.lr=0.1", may_change=False)
    assert fault(caught).note == (
        "what can: train.epochs, train.max_time, train.device; anything else only with --override"
    )
    assert last(folder).data["state"]["batch"] == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["optimizer.lr=0.01"], ["optimizer.lr: 0.001 -> 0.01"]),
        (["model.dropout=0.5", "seed=3"], ["model.dropout: 0.0 -> 0.5", "seed: 0 -> 3"]),
        (["scheduler=cosine"], ["scheduler.name: constant -> cosine"]),
        (["train.ema=0.9"], ["train.ema: null -> 0.9"]),
        (["train.precision=fp16"], ["train.precision: fp32 -> fp16"]),
        (["train.accumulate=2"], ["train.accumulate: 1 -> 2"]),
    ],
    ids=lambda words: words[0] if isinstance(words, list) else "",
)
def test_with_override_it_changes_and_is_said_aloud(
    words: list[str], said: list[str], resume: Any, folder: Path
) -> None:
    outcome, talk = resume(*words)
    assert outcome.data["epochs"] == 2
    for line in said:
        assert f"{line}\n" in talk
    key, _, value = words[0].partition("=")
    section, _, option = key.partition(".")
    kept = last(folder).data["config"][section]
    assert str(kept[option or "name"]) == value


def test_patience_that_is_spent_is_why_nothing_is_trained(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a rate of nearly 0 no epoch is better than the first."""
    words = ["optimizer.lr=1e-30", "train.early_stopping.patience=1", "train.epochs=9"]
    train_config(read_config(folder / "numbers.yaml", words), runs_dir=folder / "runs")
    capsys.readouterr()
    runs = {"runs_dir": folder / "runs"}
    outcome = resume_run("latest", ["train.epochs=20"], **runs)
    said = capsys.readouterr().err
    assert (outcome.data["stop_reason"], outcome.data["epochs"]) == ("early_stopping", 2)
    assert "stopped early after epoch 2, its best is epoch 1: nothing is left to train" in said
    assert "`--override train.early_stopping=null`, or a patience above 1, goes on" in said
    assert "resuming" not in said
    outcome = resume_run(
        "latest", ["train.early_stopping=null", "train.epochs=3"], may_change=True, **runs
    )
    assert outcome.data["epochs"] == 3


def test_the_resolved_config_says_what_changed(resume: Any, folder: Path) -> None:
    resolved = find_run("latest", folder / "runs") / "resolved.yaml"
    before = resolved.read_text()
    resume("train.epochs=3", may_change=False)
    changed = before.replace("epochs: 2\n", "epochs: 3\n").replace("1e-09\n", "3600.0\n")
    assert resolved.read_text() == changed
    resolved.unlink()
    resume("optimizer.lr=0.25")
    assert resolved.read_text() == changed.replace("lr: 0.001\n", "lr: 0.25\n")


def test_a_reference_to_a_variable_stays_one_in_the_resolved_config(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RATE", "0.01")
    read = read_config(folder / "numbers.yaml", ["optimizer.lr=${env:RATE}"])
    place = train_config(read, runs_dir=folder / "runs", is_quiet=True).data["run_dir"]
    resolved = Path(place).resolve() / "resolved.yaml"
    before = resolved.read_text()
    assert '"${env:RATE}"' in before
    resume_run("latest", ["train.epochs=3"], runs_dir=folder / "runs", is_quiet=True)
    assert resolved.read_text() == before.replace("epochs: 2\n", "epochs: 3\n")


def test_a_run_without_a_checkpoint_remembers_what_changed(resume: Any, folder: Path) -> None:
    run = find_run("latest", folder / "runs")
    for path in (run / "checkpoints").iterdir():
        path.unlink()
    resume(f"data.path=[{folder / 'more.csv'}]", "train.epochs=3")
    for path in (run / "checkpoints").iterdir():
        path.unlink()
    outcome, _ = resume()
    assert outcome.data["epochs"] == 3
    text = (run / "resolved.yaml").read_text()
    assert "more.csv" in text
    assert "numbers.csv" not in text


def test_the_changed_rate_is_what_is_trained_with(resume: Any, folder: Path) -> None:
    resume("optimizer.lr=0.25")
    rates = [report[1] for report in last(folder).tensors["history/values"].tolist()]
    assert rates == [0.001, 0.25]


def test_weights_that_had_no_average_begin_one(resume: Any, folder: Path) -> None:
    before = last(folder).tensors
    resume("train.ema=0.9999", "optimizer.lr=1e-9")
    after = last(folder).tensors
    name = "body.layers.0.0.weight"
    assert torch.allclose(after[f"average/{name}"], before[f"model/{name}"], atol=1e-5)


def test_a_part_of_the_epoch_is_not_lost_when_the_batch_size_changes(
    resume: Any, folder: Path
) -> None:
    """Of 36 rows one batch of 8 was done: with batches of 4 two of 9 are."""
    before = last(folder).data["state"]["step"]
    _, talk = resume("data.batch_size=4")
    assert "the epoch under way goes on at batch 3, with other rows" in talk
    assert last(folder).data["state"]["step"] - before == 9 - 2


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("data.split.val=0.1", "rows that were trained on would pass for new ones"),
        ("data.split.seed=3", "rows that were trained on would pass for new ones"),
        ("data.target=a", "what was learned of them holds for nothing else"),
        ("data.drop=[b]", "what was learned of them holds for nothing else"),
        ("metrics=[r2]", "the epochs until now were measured by the others"),
        ("loss=huber", "the epochs until now were measured by the other, and the two do not"),
        ("train.monitor=val_mae", "the best epoch until now was told by the other"),
        ("train.init_from=x.safetensors", "training has begun"),
        ("task=regression", "the network was built for it"),
    ],
)
def test_some_cannot_change_even_so(word: str, reason: str, resume: Any, folder: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        resume(word)
    key = word.partition("=")[0]
    message = fault(caught).message
    assert message.startswith(f"`{key}` cannot change within a run, not even with --override: ")
    assert reason in message
    assert last(folder).data["state"]["batch"] == 1


@pytest.fixture
def begun(folder: Path) -> Path:
    """That folder, where the latest run is one that was stopped within its first epoch."""
    train_config(
        read_config(folder / "numbers.yaml", ["train.max_time=1e-9"]),
        runs_dir=folder / "runs",
        is_quiet=True,
    )
    return folder


@pytest.mark.parametrize("word", ["loss=huber", "metrics=[r2]", "train.monitor=val_mae"])
def test_what_measures_can_change_before_anything_is_measured(
    word: str, resume: Any, begun: Path
) -> None:
    assert last(begun).data["state"]["epoch"] == 0
    outcome, _ = resume(word)
    assert outcome.data["epochs"] == 2


def test_a_loss_that_wants_other_targets_cannot_change_even_then(resume: Any, begun: Path) -> None:
    assert last(begun).data["state"]["epoch"] == 0
    with pytest.raises(ConfigError) as caught:
        resume("loss=poisson")
    assert "one of the two losses takes scaled targets, the other does not" in fault(caught).message


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["model.hidden_sizes=[16]", "optimizer.lr=1"],
            "this run cannot go on with another `model.hidden_sizes`: its weights do not fit: "
            "`body.layers.0.0.bias` is (8,) in the checkpoint and (16,) here",
        ),
        (
            ["optimizer=sgd"],
            "this run cannot go on with another `optimizer.name`: the saved optimizer state does "
            "not fit",
        ),
        (
            ["train.freeze=['body.*']"],
            "this run cannot go on with another `train.freeze`: the saved optimizer state does not",
        ),
    ],
)
def test_what_does_not_fit_is_one_clear_line(words: list[str], message: str, resume: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        resume(*words)
    assert message in fault(caught).message
    assert "\n" not in fault(caught).message


def test_changed_data_are_refused_by_the_name_of_the_file(resume: Any, folder: Path) -> None:
    (folder / "more.csv").write_text("a,b,y\n" + "".join(reversed(ROWS[40:])))
    with pytest.raises(CheckpointError) as caught:
        resume(may_change=False)
    assert fault(caught).message.endswith(
        "(`more.csv` differs) is not what it was when training began"
    )
    assert "--override" in fault(caught).suggestion


def test_changed_data_are_trained_on_with_override(resume: Any, folder: Path) -> None:
    (folder / "more.csv").write_text("a,b,y\n" + "".join(reversed(ROWS[40:])))
    outcome, talk = resume()
    assert outcome.data["epochs"] == 2
    assert "(`more.csv` differs) is not what it was when training began" in talk
    resume("train.epochs=3", may_change=False)  # from then on these are the data


def test_data_that_lie_elsewhere_are_the_same_data(resume: Any, folder: Path) -> None:
    (folder / "elsewhere").mkdir()
    for name in ("numbers.csv", "more.csv"):
        (folder / name).rename(folder / "elsewhere" / name)
    paths = [str(folder / "elsewhere" / name) for name in ("numbers.csv", "more.csv")]
    _, talk = resume(f"data.path=[{', '.join(paths)}]")
    assert "is not what it was" not in talk


def test_fewer_rows_end_the_epoch_all_the_same(resume: Any, folder: Path) -> None:
    """Were the position past the end, the epoch would have none."""
    before = last(folder)
    checkpoint.save(
        find_run("latest", folder / "runs") / "checkpoints/last.safetensors",
        tensors=before.tensors,
        data={**before.data, "state": {**before.data["state"], "batch": 4}},
    )
    (folder / "numbers.csv").write_text("a,b,y\n" + "".join(ROWS[:4]))
    (folder / "more.csv").write_text("a,b,y\n" + "".join(ROWS[4:24]))
    outcome, _ = resume()
    assert outcome.data["epochs"] == 2


def test_a_val_part_that_is_gone_with_the_changed_data_is_told(resume: Any, folder: Path) -> None:
    (folder / "numbers.csv").write_text("a,b,y\n" + "".join(ROWS[:5]))
    (folder / "more.csv").write_text("a,b,y\n" + "".join(ROWS[5:10]))
    with pytest.raises(DataError) as caught:
        resume()
    assert fault(caught).message == (
        "the changed data have no val part, and the epochs until now were trained with one"
    )


def test_another_number_of_threads_is_said_aloud(resume: Any, folder: Path) -> None:
    assert last(folder).data["threads"] == 1
    _, talk = resume("train.threads=2")
    assert "resumed with threads: 2 instead of 1: last bits will differ" in talk
    assert last(folder).data["threads"] == 2
    assert read_facts(find_run("latest", folder / "runs"))["threads"] == 2
    torch.set_num_threads(1)


def test_more_threads_than_cores_are_kept_and_said_to_be_slow(resume: Any, folder: Path) -> None:
    run = find_run("latest", folder / "runs")
    saved = last(folder)
    checkpoint.save(
        run / "checkpoints/last.safetensors",
        tensors=saved.tensors,
        data={**saved.data, "threads": 999, "versions": {"dlcli": "0", "torch": "1.0"}},
    )
    _, talk = resume(may_change=False)
    assert "this run has threads: 999, and here are" in talk
    assert "resumed with torch" in talk
    assert "instead of 1.0: last bits will differ" in talk
    torch.set_num_threads(1)
