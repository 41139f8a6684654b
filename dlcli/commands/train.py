"""`dlcli train`: from a config, or from a run's last checkpoint, to a training that can go on."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from dlcli import checkpoint
from dlcli.build import (
    Learner,
    build_learner,
    build_monitor,
    build_trainer,
    choose_device,
    choose_threads,
    count_parameters,
    default_threads,
    open_sources,
    scales_targets,
)
from dlcli.commands.complete import Training, complete, failures_noted, warn_of_start
from dlcli.commands.outcome import Outcome
from dlcli.commands.repeat import repeat
from dlcli.config.checks import cross_check
from dlcli.config.config import Config
from dlcli.config.read import ReadConfig, changed_data, config_from, to_yaml
from dlcli.data.prepare import Prepared, prepare, restore
from dlcli.data.split import PARTS
from dlcli.errors import CheckpointError, ConfigError, DataError
from dlcli.files import relative
from dlcli.progress import Talk
from dlcli.run import Run, find_run
from dlcli.trained import describe, rebuild_learner
from dlcli.training.state import State

_CHANGEABLE = ("train.epochs", "train.max_time", "train.device")


def train_config(
    read: ReadConfig, *, runs_dir: Path, seeds: int | None = None, is_quiet: bool = False
) -> Outcome:
    """Train as a config says, once or with several seeds or on several folds.

    Args:
        read: The config as read.
        runs_dir: Folder in which the run directories are made.
        seeds: Train with so many seeds, from the config's own on; with `split.folds`, on so many
            folds. None trains once, or on every fold.
        is_quiet: Say nothing on stderr.

    Raises:
        DlcliError: See `dlcli.errors` for each cause.
    """
    folds = read.config.data.split.folds
    count = seeds or folds

    def train(offset: int) -> Outcome:
        talk = Talk(is_quiet=is_quiet)
        return _train_once(read, runs_dir, talk, offset=offset, is_alone=count is None)

    if count is None:
        return train(0)
    if folds is not None and count > folds:
        raise ConfigError(
            f"--seeds {count} asks for more folds than there are",
            path=("data", "split", "folds"),
            suggestion=f"--seeds {folds} or fewer",
        )
    return repeat(train, count, Talk(is_quiet=is_quiet))


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
        state = training.trainer.state
        whole = run.resume(rows=len(state.history))
        for report in state.history[whole:]:  # a power cut may take rows that the checkpoint has
            run.add_metrics(report.to_data())
        run.update(device=str(training.learner.device), threads=torch.get_num_threads())
        best = build_monitor(training.config, training.learner).best_epoch(state.history)
        if is_newest and state.batch == 0 and best == state.epoch:
            run.keep_as_best()  # a kill between the two writes leaves an older best
        with talk.logging_to(run.log):
            if state.epoch < training.config.train.epochs:
                talk.say(f"resuming {relative(run.path)} after step {state.step}")
            else:
                talk.say(
                    f"{relative(run.path)} has all its {state.epoch} epochs: nothing is left to "
                    "train (`train.epochs=N` goes on to N)"
                )
            return complete(run, training, talk)


def _train_once(
    read: ReadConfig, runs_dir: Path, talk: Talk, *, offset: int, is_alone: bool
) -> Outcome:
    """Train with the seed and on the fold that stand `offset` after the config's own."""
    seed = read.config.seed + offset
    config = read.config.model_copy(update={"seed": seed})
    fold = offset if config.data.split.folds else None
    suffix = "" if is_alone else f"-seed{seed}" if fold is None else f"-fold{fold + 1}"
    if suffix:
        talk.say(f"\n{suffix[1:5]} {suffix[5:]}")
    torch.set_num_threads(default_threads())
    sources = open_sources(config, read.folder)
    prepared = prepare(
        sources, config.data, task=config.task, scale_targets=scales_targets(config), fold=fold
    )
    _say_data(config, prepared, talk)
    if faults := cross_check(config.model_copy(update={"task": prepared.task})):
        raise ConfigError(faults)
    portable = read.portable() | {"seed": seed}
    training = _fresh(config, prepared, portable, fold)
    warn_of_start(training, talk)
    learner = training.learner
    parameters = count_parameters(learner.network)
    with Run.create(
        runs_dir,
        f"{config.name}{suffix}",
        config_text=read.text,
        resolved_text=to_yaml(read.resolved() | ({"seed": seed} if offset else {})),
        facts={
            "command": shlex.join(["dlcli", *sys.argv[1:]]),
            "config_folder": str(read.folder.resolve()),
            "device": str(learner.device),
            "threads": torch.get_num_threads(),
            "fingerprint": prepared.fingerprint,
            "parameters": parameters,
        },
    ) as run:
        with failures_noted(run, talk):
            run.write_splits(prepared.rows)
        with talk.logging_to(run.log):
            talk.say(
                f"model: {config.model.name}, {parameters:,} parameters, on {learner.device}, "
                f"threads: {torch.get_num_threads()}, run: {relative(run.path)}"
            )
            return complete(run, training, talk)


def _say_data(config: Config, prepared: Prepared, talk: Talk) -> None:
    rows = ", ".join(f"{len(part):,} {name}" for name, part in prepared.examples.items())
    talk.say(f"data: {config.data.name}, rows: {rows}")
    if config.task is None:
        talk.say(f"task: {prepared.task} ({prepared.task_reason})")
    for warning in prepared.warnings:
        talk.warn(warning)


def _fresh(
    config: Config, prepared: Prepared, portable: Mapping[str, Any], fold: int | None
) -> Training:
    """Make the training of a config at its beginning."""
    learner = build_learner(
        config,
        task_name=prepared.task,
        preprocessor=prepared.preprocessor,
        class_counts=prepared.class_counts,
        device=choose_device(config.train.device),
    )
    build_monitor(config, learner)  # a fault in the config is told before a run is made
    torch.set_num_threads(choose_threads(config, learner.network))
    _check_targets(learner, prepared)
    examples = {part: rows.to(learner.device) for part, rows in prepared.examples.items()}
    description = describe(portable, learner, class_counts=prepared.class_counts) | {
        "fingerprint": prepared.fingerprint,
        "fold": fold,
        "threads": torch.get_num_threads(),
    }
    state = State(parts=config.train.accumulate)
    trainer = build_trainer(config, learner, rows=len(examples["train"]), state=state)
    return Training(config, learner, examples, description, trainer)


def _check_targets(learner: Learner, prepared: Prepared) -> None:
    """Refuse targets that the loss does not understand, such as a count below 0."""
    least = learner.loss_options.min_target
    for part, rows in prepared.examples.items():
        if prepared.task == "regression" and float(rows.targets.min()) < least:
            raise DataError(
                f"the {part} part has a target of {float(rows.targets.min()):g}, and the loss "
                f"`{learner.loss_options.name}` takes none below {least:g}",
                path=("loss",),
                suggestion="another loss, `mse` for one, takes any number",
            )


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
