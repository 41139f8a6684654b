"""Every kind of data meets every architecture: it trains and predicts, or is refused in one line.

Loss falls on data so small that they are learned by heart, and a raw input is answered.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from contextlib import chdir
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dlcli.commands.predict import predict_inputs
from dlcli.commands.train import train_config
from dlcli.commands.wishes import Wishes
from dlcli.config.model import ModelOptions
from dlcli.config.options import components
from dlcli.config.read import read_config
from dlcli.errors import ConfigError
from tests.sound_files import tone, write_wav

RANDOM = np.random.default_rng(0)
SPLIT = "split: {val: 0.2, test: 0}"


def write_csv(path: Path, heading: str, rows: Iterator[tuple[object, ...]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(heading.split())
        writer.writerows(rows)


def write_table(folder: Path) -> str:
    rows = ((n % 7, "pq"[n % 2], ["no", "yes"][n % 7 > 3]) for n in range(60))
    write_csv(folder / "table.csv", "a b kind", rows)
    return '{"a": 6, "b": "p"}'


def write_pictures(folder: Path) -> str:
    for name, shade in (("dark", 40), ("light", 200)):
        (folder / "pictures" / name).mkdir(parents=True)
        for number in range(12):
            pixels = RANDOM.integers(shade - 40, shade + 40, (28, 24), np.uint8)
            Image.fromarray(pixels).save(folder / "pictures" / name / f"{number}.png")
    return "pictures/light/3.png"


def write_sounds(folder: Path) -> str:
    for name, hertz in (("low", 200), ("high", 1500)):
        for number in range(12):
            samples = tone(hertz + 9 * number, seconds=0.2, rate=4000)
            write_wav(folder / "sounds" / name / f"{number}.wav", samples, rate=4000)
    return "sounds/high/3.wav"


def write_texts(folder: Path) -> str:
    moods = {"good": "fine fair nice", "bad": "poor dull grim"}
    rows = (
        (mood, " ".join(RANDOM.choice(words.split(), 1 + n % 5)))
        for n in range(25)
        for mood, words in moods.items()
    )
    write_csv(folder / "texts.csv", "mood text", rows)
    return '{"text": "nice fine"}'


def write_series(folder: Path) -> str:
    rows = (
        (f"2024-01-{1 + n // 24:02} {n % 24:02}:00", 20 + 5 * np.sin(n * 2 * np.pi / 12))
        for n in range(200)
    )
    write_csv(folder / "series.csv", "time load", rows)
    return "series.csv"


def write_sequences(folder: Path) -> str:
    rows = (
        (number, step, (1 if number % 2 else -1) * (step + RANDOM.random()), "du"[number % 2])
        for number in range(24)
        for step in range(2 + number % 5)
    )
    write_csv(folder / "sequences.csv", "id step x way", rows)
    return "sequences.csv"


def write_ratings(folder: Path) -> str:
    rows = ((f"u{u}", f"i{i}", 3 + u % 3 - i % 2) for u in range(8) for i in range(6))
    write_csv(folder / "ratings.csv", "user item rating", rows)
    return '{"user": "u2", "item": "i4"}'


def write_text(folder: Path) -> str:
    (folder / "text.txt").write_text("the cat sat on the mat. " * 40)
    return "the c"


KINDS: dict[str, tuple[str, Callable[[Path], str]]] = {
    "table": (
        "{name: table, path: table.csv, target: kind, categories: {min_count: 1}",
        write_table,
    ),
    "pictures": ("{name: image_folder, path: pictures", write_pictures),
    "sounds": ("{name: audio, path: sounds, sound: {n_mels: 20}", write_sounds),
    "texts": (
        "{name: table, path: texts.csv, target: mood, types: {text: text}, "
        "text: {min_count: 1, embedding_size: 8}",
        write_texts,
    ),
    "series": ("{name: series, path: series.csv, target: load, past: 12, horizon: 4", write_series),
    "sequences": (
        "{name: sequences, path: sequences.csv, target: way, time: step",
        write_sequences,
    ),
    "ratings": ("{name: ratings, path: ratings.csv", write_ratings),
    "text": ("{name: text_file, path: text.txt, context: 12, embedding_size: 8", write_text),
}
MODELS = {
    "linear": "{name: linear}",
    "mlp": "{name: mlp, hidden_sizes: [16]}",
    "cnn": "{name: cnn, channels: [8, 8]}",
    "rnn": "{name: rnn, hidden_size: 12}",
    "lstm": "{name: lstm, hidden_size: 12}",
    "gru": "{name: gru, hidden_size: 12}",
    "transformer": "{name: transformer, d_model: 16, nhead: 2, num_layers: 1}",
    "torchvision": "{name: torchvision, architecture: squeezenet1_1}",
    "matrix_factorization": "{name: matrix_factorization, embedding_size: 4}",
}
RECURRENT = {"rnn", "lstm", "gru", "transformer"}
DENSE = {"linear", "mlp"}
ON_SEQUENCES = {*DENSE, *RECURRENT, "cnn"}
ALLOWED = {
    "table": DENSE,
    "pictures": {*ON_SEQUENCES, "torchvision"},
    "sounds": {*ON_SEQUENCES, "torchvision"},
    "texts": ON_SEQUENCES,
    "series": ON_SEQUENCES,
    "sequences": ON_SEQUENCES,
    "ratings": {*DENSE, "matrix_factorization"},
    "text": RECURRENT,
}
PAIRS = [(kind, model) for kind in KINDS for model in MODELS]


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A folder with data of every kind, and a raw input for each."""
    folder = tmp_path_factory.mktemp("grid")
    return folder, {kind: write(folder) for kind, (_, write) in KINDS.items()}


def write_config(folder: Path, kind: str, model: str) -> Path:
    data = KINDS[kind][0]
    own = "" if kind in {"series", "text"} else f", {SPLIT}"
    path = folder / f"{kind}-{model}.yaml"
    path.write_text(
        f"data: {data}, batch_size: 8{own}}}\n"
        f"model: {MODELS[model]}\n"
        f"optimizer: {{name: adamw, lr: {'1e-3' if model == 'torchvision' else '1e-2'}}}\n"
        "train: {epochs: 6, threads: 1}\n"
    )
    return path


def test_the_grid_has_every_architecture() -> None:
    assert set(MODELS) == set(components(ModelOptions))


@pytest.mark.parametrize(("kind", "model"), [p for p in PAIRS if p[1] in ALLOWED[p[0]]])
def test_a_pair_that_makes_sense_learns_and_answers(raw, tmp_path, kind, model) -> None:
    folder, inputs = raw
    read = read_config(write_config(folder, kind, model), [])
    result = train_config(read, runs_dir=tmp_path, is_quiet=True).data

    epochs = (Path(result["run_dir"]) / "metrics.jsonl").read_text().splitlines()
    losses = [json.loads(line)["train"]["loss"] for line in epochs]
    assert losses[-1] < losses[0]

    answer = tmp_path / "answer.jsonl"
    wishes = Wishes(length=10) if kind == "text" else Wishes()
    with chdir(folder):
        predict_inputs(
            [inputs[kind]], checkpoint=result["checkpoint"], wishes=wishes, output=answer,
            runs_dir=tmp_path, device="cpu", is_quiet=True,
        )  # fmt: skip
    assert answer.read_text().strip()


@pytest.mark.parametrize(("kind", "model"), [p for p in PAIRS if p[1] not in ALLOWED[p[0]]])
def test_a_pair_that_makes_none_is_refused_in_one_line(raw, tmp_path, kind, model) -> None:
    folder, _ = raw
    with pytest.raises(ConfigError) as caught:
        train_config(
            read_config(write_config(folder, kind, model), []), runs_dir=tmp_path, is_quiet=True
        )
    (fault,) = caught.value.faults
    assert caught.value.code == 3
    assert fault.path == ("model", "name")
    assert f"`model: {model}`" in fault.message
    assert "`data" in fault.message
    assert "\n" not in fault.message


def test_running_text_is_not_read_backwards(raw) -> None:
    folder, _ = raw
    path = write_config(folder, "text", "lstm")
    with pytest.raises(ConfigError, match="`bidirectional: true` does not go with `data: text_f"):
        read_config(path, ["model.bidirectional=true"])
