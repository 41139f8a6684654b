"""`dlcli train --resume`: from a run's last checkpoint to a training that goes on."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from dlcli import checkpoint
from dlcli.build import build_monitor, build_trainer, choose_device, open_sources
from dlcli.commands.complete import Training, complete
from dlcli.commands.outcome import Outcome
from dlcli.config.read import changed_data, config_from
from dlcli.data.augment.examples import augmented
from dlcli.data.prepare import restore
from dlcli.data.split import PARTS
from dlcli.errors import CheckpointError
from dlcli.files import relative
from dlcli.progress import Talk
from dlcli.run import Run, find_run
from dlcli.trained import rebuild_learner
from dlcli.training.state import State

_CHANGEABLE = ("train.epochs", "train.max_time", "train.device")


def resume_run(
    name: str, overrides: Sequence[str], *, runs_dir: Path, is_quiet: bool = False
) -> Outcome:
    """Go on with a run from its last checkpoint, in the same run directory.

    Args:
        name: A run directory, a run's name, or `latest`.
        overrides: KEY=VALUE; only `train.epochs`, `train.max_time` and `train.device` may change.
        runs_dir: Where named runs are.
        is_quiet: Say nothing on stderr.

    Raises:
        CheckpointError: The run is missing, busy, or has no whole checkpoint; or its data changed.
        ConfigError: An override changes what cannot change within a run.
    """
    talk = Talk(is_quiet=is_quiet)
    with Run.open(find_run(name, runs_dir)) as run:
        loaded, is_newest = _last_checkpoint(run, talk)
        data = changed_data(loaded.data["config"], overrides, allowed=_CHANGEABLE)
        training = _restored(run, loaded, data, talk)
        training.trainer.load(loaded.tensors)
        _bring_up_to_date(run, training, is_newest=is_newest)
        state, epochs = training.trainer.state, training.config.train.epochs
        with talk.logging_to(run.log):
            if state.epoch < epochs:
                talk.say(f"resuming {relative(run.path)} after step {state.step}")
            else:
                talk.say(
                    f"{relative(run.path)} has all its {state.epoch} epochs: nothing is left to "
                    "train (`train.epochs=N` goes on to N)"
                )
            return complete(run, training, talk)


def _bring_up_to_date(run: Run, training: Training, *, is_newest: bool) -> None:
    """Let the run's other files say what its checkpoint says, wherever it was killed."""
    state = training.trainer.state
    whole = run.resume(rows=len(state.history))
    for report in state.history[whole:]:  # a power cut may take rows that the checkpoint has
        run.add_metrics(report.to_data())
    run.update(device=str(training.learner.device), threads=torch.get_num_threads())
    best = build_monitor(training.config, training.learner).best_epoch(state.history)
    if is_newest and state.batch == 0 and best == state.epoch:
        run.keep_as_best()  # a kill between the two writes leaves an older best


def _restored(
    run: Run, loaded: checkpoint.Loaded, config_data: Mapping[str, Any], talk: Talk
) -> Training:
    """Make a training anew from a checkpoint and the data of its run."""
    data, config = loaded.data, config_from(config_data, os.environ)
    device = choose_device(config.train.device)
    sources = open_sources(config, Path(run.facts["config_folder"]))
    if sources.fingerprint != data["fingerprint"]:
        raise CheckpointError(
            f"the data of {relative(run.path)} is not what it was when training began",
            suggestion="put the former files back, or train anew",
        )
    if str(device) != run.facts["device"]:
        talk.warn(f"resumed on {device} instead of {run.facts['device']}: last bits will differ")
    torch.set_num_threads(data["threads"])
    learner = rebuild_learner(config, data, device=device)
    parts = restore(
        sources,
        config.data,
        preprocessor=learner.preprocessor,
        task=data["task"],
        fold=data["fold"],
        parts=PARTS,
    )
    examples = {part: rows.to(device) for part, rows in parts.items()}
    examples = augmented(examples, config.data, learner.preprocessor.spec)
    kept = {key: value for key, value in data.items() if key not in {"state", "self_test"}}
    state = State.from_data(data["state"], loaded.tensors["history/values"])
    trainer = build_trainer(config, learner, rows=len(examples["train"]), state=state)
    return Training(config, learner, examples, kept | {"config": config_data}, trainer)


def _last_checkpoint(run: Run, talk: Talk) -> tuple[checkpoint.Loaded, bool]:
    """Load the last checkpoint, or the one before it where the last is damaged; say if the last."""
    try:
        return checkpoint.load(run.last), True
    except CheckpointError as error:
        if not run.previous.exists():
            raise
        talk.warn(f"{error}; going on from the checkpoint before it")
        loaded = checkpoint.load(run.previous)
        if run.last.exists():  # aside, or the next save would put it in the place of `previous`
            run.last.replace(run.last.with_name("damaged.safetensors"))
        return loaded, False
