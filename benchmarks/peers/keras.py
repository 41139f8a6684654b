"""Keras 3 with torch behind it: a Sequential model, `compile`, `fit`.

Keras draws weights in its own way, so that they are others than those of the torch programs.
"""

from __future__ import annotations

import os
import time

os.environ["KERAS_BACKEND"] = "torch"

import keras
import numpy as np
from keras import layers

from benchmarks.peers.terms import arrays, asked, tell, trained_weights
from benchmarks.works import LEARNING_RATE, SEED, Work


def build(work: Work, shape: tuple[int, ...]) -> keras.Model:
    """Build a work's network for inputs of this shape; of pictures (H, W, 1)."""
    keras.utils.set_random_seed(SEED)
    return keras.Sequential([keras.Input(shape), *_hidden(work), layers.Dense(work.classes)])


def _hidden(work: Work) -> list[keras.Layer]:
    if work.network == "mlp":
        return [layers.Dense(width, activation="relu") for width in work.hidden_sizes]
    if work.network == "lstm":
        return [layers.Reshape((28, 28)), layers.LSTM(128)]
    return [
        layers.Conv2D(32, 3, activation="relu"),
        layers.Conv2D(64, 3, activation="relu"),
        layers.MaxPooling2D(2),
        layers.Flatten(),
        layers.Dense(128, activation="relu"),
    ]


def main() -> None:
    """Do what is asked."""
    given = asked()
    work, data = given.work, arrays(given)
    inputs, test_inputs = (_channels_last(part) for part in (data.train_inputs, data.test_inputs))
    model = build(work, inputs.shape[1:])
    model.compile(
        optimizer=keras.optimizers.Adam(LEARNING_RATE),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    if given.name == "predict":
        model.set_weights([array.T for array in trained_weights(given.folder)])
        started = time.perf_counter()
        told = model.predict(inputs, batch_size=work.batch_size, verbose=0)
        seconds, rows = time.perf_counter() - started, len(inputs)
        score = (told.argmax(1) == data.train_targets).mean()
    else:
        started = time.perf_counter()
        model.fit(inputs, data.train_targets, work.batch_size, work.epochs, verbose=0, shuffle=True)
        seconds, rows = time.perf_counter() - started, len(inputs) * work.epochs
        told = model.predict(test_inputs, batch_size=1000, verbose=0)
        score = (told.argmax(1) == data.test_targets).mean()
    tell("keras", "torch", seconds=seconds, rows=rows, score=score)


def _channels_last(inputs: np.ndarray) -> np.ndarray:
    return np.moveaxis(inputs, 1, -1) if inputs.ndim == 4 else inputs


if __name__ == "__main__":
    main()
