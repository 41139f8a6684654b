"""Prediction by a model that dlcli trained, called from Python, as the peers are.

The way `records` is `predict`, with a dictionary for each picture; `arrow` gives the pictures as
one Arrow batch, which is what `dlcli predict` makes of a file.
"""

from __future__ import annotations

import time

import numpy as np
import pyarrow as pa

import dlcli
from benchmarks.peers.terms import asked, mnist_pixels, tell


def main() -> None:
    """Do what is asked."""
    given = asked()
    pixels, classes = mnist_pixels(given.folder, "train")
    model = dlcli.load(given.folder / "mnist-mlp.safetensors")
    if given.way == "records":
        records = [{"image": picture} for picture in pixels]
        started = time.perf_counter()
        told = np.array(model.predict(records), np.int64)
    else:
        rows = pa.FixedSizeListArray.from_arrays(pa.array(pixels.reshape(-1)), 28)
        batch = pa.record_batch({"image": pa.FixedSizeListArray.from_arrays(rows, 28)})
        started = time.perf_counter()
        told = model.answers(batch).argmax(1).numpy()
    seconds = time.perf_counter() - started
    score = (told == classes).mean()
    tell("dlcli", "torch", seconds=seconds, rows=len(told), score=score)


if __name__ == "__main__":
    main()
