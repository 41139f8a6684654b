"""scikit-learn's MLPClassifier: no torch; it draws weights in its own way."""

from __future__ import annotations

import time
import warnings

from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from benchmarks.peers.terms import arrays, asked, tell, trained_weights
from benchmarks.works import LEARNING_RATE, SEED


def main() -> None:
    """Do what is asked."""
    given = asked()
    work, data = given.work, arrays(given)
    model = MLPClassifier(
        work.hidden_sizes,
        alpha=0,
        batch_size=work.batch_size,
        learning_rate_init=LEARNING_RATE,
        max_iter=max(1, work.epochs),
        tol=0,
        n_iter_no_change=work.epochs + 1,
        random_state=SEED,
    )
    if given.name == "predict":
        model.partial_fit(
            data.train_inputs[:1000], data.train_targets[:1000], classes=[*range(work.classes)]
        )
        weights = trained_weights(given.folder)
        model.coefs_ = [array.T.copy() for array in weights[::2]]
        model.intercepts_ = weights[1::2]
        started = time.perf_counter()
        told = model.predict(data.train_inputs)
        seconds, rows = time.perf_counter() - started, len(data.train_inputs)
        score = (told == data.train_targets).mean()
    else:
        warnings.simplefilter("ignore", ConvergenceWarning)  # so many epochs were asked for
        started = time.perf_counter()
        model.fit(data.train_inputs, data.train_targets)
        seconds = time.perf_counter() - started
        rows = len(data.train_inputs) * work.epochs
        score = model.score(data.test_inputs, data.test_targets)
    tell("scikit-learn", seconds=seconds, rows=rows, score=score)


if __name__ == "__main__":
    main()
