"""Leaves out, one at a time, what a resume needs and what makes a write safe: a test must fail.

    python -m tests.faults.mutations
    python -m tests.faults.mutations optimizer flush

Each mutation changes a copy of the program, on which the tests that guard it are then run. Prints a
table; ends with exit code 1 if one of them was not noticed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.command_line import REPOSITORY

_COPIED = ("dlcli", "tests", "configs", "pyproject.toml")
_STATE = "tests/faults/test_state.py"
_RUN, _FILES, _SAVING = "tests/test_run.py", "tests/test_files.py", "tests/test_saving.py"
_TRAINER, _POSITION = "training/trainer.py", "training/state.py"


@dataclass(frozen=True)
class Mutation:
    """One thing that is left out.

    Attributes:
        what: It, in words.
        changes: File, text in it, and what takes its place.
        tests: Those of which one must fail.
    """

    what: str
    changes: Sequence[tuple[str, str, str]]
    tests: Sequence[str]


def _dropped(group: str, call: str, *more: tuple[str, str, str]) -> Sequence[tuple[str, str, str]]:
    """Return what leaves a group of tensors out of the checkpoint, and out of what is loaded."""
    return [
        (_TRAINER, f'            "{group}": {call},\n', ""),
        *more,
    ]


MUTATIONS = {
    "optimizer": Mutation(
        "state: the optimizer's",
        _dropped(
            "optimizer",
            "self._placement.whole(self.optimizer.state())",
            (
                _TRAINER,
                'self.optimizer.load(self._placement.own(tensors_of(tensors, "optimizer")))',
                "None",
            ),
        ),
        [_STATE],
    ),
    "generator": Mutation(
        "state: the generators'", _dropped("generator", "self._generators()"), [_STATE]
    ),
    "average": Mutation(
        "state: the averages",
        _dropped("average", "self._placement.whole(self.averaging.state())"),
        [_STATE],
    ),
    "scaler": Mutation(
        "state: the scaler's", _dropped("precision", "self.precision.state()"), [_STATE]
    ),
    "totals": Mutation(
        "state: the epoch's loss until now",
        [(_TRAINER, '        self._totals.load(tensors["totals/loss"])\n', "")],
        [_STATE],
    ),
    "buffers": Mutation(
        "state: the buffers of batch norm",
        [
            (
                "training/placement.py",
                "        model.load_state_dict(dict(tensors))\n",
                "        learned = {name: tensors[name] for name, _ in model.named_parameters()}\n"
                "        model.load_state_dict(learned, strict=False)\n",
            )
        ],
        [_STATE],
    ),
    "batch": Mutation(
        "position: the batch within the epoch",
        [(_POSITION, '"batch": self.batch,', '"batch": 0,')],
        [_STATE],
    ),
    "step": Mutation(
        "position: the step", [(_POSITION, '"step": self.step,', '"step": 0,')], [_STATE]
    ),
    "epoch": Mutation(
        "position: the epoch", [(_POSITION, '"epoch": self.epoch,', '"epoch": 0,')], [_STATE]
    ),
    "parts": Mutation(
        "position: the parts of a batch",
        [(_POSITION, '"parts": self.parts,', '"parts": 1,')],
        [_STATE],
    ),
    "history": Mutation(
        "history",
        [(_POSITION, '{**data, "history": history}', '{**data, "history": []}')],
        [_STATE],
    ),
    "threads": Mutation(
        "the number of threads",
        [("commands/resume.py", "if is_changed else former)", "if is_changed else 1)")],
        ["tests/test_resume_changes.py"],
    ),
    "fingerprint": Mutation(
        "the hash of the data",
        [("commands/resume.py", 'sources.fingerprint == data["fingerprint"]', "True")],
        ["tests/test_resume_changes.py"],
    ),
    "flush": Mutation(
        "write: flushing the file",
        [("files.py", "                os.fsync(file.fileno())\n", "")],
        [_SAVING],
    ),
    "folder": Mutation(
        "write: flushing the folder",
        [("files.py", "        os.fsync(descriptor)\n", "        pass\n")],
        [_SAVING],
    ),
    "rename": Mutation(
        "write: a temporary name, then the right one",
        [
            ("files.py", 'part = path.with_name(f".{token_hex(8)}{PART}")', "part = path"),
            ("files.py", 'part.open("xb")', 'part.open("wb")'),
        ],
        [_FILES],
    ),
    "tidy": Mutation(
        "write: removing what is left of a failed one",
        [("files.py", "            part.unlink(missing_ok=True)\n", "            pass\n")],
        [_FILES],
    ),
    "checksum": Mutation(
        "the checksum",
        [("checkpoint/store.py", "if digest.hexdigest() != written:", "if False:")],
        ["tests/test_checkpoint.py"],
    ),
    "order": Mutation(
        "the new checkpoint is safe before an old one goes",
        [
            ("run/directory.py", "        write(new)\n", ""),
            (
                "run/directory.py",
                "                self.last.replace(self.previous)\n",
                "                self.last.replace(self.previous)\n            write(new)\n",
            ),
        ],
        [_RUN],
    ),
    "best first": Mutation(
        "the best epoch is safe before a last one that knows of it",
        [
            (
                "saving.py",
                "        if best is not None:\n            self._write_best(best)\n"
                "        self.run.rotate_last(",
                "        self.run.rotate_last(",
            ),
            (
                "saving.py",
                "        if is_best:\n            self.run.keep_as_best()\n",
                "        if is_best:\n            self.run.keep_as_best()\n"
                "        if best is not None:\n            self._write_best(best)\n",
            ),
        ],
        [_SAVING],
    ),
    "copy": Mutation(
        "a copy of what is written beside the training",
        [("saving.py", 'tensor.detach().to("cpu", copy=True)', "tensor.detach()")],
        [_SAVING],
    ),
    "one at a time": Mutation(
        "no second write before the first is done",
        [
            ("run/background.py", "self.wait()\n        self._job =", "self._job ="),
            ("run/background.py", "ThreadPoolExecutor(1,", "ThreadPoolExecutor(2,"),
        ],
        ["tests/run/test_background.py"],
    ),
    "lock": Mutation(
        "the lock",
        [
            (
                "run/claim.py",
                "            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)\n",
                "            fcntl.fcntl(descriptor, fcntl.F_GETFD)\n",
            )
        ],
        [_RUN],
    ),
}  # fmt: skip


def changed_files(mutation: Mutation) -> dict[str, str]:
    """Return the texts of a mutated program's files that are not as they were, by their places."""
    texts: dict[str, str] = {}
    for name, old, new in mutation.changes:
        text = texts.get(name) or (REPOSITORY / "dlcli" / name).read_text()
        assert text.count(old) == 1, f"{name} no longer has, once, {old!r}"
        texts[name] = text.replace(old, new)
    return texts


def mutated(mutation: Mutation, folder: Path) -> None:
    """Put a copy of the program and its tests into a folder, with one thing left out."""
    for name in _COPIED:
        source = REPOSITORY / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, folder / name, ignore=ignored)
        else:
            shutil.copy(source, folder / name)
    for name, text in changed_files(mutation).items():
        (folder / "dlcli" / name).write_text(text)


def failing_test(mutation: Mutation) -> str | None:
    """Return the name of the first test that fails on a mutated program, None if none does."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        mutated(mutation, folder)
        options = ["-q", "-x", "-p", "no:xdist", "-p", "no:cacheprovider", "-o", "addopts="]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *options, "--import-mode=importlib", *mutation.tests],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode == 0:
        return None
    found = re.search(r"^(?:FAILED|ERROR) (\S.*?)(?: - .*)?$", done.stdout, re.MULTILINE)
    assert found, done.stdout + done.stderr
    return found[1]


def nothing() -> Mutation:
    """Return the mutation that changes nothing: no test of any other may fail on it."""
    tests = dict.fromkeys(test for mutation in MUTATIONS.values() for test in mutation.tests)
    return Mutation("nothing", [], [*tests])


def main() -> None:
    """Run the mutations named on the command line, or all of them."""
    names = sys.argv[1:] or [*MUTATIONS]
    if found := failing_test(nothing()):
        sys.exit(f"{found} fails as it is")
    unnoticed = 0
    for name in names:
        found = failing_test(MUTATIONS[name])
        unnoticed += found is None
        sys.stdout.write(f"| {MUTATIONS[name].what} | {found or 'NOT NOTICED'} |\n")
        sys.stdout.flush()
    sys.exit(bool(unnoticed))


if __name__ == "__main__":
    main()
