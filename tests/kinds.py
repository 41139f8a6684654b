"""Small data of every kind, and a training on each that draws all that a training can draw."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.sound_files import tone, write_wav


@dataclass(frozen=True)
class Kind:
    """A kind of data.

    Attributes:
        data: Its section of a config, without what is common to all.
        model: The architecture that is trained on it.
        write: Writes its files into a folder.
        path: The file or folder of them.
        inputs: Raw inputs, words for `dlcli predict` in that folder.
        records: The same for Python.
    """

    data: str
    model: str
    write: Callable[[Path], None]
    path: str
    inputs: tuple[str, ...]
    records: Sequence[dict[str, Any]] = ()

    def write_config(self, folder: Path, *, epochs: int = 2) -> str:
        """Write the data and a config into a folder; return the config's name."""
        folder.mkdir(parents=True, exist_ok=True)
        self.write(folder)
        (folder / "config.yaml").write_text(
            f"data: {{{self.data}, batch_size: 8}}\n"
            f"model: {{{self.model}}}\n"
            f"train: {{epochs: {epochs}, threads: 1, max_time: 3600}}\n"
        )
        return "config.yaml"


def write_csv(path: Path, heading: str, rows: Iterable[Iterable[object]]) -> None:
    """Write a table whose columns are the words of the heading."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(heading.split())
        writer.writerows(rows)


def write_pictures(folder: Path) -> None:
    """Dark and light pictures in a folder for each, and in a table of paths."""
    random, rows = np.random.default_rng(0), []
    for name, shade in (("dark", 40), ("light", 200)):
        (folder / "pictures" / name).mkdir(parents=True)
        for number in range(16):
            file = f"pictures/{name}/{number:02}.png"
            pixels = random.integers(shade - 40, shade + 40, (7, 6, 3), np.uint8)
            Image.fromarray(pixels).save(folder / file)
            rows.append((file, name))
    write_csv(folder / "pictures.csv", "image shade", rows)


def write_sounds(folder: Path) -> None:
    """Low and high tones."""
    for name, hertz in (("low", 200), ("high", 1500)):
        for number in range(16):
            samples = tone(hertz + 9 * number, seconds=0.1, rate=4000)
            write_wav(folder / "sounds" / f"{name}_{number}.wav", samples, rate=4000)


def write_texts(folder: Path) -> None:
    """Texts of one to five words."""
    random = np.random.default_rng(1)
    moods = {"good": "fine fair nice", "bad": "poor dull grim"}
    rows = (
        (mood, " ".join(random.choice(words.split(), 1 + n % 5)))
        for n in range(20)
        for mood, words in moods.items()
    )
    write_csv(folder / "texts.csv", "mood text", rows)


def series_rows() -> Iterable[tuple[object, ...]]:
    """Hours of two columns."""
    for n in range(90):
        time = f"2024-01-{1 + n // 24:02} {n % 24:02}:00"
        yield time, 20 + n % 12, round(float(np.sin(n)), 3)


def write_series(folder: Path) -> None:
    """Hours in a file."""
    write_csv(folder / "series.csv", "time load wind", series_rows())


def write_sequences(folder: Path) -> None:
    """Sequences of two to six steps, in long format."""
    random = np.random.default_rng(2)
    rows = (
        (number, step, round((1 if number % 2 else -1) * (step + random.random()), 3), way)
        for number, way in enumerate(["down", "up"] * 16)
        for step in range(2 + number % 5)
    )
    write_csv(folder / "sequences.csv", "id step x way", rows)


def write_ratings(folder: Path) -> None:
    """Ratings of six things by eight people."""
    rows = ((f"u{u}", f"i{i}", 3 + u % 3 - i % 2) for u in range(8) for i in range(6))
    write_csv(folder / "ratings.csv", "user item rating", rows)


def write_text(folder: Path) -> None:
    """Running text."""
    (folder / "text.txt").write_text("the cat sat on the mat, the dog did not. " * 12)


LAYERS = "hidden_size: 6, num_layers: 2, dropout: 0.3"
VARIED = "crop: 1, horizontal_flip: 0.5, brightness: 0.2, erase: 0.5"
SERIES = "name: series, path: series.csv, past: 12, horizon: 4, calendar: [hour]"
SEQUENCES = "name: sequences, path: sequences.csv, target: way, time: step"
TEXTS = "name: table, path: texts.csv, target: mood, types: {text: text}, text: {min_count: 1}"
PICTURES = ("pictures/light/03.png", "pictures/dark/04.png")
SOUNDS = ("sounds/low_3.wav", "sounds/high_4.wav")
PHRASES = ("nice fine words", "grim")
HOURS = [dict(zip(("time", "load", "wind"), row, strict=True)) for row in series_rows()]

KINDS = {
    "picture folder": Kind(
        f"name: image_folder, path: pictures, augment: {{{VARIED}, mixup: 0.4}}",
        "name: cnn, channels: [4, 4], dropout: 0.3",
        write_pictures,
        "pictures",
        inputs=PICTURES,
        records=[{"image": file} for file in PICTURES],
    ),
    "picture table": Kind(
        f"name: images, path: pictures.csv, target: shade, augment: {{{VARIED}, cutmix: 0.4}}",
        "name: transformer, d_model: 8, nhead: 2, num_layers: 1, dropout: 0.3",
        write_pictures,
        "pictures.csv",
        inputs=PICTURES,
        records=[{"image": file} for file in PICTURES],
    ),
    "sounds": Kind(
        'name: audio, path: sounds, pattern: "{label}_{index}.wav", sound: {n_mels: 8}, '
        "augment: {shift: 0.2, gain: 3, noise: 0.1, time_mask: 2, frequency_mask: 2}",
        "name: cnn, channels: [4], dropout: 0.3",
        write_sounds,
        "sounds",
        inputs=SOUNDS,
        records=[{"audio": file} for file in SOUNDS],
    ),
    "texts": Kind(
        TEXTS,
        f"name: lstm, {LAYERS}, bidirectional: true, pooling: attention",
        write_texts,
        "texts.csv",
        inputs=PHRASES,
        records=[{"text": phrase} for phrase in PHRASES],
    ),
    "texts by character": Kind(
        TEXTS.replace("min_count: 1", "min_count: 1, tokens: character"),
        "name: transformer, d_model: 8, nhead: 2, num_layers: 1, dropout: 0.3",
        write_texts,
        "texts.csv",
        inputs=PHRASES,
        records=[{"text": phrase} for phrase in PHRASES],
    ),
    "series": Kind(
        f"{SERIES}, target: load",
        f"name: gru, {LAYERS}",
        write_series,
        "series.csv",
        inputs=("series.csv",),
        records=HOURS,
    ),
    "series of several targets": Kind(
        f"{SERIES}, target: [load, wind], per_channel: true, stride: 2",
        "name: mlp, hidden_sizes: [8], dropout: 0.3, normalization: batch",
        write_series,
        "series.csv",
        inputs=("series.csv",),
        records=HOURS,
    ),
    "sequences": Kind(
        SEQUENCES,
        f"name: gru, {LAYERS}",
        write_sequences,
        "sequences.csv",
        inputs=('{"steps": [[1.5], [2.5], [3.5]]}', '{"steps": [[-1]]}'),
        records=[{"steps": [[1.5], [2.5], [3.5]]}, {"steps": [[-1]]}],
    ),
    "ratings": Kind(
        "name: ratings, path: ratings.csv",
        "name: matrix_factorization, embedding_size: 4, dropout: 0.3",
        write_ratings,
        "ratings.csv",
        inputs=('{"user": "u2", "item": "i4"}', '{"user": "nobody", "item": "i4"}'),
        records=[{"user": "u2", "item": "i4"}, {"user": "nobody", "item": "i4"}],
    ),
    "running text": Kind(
        "name: text_file, path: text.txt, context: 8, embedding_size: 4, "
        "split: {val: 0.1, test: 0.1}",
        f"name: lstm, {LAYERS}",
        write_text,
        "text.txt",
        inputs=("the c", "--length", "20"),
    ),
}
