"""`dlcli train --resume`: from a run's last checkpoint to a training that goes on."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from dlcli import checkpoint
from dlcli.build import Learner, build_monitor, build_trainer, open_sources
from dlcli.commands.changes import (
    CHANGEABLE,
    Changes,
    check_loss,
    check_weights,
    moved,
    referring,
    told_machine,
)
from dlcli.commands.complete import Training, complete, led
from dlcli.commands.outcome import Outcome
from dlcli.commands.train import Turn, examples_to_train, tell_storage, train_in
from dlcli.config.code import changed_files, read_again, stored_code
from dlcli.config.config import Config
from dlcli.config.nodes import Origin
from dlcli.config.own import own_codes
from dlcli.config.read import Stored, changed_data, config_from, read_config, to_yaml
from dlcli.config.yaml import parse
from dlcli.data.examples import Examples
from dlcli.data.origins import condensed, differences
from dlcli.data.prepare import restore
from dlcli.data.sources.source import Sources
from dlcli.data.split import PARTS
from dlcli.data.staging import placed
from dlcli.description import versions
from dlcli.errors import CheckpointError, ConfigError, DataError, NewerError
from dlcli.files import JSON, relative
from dlcli.hardware import choose_device, choose_threads, default_threads
from dlcli.progress import Talk
from dlcli.ranks import check_rows, in_turns, joined, own_device
from dlcli.run import Run, find_run
from dlcli.trained import config_in, rebuild_learner, stored_in
from dlcli.training.distributed import Distribution
from dlcli.training.state import State
from dlcli.training.trainer import Trainer, tensors_of


def resume_run(
    name: str,
    overrides: Sequence[str],
    *,
    runs_dir: Path,
    may_change: bool = False,
    trust_code: bool = False,
    is_quiet: bool = False,
    is_verbose: bool = False,
) -> Outcome:
    """Go on with a run from its last checkpoint, in the same run directory.

    A run that was stopped before its first checkpoint begins again there.

    Args:
        name: A run directory, a run's name, or `latest`.
        overrides: KEY=VALUE; only `train.epochs`, `train.max_time` and `train.device` may change.
        runs_dir: Where named runs are.
        may_change: Other keys may, and so may the data and own code; all of it is said aloud.
        trust_code: Whether code that the checkpoint holds may run.
        is_quiet: Say nothing on stderr.
        is_verbose: Say more.

    Raises:
        CheckpointError: The run is missing, busy, or has no whole checkpoint; or its data changed.
        ConfigError: An override changes what cannot change within a run.
    """
    with joined() as distribution:
        wish = _Wish(
            tuple(overrides),
            may_change,
            trust_code,
            Talk(is_quiet=is_quiet, is_verbose=is_verbose),
            distribution,
        )
        with led(lambda: Run.open(find_run(name, runs_dir)), distribution) as run:
            if distribution.first(run.has_checkpoint):
                return _go_on(run, wish)
            return _begin_again(run, wish)


@dataclass(frozen=True)
class _Wish:
    """How to go on.

    Attributes:
        overrides: KEY=VALUE.
        may_change: Whether any key may change, and the data and own code.
        trust_code: Whether own code may run.
        talk: Where to say what happens.
        distribution: This process among those that train together.
    """

    overrides: tuple[str, ...]
    may_change: bool
    trust_code: bool
    talk: Talk
    distribution: Distribution

    @property
    def allowed(self) -> Sequence[str] | None:
        """The keys that may change; None for all."""
        return None if self.may_change else CHANGEABLE

    def allow(self, what: str, consequence: str) -> None:
        """Say what is no longer what it was, or refuse it.

        Raises:
            CheckpointError: It may not change.
        """
        if not self.may_change:
            raise CheckpointError(
                f"{what} is not what it was when training began",
                suggestion="put the former back, train anew, or go on all the same by --override",
            )
        self.talk.warn(f"{what} is not what it was when training began: {consequence}")


def _go_on(run: Run, wish: _Wish) -> Outcome:
    talk = wish.talk
    loaded, is_newest = _last_checkpoint(run, talk, wish.distribution)
    training = _restored(run, loaded, wish)
    _write_resolved(run, loaded.data["config"], training.description["config"])
    _bring_up_to_date(run, training, is_newest=is_newest)
    with talk.logging_to(run.log):
        talk.say(_told_rest(run, training))
        return complete(run, training, talk)


def _told_rest(run: Run, training: Training) -> str:
    """Return what to say of the training that is left: where it goes on, or why nothing is."""
    state, options, place = training.trainer.state, training.config.train, relative(run.path)
    if state.epoch >= options.epochs:
        return (
            f"{place} has all its {state.epoch} epochs: nothing is left to train "
            "(`train.epochs=N` goes on to N)"
        )
    stopping, monitor = options.early_stopping, build_monitor(training.config, training.learner)
    is_over = stopping is not None and monitor.is_patience_spent(state.history, stopping.patience)
    if stopping is not None and is_over and state.batch == 0:
        return (
            f"{place} stopped early after epoch {state.epoch}, its best is epoch "
            f"{monitor.best_epoch(state.history)}: nothing is left to train "
            f"(`--override train.early_stopping=null`, or a patience above {stopping.patience}, "
            "goes on)"
        )
    return f"resuming {place} after step {state.step}"


def _begin_again(run: Run, wish: _Wish) -> Outcome:
    """Train a run from the beginning, which was stopped before its first checkpoint."""
    resolved, folder = run.resolved, Path(run.facts["config_folder"])
    read = read_config(resolved, trust_code=wish.trust_code, folder=folder)
    if wish.overrides:
        stored = Stored(stored_code(own_codes(read.config)), "the config", wish.trust_code)
        changed_data(read.portable(), wish.overrides, allowed=wish.allowed, stored=stored)
        read = read_config(resolved, wish.overrides, trust_code=wish.trust_code, folder=folder)
    turn = Turn(
        read.config,
        fold=run.facts.get("fold"),
        overfit_batches=run.facts.get("overfit_batches"),
        distribution=wish.distribution,
    )
    wish.talk.say(f"{relative(run.path)} has no checkpoint yet: it begins again")

    def begun(_name: str, text: str, facts: Mapping[str, JSON]) -> Run:
        run.write_resolved(text)
        run.resume(rows=0)
        run.update(**{key: facts[key] for key in facts if key != "command"})
        return run

    return train_in(begun, read, turn, wish.talk)


def _write_resolved(run: Run, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Let resolved.yaml say what is trained from now on, references to variables as written."""
    text, written = "", {}
    with suppress(OSError, UnicodeDecodeError, ConfigError):  # someone deleted or changed it
        text = run.resolved.read_text(encoding="utf-8")
        written = parse(text, Origin(run.resolved.name))[0].written()
    stored = to_yaml(referring(written, before, after))
    if stored != text:
        run.write_resolved(stored)


def _bring_up_to_date(run: Run, training: Training, *, is_newest: bool) -> None:
    """Let the run's other files say what its checkpoint says, wherever it was killed."""
    state = training.trainer.state
    whole = run.resume(rows=len(state.history))
    for report in state.history[whole:]:  # a power cut may take rows that the checkpoint has
        run.add_metrics(report.to_data())
    run.update(
        device=str(training.learner.device),
        ranks=training.trainer.distribution.world_size,
        threads=torch.get_num_threads(),
        fingerprint=training.description["fingerprint"],
    )
    best = build_monitor(training.config, training.learner).best_epoch(state.history)
    if is_newest and state.batch == 0 and best == state.epoch:
        run.keep_as_best()  # a kill between the two writes leaves an older best


def _restored(run: Run, loaded: checkpoint.Loaded, wish: _Wish) -> Training:
    """Make a training anew from a checkpoint and the data of its run."""
    data, distribution = _with_code(run, loaded.data, wish), wish.distribution
    config, changes = _config(run, loaded.data, data, wish)
    device = choose_device(own_device(config.train.device, distribution))
    with in_turns(distribution):
        sources = open_sources(config, Path(run.facts["config_folder"]))
    _check_data(run, data, sources, wish)
    learner = rebuild_learner(config, data, device=device)
    _set_threads(data["threads"], config, changes, learner)
    _tell_machine(run, data, device, wish)
    parts = restore(
        sources,
        config.data,
        preprocessor=learner.preprocessor,
        task=data["task"],
        fold=data["fold"],
        parts=PARTS,
        say=wish.talk.warn,
    )
    tell_storage(parts, wish.talk)
    examples = {part: placed(rows, device) for part, rows in parts.items()}
    examples = examples_to_train(config, data.get("overfit_batches"), examples, learner, wish.talk)
    check_rows(len(examples["train"]), config.data.rows_per_step, distribution)
    state = _state(loaded, config, changes, examples, wish.talk)
    trainer = build_trainer(
        config, learner, examples["train"], state=state, distribution=distribution
    )
    _load(trainer, loaded, changes)
    if sources.fingerprint != data["fingerprint"]:
        run.update(files=condensed(sources.files))
    kept = {key: value for key, value in data.items() if key not in {"state", "self_test"}}
    description = kept | {
        "config": dict(changes.after),
        "versions": versions(),
        "fingerprint": sources.fingerprint,
        "threads": torch.get_num_threads(),
    }
    return Training(config, learner, examples, description, trainer)


def _set_threads(former: int, config: Config, changes: Changes, learner: Learner) -> None:
    """Compute with as many threads as until now; with another number if the config changed."""
    torch.set_num_threads(default_threads())
    is_changed = changes.touch("train", "threads")
    torch.set_num_threads(choose_threads(config, learner) if is_changed else former)


def _tell_machine(run: Run, data: Mapping[str, Any], device: torch.device, wish: _Wish) -> None:
    """Say what of the machine is another than until now."""
    former = {
        "device": run.facts["device"],
        "threads": data["threads"],
        "torch": data["versions"]["torch"],
    }
    now = {
        "device": str(device),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
    for warning in told_machine(former, now, cores=_cores()):
        wish.talk.warn(warning)
    ranks, here = run.facts.get("ranks", 1), wish.distribution.world_size
    if here != ranks:
        wish.talk.warn(
            f"resumed by {_processes(here)} instead of {ranks}: dropout draws anew, and last bits "
            "will differ"
        )


def _with_code(run: Run, data: Mapping[str, Any], wish: _Wish) -> Mapping[str, Any]:
    """Return a checkpoint's data with own code as it is now, if that may change."""
    folder, code = Path(run.facts["config_folder"]), data.get("code", {})
    changed = changed_files(code, folder)
    if not changed:
        return data
    wish.allow(
        f"{', '.join(f'`{file}`' for file in changed)} of {relative(run.path)}", "it runs as it is"
    )
    return {**data, "code": code | read_again(changed, folder)}


def _config(
    run: Run, before: Mapping[str, Any], data: Mapping[str, Any], wish: _Wish
) -> tuple[Config, Changes]:
    """Return the config to go on with, and what it changes, said aloud."""
    config_in(data, run.last, trust_code=wish.trust_code)  # is known here, or is told to be newer
    stored = stored_in(data, run.last, trust_code=wish.trust_code)
    after = changed_data(data["config"], wish.overrides, allowed=wish.allowed, stored=stored)
    config, changes = config_from(after, os.environ, stored=stored), Changes(data["config"], after)
    changes.check(has_history=bool(data["state"]["epoch"]))
    if changes.touch("loss"):
        stored = stored_in(before, run.last, trust_code=wish.trust_code)
        check_loss(config_from(data["config"], os.environ, stored=stored), config)
    for line in changes.told():
        wish.talk.say(line)
    return config, changes


def _check_data(run: Run, data: Mapping[str, Any], sources: Sources, wish: _Wish) -> None:
    """Refuse other data than training began with, or say which file differs."""
    if sources.fingerprint == data["fingerprint"]:
        return
    which = differences(run.facts.get("files", {}), sources.files)
    wish.allow(
        f"the data of {relative(run.path)}" + (f" ({which})" if which else ""),
        "training goes on with what is there now, and rows may have changed from one part to "
        "another",
    )


def _state(
    loaded: checkpoint.Loaded,
    config: Config,
    changes: Changes,
    examples: Mapping[str, Examples],
    talk: Talk,
) -> State:
    """Return the position to go on from.

    Raises:
        DataError: The epochs until now were measured on a val part, those to come were not, or the
            other way round.
    """
    state = State.from_data(loaded.data["state"], loaded.tensors["history/values"])
    had_val, has_val = any(report.val for report in state.history), "val" in examples
    if state.history and had_val != has_val:
        raise DataError(
            f"the changed data have {'a' if has_val else 'no'} val part, and the epochs until now "
            f"were trained with{'' if had_val else 'out'} one",
            suggestion="put the former files back, or train anew",
        )
    rows = len(examples["train"])
    before = loaded.data["config"]["data"]["batch_size"]
    if moved(state, rows, before=before, after=config.data.rows_per_step):
        talk.warn(f"the epoch under way goes on at batch {state.batch + 1}, with other rows")
    if changes.touch("train", "accumulate"):
        state.parts = config.train.accumulate
    return state


def _load(trainer: Trainer, loaded: checkpoint.Loaded, changes: Changes) -> None:
    """Give a trainer what a checkpoint holds.

    Raises:
        CheckpointError: It does not fit.
        ConfigError: It does not, for the config changed.
    """
    try:
        check_weights(tensors_of(loaded.tensors, "model"), trainer.model.state_dict())
    except CheckpointError as error:
        raise changes.refused(error, ("model",), ("loss",)) from error
    try:
        trainer.load(loaded.tensors)
    except CheckpointError as error:
        raise changes.refused(error, ("optimizer",), ("train", "freeze")) from error


def _cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _processes(count: int) -> str:
    return "1 process" if count == 1 else f"{count} processes"


def _last_checkpoint(
    run: Run, talk: Talk, distribution: Distribution
) -> tuple[checkpoint.Loaded, bool]:
    """Return the checkpoint to go on from, which rank 0 reads, and whether it is the last."""
    nothing = checkpoint.Loaded({}, {})
    loaded, is_newest = _read_last(run, talk) if distribution.rank == 0 else (nothing, True)
    data, is_newest = distribution.first((loaded.data, is_newest))
    return checkpoint.Loaded(distribution.spread(loaded.tensors), data), is_newest


def _read_last(run: Run, talk: Talk) -> tuple[checkpoint.Loaded, bool]:
    """Load the last checkpoint, or the one before it where the last is damaged; say if the last.

    Raises:
        CheckpointError: Both are damaged or missing.
        NewerError: A newer program wrote them.
    """
    try:
        return checkpoint.load(run.last), True
    except NewerError:
        raise
    except CheckpointError as error:
        found = error
    try:
        loaded = checkpoint.load(run.previous)
    except NewerError:
        raise
    except CheckpointError as error:
        raise CheckpointError(
            f"{found}; {error}",
            suggestion=f"if {relative(run.best)} is whole, copy it to {run.last.name}: training "
            "goes on from there",
        ) from error
    talk.warn(f"{found}; going on from the checkpoint before it")
    if run.last.exists():  # aside, or the next save would put it in the place of `previous`
        run.last.replace(run.last.with_name("damaged.safetensors"))
    return loaded, False
