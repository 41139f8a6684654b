"""One measurement, and files of them: a JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Measurement:
    """What one process did in one round.

    Attributes:
        work: What was to be done.
        program: Who did it.
        round: 1-based; the processes of one round ran one after the other.
        seconds: Of the training loop, or of prediction, alone.
        rows: Trained on, each as often as there were epochs; or predicted.
        score: Share of test rows told right; of the predicted ones.
        whole_seconds: The process from start to end.
        processor_seconds: Of all its threads.
        resident: Its largest resident set, in bytes.
        anonymous: Most pages of its own, in bytes.
        versions: By package.
        failure: Why there is nothing of all this; empty where there is.
    """

    work: str
    program: str
    round: int
    seconds: float = 0.0
    rows: int = 0
    score: float | None = None
    whole_seconds: float = 0.0
    processor_seconds: float = 0.0
    resident: int = 0
    anonymous: int = 0
    versions: Mapping[str, str] = field(default_factory=dict)
    failure: str = ""

    @property
    def rate(self) -> float:
        """Rows a second."""
        return self.rows / self.seconds


def read(path: Path) -> list[Measurement]:
    """Return the measurements of a file; none where there is no file."""
    if not path.exists():
        return []
    return [Measurement(**json.loads(line)) for line in path.read_text().splitlines()]


def append(path: Path, measurements: Iterable[Measurement]) -> None:
    """Add measurements to the end of a file."""
    with path.open("a") as file:
        file.writelines(json.dumps(asdict(measurement)) + "\n" for measurement in measurements)
