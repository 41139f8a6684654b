"""Ludwig: a config for Adult, read from its tables as they are.

A library of its own release is needed; see `benchmarks/setup.sh`.
"""

from __future__ import annotations

import logging
import time

from ludwig.api import LudwigModel

from benchmarks.peers.adult import read
from benchmarks.peers.terms import asked, tell
from benchmarks.works import LEARNING_RATE, SEED


def main() -> None:
    """Do what is asked."""
    given = asked()
    work = given.work
    train, test = read(given.folder)
    numbers = set(train.select_dtypes("number").columns)
    config = {
        "input_features": [
            {"name": name, "type": "number" if name in numbers else "category"}
            for name in train.columns
            if name != "income"
        ],
        "output_features": [{"name": "income", "type": "category"}],
        "defaults": {"number": {"preprocessing": {"normalization": "zscore"}}},
        "combiner": {
            "type": "concat",
            "fc_layers": [{"output_size": width} for width in work.hidden_sizes],
        },
        "trainer": {
            "epochs": work.epochs,
            "batch_size": work.batch_size,
            "learning_rate": LEARNING_RATE,
            "optimizer": {"type": "adam"},
            "learning_rate_scheduler": {"decay": None},
            "early_stop": -1,
        },
        "backend": {"type": "local"},
    }
    model = LudwigModel(config, logging_level=logging.ERROR)
    started = time.perf_counter()
    model.train(
        training_set=train,
        test_set=test,
        random_seed=SEED,
        skip_save_training_description=True,
        skip_save_training_statistics=True,
        skip_save_model=True,
        skip_save_progress=True,
        skip_save_log=True,
        skip_save_processed_input=True,
    )
    seconds, rows = time.perf_counter() - started, len(train) * work.epochs
    told, _ = model.predict(test, skip_save_predictions=True)
    score = (told["income_predictions"].to_numpy() == test["income"].to_numpy()).mean()
    tell("ludwig", "torch", seconds=seconds, rows=rows, score=score)


if __name__ == "__main__":
    main()
