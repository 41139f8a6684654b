"""Three short trainings that draw, keep and decide all that a training can."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Training:
    """A config, and what writes its data.

    Attributes:
        config: The text of it.
        write: Writes the data into a folder.
    """

    config: str
    write: Callable[[Path], None]

    def write_to(self, folder: Path, name: str) -> str:
        """Write config and data into a folder; return the config's name."""
        self.write(folder)
        (folder / f"{name}.yaml").write_text(self.config)
        return f"{name}.yaml"


def _write_table(folder: Path) -> None:
    draw = random.Random(0)
    rows = ["size,age,kind,price\n"]
    for _ in range(900):
        size, age, kind = draw.gauss(70, 20), draw.randint(0, 90), draw.choice("abc")
        price = 3 * size - age + 40 * "abc".index(kind) + draw.gauss(0, 25)
        rows.append(f"{size:.2f},{age if draw.random() < 0.95 else ''},{kind},{price:.2f}\n")
    (folder / "table.csv").write_text("".join(rows))


def _write_texts(folder: Path) -> None:
    draw = random.Random(1)
    moods = {"good": "fine fair nice kind warm", "bad": "poor dull grim cold mean"}
    common = ["the", "a", "day", "was", "and", "it", "very", "so", "quite"]
    rows = ["mood,text\n"]
    for number in range(300):
        mood = "good" if number % 2 else "bad"
        words = [draw.choice(moods[mood].split() if draw.random() < 0.7 else common)]
        words += [draw.choice(common) for _ in range(draw.randint(1, 7))]
        rows.append(f"{mood},{' '.join(words)}\n")
    (folder / "texts.csv").write_text("".join(rows))


_COMMON = "threads: 1, ema: 0.98, early_stopping: {patience: 10}"

TRAININGS = {
    "mlp": Training(
        f"""\
data: {{name: table, path: table.csv, target: price, batch_size: 32}}
model: {{name: mlp, hidden_sizes: [64, 64], dropout: 0.2, normalization: batch}}
optimizer: {{name: adamw, lr: 3e-4}}
scheduler: {{name: cosine, warmup: 0.1}}
train: {{epochs: 70, checkpoint_every: 61, clip_norm: 1.0, {_COMMON}}}
""",
        _write_table,
    ),
    "cnn": Training(
        f"""\
data: {{name: digits, batch_size: 64, augment: {{crop: 1, rotation: 10, erase: 0.3, mixup: 0.2}}}}
model: {{name: cnn, channels: [8, 16], dropout: 0.2}}
optimizer: {{name: sgd, lr: 0.1, momentum: 0.9}}
scheduler: {{name: one_cycle}}
train: {{epochs: 16, checkpoint_every: 0.3s, {_COMMON}}}
""",
        lambda _folder: None,
    ),
    "lstm": Training(
        f"""\
data:
  name: table
  path: texts.csv
  target: mood
  types: {{text: text}}
  text: {{min_count: 1}}
  batch_size: 16
model: {{name: lstm, hidden_size: 16, num_layers: 2, dropout: 0.3, bidirectional: true}}
optimizer: {{name: adam, lr: 3e-3}}
scheduler: {{name: reduce_on_plateau, patience: 2}}
train: {{epochs: 30, precision: bf16, {_COMMON}}}
""",
        _write_texts,
    ),
}
"""Dropout, shuffling, augmentation, batch norm, schedules, averages, clipping, early stopping."""
