"""One run directory: its files, and who owns it.

    runs/20261120-091205-adult-mlp/
      config.yaml  resolved.yaml  run.json  metrics.jsonl  train.log  splits.json  evaluation/
      checkpoints/best.safetensors  last.safetensors  previous.safetensors

It does not know what a config, a metric or a checkpoint means.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Protocol, Self, TextIO

from dlcli.files import (
    JSON,
    PART,
    disk_errors,
    removed_after,
    replacing,
    strict_json,
    sync_folder,
    write_json,
    write_text,
)
from dlcli.run.claim import claim, make_directory
from dlcli.run.facts import RUN_FILE, git_state, read_facts, versions

Ending = Literal["finished", "failed", "interrupted"]

_ROWS_AT_ONCE = 65_536


class Rows(Protocol):
    """Row numbers of a part of the data: a list, a numpy array or a range."""

    def __len__(self) -> int:
        """Count the rows."""

    def __getitem__(self, index: slice, /) -> Iterable[Any]:
        """Cut some rows out."""


def _listed(numbers: Iterable[Any]) -> str:
    return ",".join(str(int(number)) for number in numbers)


class Run:
    """A run directory that this process owns until `close`, or to the end of a `with` block.

    Use `create` or `open`.

    Attributes:
        path: The directory.
        facts: What run.json says.
        log: train.log, open for appending; each line is written at once.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.facts: dict[str, Any] = {}
        self._lock: int | None = claim(path)
        try:
            self.log = _open_log(path / "train.log")
        except BaseException:
            os.close(self._lock)
            raise

    @classmethod
    def create(
        cls,
        runs_dir: Path,
        name: str,
        *,
        config_text: str,
        resolved_text: str,
        facts: Mapping[str, JSON],
        now: datetime | None = None,
    ) -> Run:
        """Make a new run directory and own it; one that exists is never taken.

        Args:
            runs_dir: Folder of the run directories; made where missing.
            name: The run's name; what does not belong in a file name becomes a dash.
            config_text: The config as given.
            resolved_text: The config with every default filled in.
            facts: What run.json says beside the status, versions, git state and times.
            now: The local time in the directory's name; the present unless given.

        Raises:
            MachineError: The folder cannot be written to.
        """
        path = make_directory(runs_dir, name, now=now or datetime.now())
        try:
            run = cls(path)
            try:
                run._fill(config_text, resolved_text)
                about = {"name": name, **facts, "versions": versions(), "git": git_state(Path())}
                run.facts = about
                run.update(status="running", started=_now(), ended=None)
            except BaseException:
                run.close()
                raise
        except BaseException:
            shutil.rmtree(path, ignore_errors=True)  # half a run is none
            raise
        return run

    @classmethod
    def open(cls, path: Path) -> Run:
        """Own a run directory that exists, to go on with it.

        Temporary files that a killed process left in it are removed.

        Raises:
            CheckpointError: Another process owns it, or it is not a run.
            MachineError: It cannot be written to.
        """
        facts = read_facts(path)
        run = cls(path)
        run.facts = facts
        with disk_errors(path, verb="tidy up"):
            for left_over in path.glob(f"**/.*{PART}"):
                left_over.unlink()
        return run

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _fill(self, config_text: str, resolved_text: str) -> None:
        with disk_errors(self.path, verb="write in"):
            for folder in (self.last.parent, self.evaluation):
                folder.mkdir()
        write_text(self.path / "config.yaml", config_text)
        self.write_resolved(resolved_text)

    def close(self) -> None:
        """Give the directory up; doing so twice is harmless."""
        with suppress(OSError):  # a line that a full disk refused is tried once more
            self.log.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @property
    def is_gone(self) -> bool:
        """Whether someone deleted or moved the directory."""
        return not self.path.is_dir()

    @property
    def has_checkpoint(self) -> bool:
        """Whether a checkpoint was ever kept."""
        return any(path.exists() for path in (self.last, self.previous, self.best))

    @property
    def best(self) -> Path:
        """The checkpoint of the best epoch."""
        return self.path / "checkpoints" / "best.safetensors"

    @property
    def last(self) -> Path:
        """The newest checkpoint."""
        return self.path / "checkpoints" / "last.safetensors"

    @property
    def previous(self) -> Path:
        """The checkpoint before the last."""
        return self.path / "checkpoints" / "previous.safetensors"

    @property
    def evaluation(self) -> Path:
        """Folder of what was measured."""
        return self.path / "evaluation"

    @property
    def metrics(self) -> Path:
        """One row of JSON for each epoch."""
        return self.path / "metrics.jsonl"

    @property
    def resolved(self) -> Path:
        """The config with every default filled in."""
        return self.path / "resolved.yaml"

    def write_resolved(self, text: str) -> None:
        """Write resolved.yaml, or replace it."""
        write_text(self.resolved, text)

    def update(self, **fields: JSON) -> None:
        """Set fields of run.json."""
        self.facts |= fields
        write_json(self.path / RUN_FILE, self.facts)

    def finish(self, status: Ending, **fields: JSON) -> None:
        """Set the status in which the run ends, the time and other fields of run.json.

        Args:
            status: `finished`, after all that the run promises is on the disk; else `failed` or
                `interrupted`.
            fields: Other fields.
        """
        self.update(status=status, ended=_now(), **fields)

    def resume(self, *, rows: int) -> int:
        """Set run.json to running, without how it ended, and cut metrics.jsonl to its first rows.

        Args:
            rows: Epochs that the checkpoint knows of; later ones will be trained again.

        Returns:
            Rows left: fewer than `rows` if a power cut took some.
        """
        with disk_errors(self.metrics), self.metrics.open("a+b") as file:
            file.seek(0)
            whole, end = 0, 0
            while whole < rows and (line := file.readline()).endswith(b"\n"):
                whole, end = whole + 1, end + len(line)
            file.truncate(end)
        for outdated in ("error", "result"):
            self.facts.pop(outdated, None)
        self.update(status="running", ended=None)
        return whole

    def add_metrics(self, row: Mapping[str, JSON]) -> None:
        """Append the row of an epoch to metrics.jsonl; NaN becomes null."""
        line = (strict_json(row) + "\n").encode()
        with disk_errors(self.metrics, size=len(line)), self.metrics.open("ab") as file:
            file.write(line)

    def rotate_last(self, write: Callable[[Path], None]) -> None:
        """Write a checkpoint that becomes `last`; the former `last` becomes `previous`.

        The new one is written first, under a temporary name. Once it is safe, `last` is renamed
        to `previous` and the new one to `last`: at every instant one of the two is whole, and a
        failed write changes neither.

        Args:
            write: Writes a whole checkpoint to the path it is given, flushed to the disk.
        """
        new = self.last.with_name(f".last{PART}")
        write(new)
        with disk_errors(self.last), removed_after(new):
            if self.last.exists():
                self.last.replace(self.previous)
            new.replace(self.last)
            sync_folder(self.last.parent)

    def keep_as_best(self) -> None:
        """Let `best` be what `last` is now; no bytes are written where files can share them."""
        new = self.best.with_name(f".best{PART}")
        with disk_errors(self.best), removed_after(new):
            size = self.last.stat().st_size
            with disk_errors(self.best, size=size):
                _link(self.last, new)
            new.replace(self.best)
            sync_folder(self.best.parent)

    def write_splits(self, rows: Mapping[str, Rows], text: Callable[[Any], str] = _listed) -> None:
        """Write splits.json: the row numbers of each part, a stretch at a time.

        Args:
            rows: Part to row numbers, 0-based; millions of them need no more memory. Of a range,
                start and stop are written.
            text: Numbers to text, with a comma between two.
        """
        with replacing(self.path / "splits.json") as file:
            for index, (part, numbers) in enumerate(rows.items()):
                file.write(f"{',' if index else '{'}\n{strict_json(part)}: ".encode())
                if isinstance(numbers, range):
                    bounds = {"start": numbers.start, "stop": numbers.stop}
                    file.write(strict_json(bounds).encode())
                    continue
                file.write(b"[")
                for start in range(0, len(numbers), _ROWS_AT_ONCE):
                    stretch = numbers[start : start + _ROWS_AT_ONCE]
                    file.write(f"{',' if start else ''}{text(stretch)}".encode())
                file.write(b"]")
            file.write(b"\n}\n" if rows else b"{}\n")


def _open_log(path: Path) -> TextIO:
    with disk_errors(path):
        return path.open("a", encoding="utf-8", errors="backslashreplace", buffering=1)


def _link(source: Path, target: Path) -> None:
    """Let a second name share a file, or copy it where the file system has no links."""
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)
        with target.open("rb") as file:
            os.fsync(file.fileno())


def _now() -> str:
    """Return the time in UTC; as text it sorts as in time."""
    return datetime.now(UTC).isoformat(timespec="microseconds")
