"""Texts continued by a trained language model, and what is measured of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import dlcli as package
from dlcli.checkpoint import load
from dlcli.commands.generate import continuation
from dlcli.errors import UsageError
from tests.command_line import as_json, dlcli

CONFIG = """\
data: {name: text_file, path: rhyme.txt, context: 16, batch_size: 8}
model: {name: lstm, hidden_size: 32, dropout: 0.1}
optimizer: {name: adamw, lr: 2e-2}
train: {epochs: 5, checkpoint_every: 3}
"""
RHYME = "Twinkle, twinkle, little star,\nHow I wonder what you are!\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the run rhyme."""
    folder = tmp_path_factory.mktemp("generate")
    (folder / "rhyme.txt").write_text(RHYME * 40)
    (folder / "rhyme.yaml").write_text(CONFIG)
    dlcli("train", "rhyme.yaml", folder=folder)
    return folder


def continued(folder: Path, *words: object, stdin: str | None = None) -> str:
    return dlcli("predict", *words, "--quiet", folder=folder, stdin=stdin).stdout


def record(folder: Path, *words: object) -> dict[str, Any]:
    (found,) = json.loads(continued(folder, *words, "--json"))
    return dict(found)


def test_a_rhyme_is_learned_by_heart(folder: Path) -> None:
    text = continued(folder, "How I wo", "--length", "26", "--temperature", "0")
    assert text == "How I wonder what you are!\nTwinkle\n"


def test_so_many_tokens_follow_the_prompt(folder: Path) -> None:
    text = continued(folder, "How I", "--length", "30", "--seed", "1")
    assert text.startswith("How I")
    assert len(text.removesuffix("\n")) in {34, 35}  # its own last newline is not doubled
    found = record(folder, "How I", "--length", "30", "--seed", "1")
    assert text.removesuffix("\n") == ("How I" + found["prediction"]).removesuffix("\n")
    assert len(found["prediction"]) == 30


def test_several_prompts_are_continued_one_by_one_as_each_alone(folder: Path) -> None:
    (folder / "line.txt").write_text("Twinkle")
    prompts, words = ["How", "line.txt", "-"], ["--length", "30", "--seed", "1"]
    alone = [continued(folder, prompt, *words, stdin="I wo") for prompt in prompts]
    assert continued(folder, *prompts, *words, stdin="I wo") == "\n".join(alone)
    lines = continued(folder, *prompts, *words, "--format", "jsonl", stdin="I wo").splitlines()
    assert [json.loads(line)["prompt"] for line in lines] == ["How", "Twinkle", "I wo"]


def test_the_same_seed_gives_the_same_text(folder: Path) -> None:
    words = ["How", "--length", "60", "--temperature", "2"]
    first = continued(folder, *words)
    assert continued(folder, *words, "--seed", "0") == first
    assert continued(folder, *words, "--seed", "1") != first


def test_a_record_holds_what_gave_it(folder: Path) -> None:
    words = ["How", "--length", "9", "--seed", "4", "--temperature", "0.5", "--top-k", "3"]
    found = record(folder, *words)
    assert {key: found[key] for key in ("prompt", "seed", "temperature")} == {
        "prompt": "How",
        "seed": 4,
        "temperature": 0.5,
    }
    assert set(found) == {"prompt", "seed", "temperature", "prediction"}


@pytest.mark.parametrize("name", ["new.txt", "new", "new.jsonl", "new.csv"])
def test_an_output_is_text_unless_its_ending_says_otherwise(folder: Path, name: str) -> None:
    words = ["How", "--length", "12", "--temperature", "0"]
    assert continued(folder, *words, "--output", name, "--force") == ""
    written = (folder / name).read_text()
    if name == "new.jsonl":
        assert json.loads(written) == record(folder, *words)
    elif name == "new.csv":
        assert written.splitlines()[0] == "prompt,seed,temperature,prediction"
    else:
        assert written == continued(folder, *words)


def test_a_prompt_can_be_a_file_or_a_stream(folder: Path) -> None:
    (folder / "prompt.txt").write_bytes(b"How I\r\n")
    words = ["--length", "10", "--temperature", "0"]
    assert continued(folder, "prompt.txt", *words).startswith("How I\n")
    assert continued(folder, "-", *words, stdin="How I") == continued(folder, "How I", *words)


def test_an_empty_prompt_begins_a_line_and_says_so(folder: Path) -> None:
    words = ["--length", "20", "--temperature", "0"]
    done = dlcli("predict", "", *words, folder=folder)
    assert r"the prompt is empty: going on after '\n'" in done.stderr
    assert "\n" + done.stdout == continued(folder, "\n", *words)


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ("Qé?", "3 characters of the prompt are unknown"),
        ("How é", "1 character of the prompt is unknown"),
    ],
)
def test_unknown_characters_are_noted_and_kept(folder: Path, prompt: str, message: str) -> None:
    done = dlcli("predict", prompt, "--length", "5", folder=folder)
    assert f"warning: {message}: not (often enough) in training" in done.stderr
    assert done.stdout.startswith(prompt)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["How", "--probs"], 2, "--probs and --min-confidence are for classifiers"),
        (["How", "--min-confidence", "0.5"], 2, "--probs and --min-confidence are for classifiers"),
        (["How", "--horizon", "3"], 2, "--horizon is for forecasting"),
        (["none.txt"], 4, "there is no file `none.txt`"),
        (["latin.txt"], 4, "latin.txt, byte 3: 0xe9 is not utf-8 text"),
        (["How", "--output", "none/new.txt"], 7, "there is no folder none"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    folder: Path, words: list[str], code: int, message: str
) -> None:
    (folder / "latin.txt").write_bytes(b"caf\xe9")
    done = dlcli("predict", *words, folder=folder, check=code)
    assert message in done.stderr
    assert done.stdout == ""


def test_python_users_get_the_same_tokens(folder: Path) -> None:
    (run,) = (folder / "runs").iterdir()
    model = package.load(run)
    text = "".join(continuation(model, "How", length=40, seed=2, top_k=5))
    assert (
        text == record(folder, "How", "--length", "40", "--seed", "2", "--top-k", "5")["prediction"]
    )
    with pytest.raises(UsageError, match="goes on with a text"):
        model.predict([{"text": "How"}])


# evaluation, and a training that was stopped


def test_an_evaluation_writes_scores_and_nothing_of_classes(folder: Path) -> None:
    result = as_json("evaluate", "latest", "--split", "val", folder=folder)
    assert set(result["metrics"]) == {"loss", "perplexity", "token_accuracy"}
    assert result["intervals"] == {}
    assert "classes" not in result
    (run,) = (folder / "runs").iterdir()
    assert [file.name for file in (run / "evaluation" / "val").iterdir()] == ["metrics.json"]
    trained = json.loads((run / "run.json").read_text())["result"]["metrics"]["val"]
    assert result["metrics"] == pytest.approx(trained)


def test_another_text_is_measured_as_the_val_part_is(folder: Path) -> None:
    total = len(RHYME) * 40
    (folder / "last.txt").write_text((RHYME * 40)[total - round(total / 10) :])
    of_file = as_json("evaluate", "latest", "--data", "last.txt", folder=folder)
    of_part = as_json("evaluate", "latest", "--split", "val", folder=folder)
    assert of_file["metrics"] == pytest.approx(of_part["metrics"])
    (folder / "short.txt").write_text("\n")
    done = dlcli("evaluate", "latest", "--data", "short.txt", folder=folder, check=4)
    assert "the text has 1 token, and it takes 2" in done.stderr


def test_splits_are_told_by_their_bounds(folder: Path) -> None:
    (run,) = (folder / "runs").iterdir()
    total, val = len(RHYME) * 40, round(len(RHYME) * 4)
    assert json.loads((run / "splits.json").read_text()) == {
        "train": {"start": 0, "stop": total - val},
        "val": {"start": total - val, "stop": total},
    }


def test_law_2_a_resumed_training_ends_as_if_it_had_never_stopped(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "rhyme.txt").write_text(RHYME * 40)
    (tmp_path / "rhyme.yaml").write_text(CONFIG)
    dlcli("train", "rhyme.yaml", "train.max_time=1e-9", folder=tmp_path)  # one step
    dlcli("train", "--resume", "latest", "train.max_time=3600", folder=tmp_path)
    ours, theirs = (next((place / "runs").iterdir()) for place in (tmp_path, folder))
    left, right = (load(run / "checkpoints" / "last.safetensors").tensors for run in (ours, theirs))
    assert left.keys() == right.keys()
    assert all(torch.equal(left[name], right[name]) for name in left)
