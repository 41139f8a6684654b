"""`dlcli train CONFIG`: from a config to one training, or to several with other seeds or folds."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

import torch

from dlcli.build import (
    Learner,
    begin,
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
from dlcli.config.read import ReadConfig, to_yaml
from dlcli.data.augment.examples import augmented
from dlcli.data.prepare import Prepared, prepare
from dlcli.errors import ConfigError, DataError
from dlcli.files import relative
from dlcli.progress import Talk
from dlcli.run import Run
from dlcli.trained import describe
from dlcli.training.state import State


@dataclass(frozen=True)
class _Turn:
    """One of the trainings of a config.

    Attributes:
        config: The config, with the seed of this turn.
        fold: Which fold is the test part, from 0; None where there are no folds.
        label: `seed3` or `fold1` where there are several turns, else nothing.
    """

    config: Config
    fold: int | None = None
    label: str = ""


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
    config, talk = read.config, Talk(is_quiet=is_quiet)
    folds = config.data.folds
    count = seeds or folds
    if count is None:
        return _train(read, _Turn(config), runs_dir, talk)
    if folds is not None and count > folds:
        raise ConfigError(
            f"--seeds {count} asks for more folds than there are",
            path=("data", "split", "folds"),
            suggestion=f"--seeds {folds} or fewer",
        )

    def train(offset: int) -> Outcome:
        turn = _turn(config, offset)
        own_talk = Talk(is_quiet=is_quiet)
        own_talk.say(f"\n{turn.label}")
        return _train(read, turn, runs_dir, own_talk)

    return repeat(train, count, talk)


def _turn(config: Config, offset: int) -> _Turn:
    """Return the turn with the seed, and on the fold, that stand `offset` after the first."""
    seeded = config.model_copy(update={"seed": config.seed + offset})
    if config.data.folds is None:
        return _Turn(seeded, label=f"seed{seeded.seed}")
    return _Turn(seeded, fold=offset, label=f"fold{offset + 1}")


def _train(read: ReadConfig, turn: _Turn, runs_dir: Path, talk: Talk) -> Outcome:
    """Prepare the data, make a run, train in it and measure."""
    config = turn.config
    torch.set_num_threads(default_threads())
    prepared = _prepared(read, turn, talk)
    training = _fresh(read, turn, prepared)
    for note in begin(training.learner, read.folder):
        talk.say(note)
    warn_of_start(training, talk)
    device, parameters = training.learner.device, count_parameters(training.learner.network)
    changed = {} if config.seed == read.config.seed else {"seed": config.seed}
    with Run.create(
        runs_dir,
        "-".join(filter(None, (config.name, turn.label))),
        config_text=read.text,
        resolved_text=to_yaml(read.resolved() | changed),
        facts={
            "command": shlex.join(["dlcli", *sys.argv[1:]]),
            "config_folder": str(read.folder.resolve()),
            "device": str(device),
            "threads": torch.get_num_threads(),
            "fingerprint": prepared.fingerprint,
            "parameters": parameters,
        },
    ) as run:
        with failures_noted(run, talk):
            run.write_splits(prepared.rows)
        with talk.logging_to(run.log):
            talk.say(
                f"model: {config.model.name}, {parameters:,} parameters, on {device}, "
                f"threads: {torch.get_num_threads()}, run: {relative(run.path)}"
            )
            return complete(run, training, talk)


def _prepared(read: ReadConfig, turn: _Turn, talk: Talk) -> Prepared:
    """Prepare the data, and say what there is to say about them.

    Raises:
        ConfigError: The task that the data show contradicts the rest of the config.
    """
    config = turn.config
    prepared = prepare(
        open_sources(config, read.folder),
        config.data,
        task=config.task,
        scale_targets=scales_targets(config),
        fold=turn.fold,
    )
    rows = ", ".join(f"{len(part):,} {name}" for name, part in prepared.examples.items())
    what = "windows" if prepared.preprocessor.window else "rows"
    talk.say(f"data: {config.data.name}, {what}: {rows}")
    if config.task is None:
        talk.say(f"task: {prepared.task} ({prepared.task_reason})")
    for warning in prepared.warnings:
        talk.warn(warning)
    if faults := cross_check(config.model_copy(update={"task": prepared.task})):
        raise ConfigError(faults)
    return prepared


def _fresh(read: ReadConfig, turn: _Turn, prepared: Prepared) -> Training:
    """Make the training of a config at its beginning."""
    config = turn.config
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
    examples = augmented(examples, config.data, learner.preprocessor.spec)
    portable: Mapping[str, Any] = read.portable() | {"seed": config.seed}
    description = describe(portable, learner, class_counts=prepared.class_counts) | {
        "fingerprint": prepared.fingerprint,
        "fold": turn.fold,
        "threads": torch.get_num_threads(),
    }
    state = State(parts=config.train.accumulate)
    trainer = build_trainer(config, learner, rows=len(examples["train"]), state=state)
    return Training(config, learner, examples, description, trainer)


def _check_targets(learner: Learner, prepared: Prepared) -> None:
    """Refuse targets that the loss does not understand, such as a count below 0."""
    least = learner.loss_options.min_target
    for part, rows in prepared.examples.items():
        if least > -inf and float(rows.targets.min()) < least:
            raise DataError(
                f"the {part} part has a target of {float(rows.targets.min()):g}, and the loss "
                f"`{learner.loss_options.name}` takes none below {least:g}",
                path=("loss",),
                suggestion="another loss, `mse` for one, takes any number",
            )
