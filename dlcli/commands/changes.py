"""What may change within a run, and what cannot however much it is wanted; opens no file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from dlcli.config.config import Config
from dlcli.config.nodes import dotted
from dlcli.config.resolve import flat
from dlcli.config.write import flow
from dlcli.errors import CheckpointError, ConfigError, DlcliError, Fault, KeyPath
from dlcli.training.state import State

CHANGEABLE = ("train.epochs", "train.max_time", "train.device")
"""What may change without further ado: it touches nothing that was trained until then."""

_FIXED = {
    "task": "the network was built for it",
    "data": "the data were read so, and what was learned of them holds for nothing else",
    "data.split": "rows that were trained on would pass for new ones",
    "metrics": "the epochs until now were measured by the others",
    "loss": "the epochs until now were measured by the other, and the two do not compare",
    "train.monitor": "the best epoch until now was told by the other: only its weights are kept",
    "train.init_from": "it says with which weights to begin, and training has begun",
}
"""What cannot change, by the beginning of its key, and why not; the longest that fits says it."""
_OF_HISTORY = ("metrics", "loss", "train.monitor")
"""What of that can change as long as no epoch is complete."""
_DATA = ("path", "val_path", "test_path", "root", "download", "batch_size", "augment")
"""What of `data` can: where it lies, and what is drawn from it."""


@dataclass(frozen=True)
class Changes:
    """A stored config, and what is to be in its place.

    Attributes:
        before: Sections by name.
        after: Likewise.
    """

    before: Mapping[str, Any]
    after: Mapping[str, Any]

    @property
    def paths(self) -> list[KeyPath]:
        """The keys that differ."""
        before, after = dict(flat(self.before)), dict(flat(self.after))
        return [
            path
            for path in dict.fromkeys([*before, *after])
            if path not in before or path not in after or before[path] != after[path]
        ]

    def told(self) -> list[str]:
        """Return what to say of each: `optimizer.lr: 0.001 -> 0.01`.

        Nothing is said of options that went with the component that had them.
        """
        before, after = dict(flat(self.before)), dict(flat(self.after))
        return [
            f"{dotted(path)}: {flow(before.get(path))} -> {flow(after[path])}"
            for path in self.paths
            if path in after and (path in before or after[path] is not None)
        ]

    def touch(self, *path: str) -> bool:
        """Say whether a key, or one below it, differs."""
        return any(one[: len(path)] == path for one in self.paths)

    def check(self, *, has_history: bool) -> None:
        """Refuse what cannot change, each once, however many of its options differ.

        Args:
            has_history: Epochs are complete.

        Raises:
            ConfigError: Something did; all of it at once.
        """
        fixed = {path: key for path in self.paths if (key := _fixed(path))}
        named = {
            path if path[0] == "data" else tuple(key.split(".")): _FIXED[key]
            for path, key in fixed.items()
            if key not in _OF_HISTORY or has_history
        }
        faults = [
            Fault(
                f"`{dotted(path)}` cannot change within a run, not even with --override: {reason}",
                path,
                suggestion="train anew",
            )
            for path, reason in named.items()
        ]
        if faults:
            raise ConfigError(faults)

    def refused(self, error: DlcliError, *sections: KeyPath) -> DlcliError:
        """Return the error of a checkpoint that does not fit, or one of the config that is why.

        Args:
            error: What does not fit.
            sections: The keys that decide it, or those above them.
        """
        paths = [p for p in self.paths if any(p[: len(above)] == above for above in sections)]
        if not paths:
            return error
        named = [path for path in paths if path[-1] == "name"] or paths
        return ConfigError(
            f"this run cannot go on with another {', '.join(f'`{dotted(p)}`' for p in named)}: "
            f"{error}",
            path=named[0],
            suggestion="leave that as it was, or train anew",
        )


def _fixed(path: KeyPath) -> str:
    """Return what of `_FIXED` a key belongs to; nothing where it can change."""
    if path[0] == "data" and path[1] in _DATA:
        return ""
    keys = [dotted(path[:length]) for length in range(len(path), 0, -1)]
    return next((key for key in keys if key in _FIXED), "")


def referring(written: Any, before: Any, after: Any) -> Any:
    """Return a config as it is from now on, with references to variables that it was written with.

    Args:
        written: The config until now, references as written.
        before: The same, variables read.
        after: The config from now on, variables read.
    """
    if isinstance(after, Mapping):
        texts, values = (one if isinstance(one, Mapping) else {} for one in (written, before))
        return {key: referring(texts.get(key), values.get(key), v) for key, v in after.items()}
    return written if before == after and "${env:" in str(written) else after


def check_loss(before: Config, after: Config) -> None:
    """Refuse a loss that wants other targets than those that were trained on.

    Raises:
        ConfigError: One scales them and the other does not.
    """
    if (before.loss is None or before.loss.scales_targets) != (
        after.loss is None or after.loss.scales_targets
    ):
        raise ConfigError(
            "`loss.name` cannot change so within a run, not even with --override: one of the two "
            "losses takes scaled targets, the other does not",
            path=("loss", "name"),
            suggestion="train anew",
        )


def check_weights(saved: Mapping[str, Tensor], built: Mapping[str, Tensor]) -> None:
    """Refuse weights that do not fit a network.

    Args:
        saved: By name.
        built: Those of the network.

    Raises:
        CheckpointError: A weight is missing, of another shape or too many; the first is named.
    """
    for name in dict.fromkeys([*saved, *built]):
        shapes = [tuple(side[name].shape) if name in side else None for side in (saved, built)]
        if shapes[0] != shapes[1]:
            there, here = ("nothing" if one is None else f"{one}" for one in shapes)
            raise CheckpointError(
                f"its weights do not fit: `{name}` is {there} in the checkpoint and {here} here"
            )


def moved(state: State, rows: int, *, before: int, after: int) -> bool:
    """Move a position within an epoch to where as many rows, or some fewer, are done.

    Args:
        state: Is changed.
        rows: Of an epoch from now on.
        before: Rows of a batch until now.
        after: Rows of a batch from now on.

    Returns:
        Whether the batches from there on are others than they would have been.
    """
    batches = -(-rows // after)
    batch = min(state.batch * before // after, batches - 1)
    is_moved = state.batch > 0 and (before != after or batch != state.batch)
    state.batch = batch
    return is_moved


def told_machine(run: Mapping[str, Any], now: Mapping[str, Any], *, cores: int) -> Sequence[str]:
    """Return warnings of what differs between two sittings of a run, and changes its last bits.

    Args:
        run: `threads`, `torch` and `device` until now.
        now: Likewise.
        cores: Of the processor here.
    """
    said = [
        f"resumed {words.format(now[key], run[key])}: last bits will differ"
        for key, words in {
            "device": "on {} instead of {}",
            "threads": "with threads: {} instead of {}",
            "torch": "with torch {} instead of {}",
        }.items()
        if run[key] != now[key]
    ]
    if now["threads"] > cores:
        said.append(
            f"this run has threads: {now['threads']}, and here are {cores} cores: slower, but the "
            f"same bits (`train.threads={cores}` with --override is faster)"
        )
    return said
