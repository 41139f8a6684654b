"""`dlcli train CONFIG`: from a config to one training, or to several with other seeds or folds."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
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
    count_parameters,
    open_sources,
    scales_targets,
)
from dlcli.checks.batch_size import fitting_batch_size
from dlcli.commands.complete import Training, complete, failures_noted, led, warn_of_start
from dlcli.commands.outcome import Outcome
from dlcli.commands.repeat import repeat
from dlcli.config.checks import cross_check
from dlcli.config.code import stored_code
from dlcli.config.config import Config
from dlcli.config.own import own_codes
from dlcli.config.read import ReadConfig, to_yaml
from dlcli.data.augment.examples import augmented
from dlcli.data.chosen import first_batches
from dlcli.data.encoding import is_mapped, storage
from dlcli.data.examples import Examples
from dlcli.data.origins import condensed
from dlcli.data.prepare import Prepared, prepare
from dlcli.data.prepared import listed
from dlcli.data.staging import placed
from dlcli.description import describe
from dlcli.errors import ConfigError, DataError
from dlcli.files import JSON, relative
from dlcli.finetune import init_from
from dlcli.hardware import choose_device, choose_threads, default_threads
from dlcli.memory import free_memory
from dlcli.progress import Talk
from dlcli.ranks import check_alike, check_rows, in_turns, joined, own_device
from dlcli.run import Run, find_checkpoint
from dlcli.training.distributed import ALONE, Distribution
from dlcli.training.medium import product_error
from dlcli.training.state import State


@dataclass(frozen=True)
class Turn:
    """One of the trainings of a config.

    Attributes:
        config: The config, with the seed of this turn.
        fold: Which fold is the test part, from 0; None where there are no folds.
        label: `seed3` or `fold1` where there are several turns, else nothing.
        overfit_batches: Train on so many batches alone, and measure on them; None on all rows.
        distribution: This process among those that train together.
    """

    config: Config
    fold: int | None = None
    label: str = ""
    overfit_batches: int | None = None
    distribution: Distribution = ALONE


def train_config(
    read: ReadConfig,
    *,
    runs_dir: Path,
    seeds: int | None = None,
    overfit_batches: int | None = None,
    is_quiet: bool = False,
    is_verbose: bool = False,
) -> Outcome:
    """Train as a config says, once or with several seeds or on several folds.

    Args:
        read: The config as read.
        runs_dir: Folder in which the run directories are made.
        seeds: Train with so many seeds, from the config's own on; with `split.folds`, on so many
            folds. None trains once, or on every fold.
        overfit_batches: Train on so many batches alone; see `Turn`.
        is_quiet: Say nothing on stderr.
        is_verbose: Say more.

    Raises:
        DlcliError: See `dlcli.errors` for each cause.
    """
    with joined() as distribution:
        turn = Turn(read.config, overfit_batches=overfit_batches, distribution=distribution)
        return _train_turns(
            read, turn, seeds, runs_dir, Talk(is_quiet=is_quiet, is_verbose=is_verbose)
        )


def _train_turns(
    read: ReadConfig, first: Turn, seeds: int | None, runs_dir: Path, talk: Talk
) -> Outcome:
    """Train once, or with the seeds or on the folds that come after a first turn."""
    config = read.config
    folds = config.data.folds
    count = seeds or folds
    if count is None:
        return _train(read, first, runs_dir, talk)
    if folds is not None and count > folds:
        raise ConfigError(
            f"--seeds {count} asks for more folds than there are",
            path=("data", "split", "folds"),
            suggestion=f"--seeds {folds} or fewer",
        )

    def train(offset: int) -> Outcome:
        turn = _turn(first, offset)
        own_talk = Talk(is_quiet=talk.is_quiet, is_verbose=talk.is_verbose)
        own_talk.say(f"\n{turn.label}")
        return _train(read, turn, runs_dir, own_talk)

    return repeat(train, count, talk)


def _turn(first: Turn, offset: int) -> Turn:
    """Return the turn with the seed, and on the fold, that stand `offset` after the first."""
    seeded = first.config.model_copy(update={"seed": first.config.seed + offset})
    if seeded.data.folds is None:
        return replace(first, config=seeded, label=f"seed{seeded.seed}")
    return replace(first, config=seeded, fold=offset, label=f"fold{offset + 1}")


def _train(read: ReadConfig, turn: Turn, runs_dir: Path, talk: Talk) -> Outcome:
    """Prepare the data, make a run, train in it and measure."""

    def create(name: str, resolved: str, facts: Mapping[str, JSON]) -> Run:
        return Run.create(
            runs_dir, name, config_text=read.text, resolved_text=resolved, facts=facts
        )

    return train_in(create, read, turn, talk)


def train_in(
    create: Callable[[str, str, Mapping[str, JSON]], Run],
    read: ReadConfig,
    turn: Turn,
    talk: Talk,
) -> Outcome:
    """Prepare the data, train from the beginning in a run and measure.

    Args:
        create: Gives the run, by its name, its resolved config and what there is to say of it.
        read: The config as read.
        turn: Which training of it.
        talk: Where to say what happens.
    """
    torch.set_num_threads(default_threads())
    prepared = prepare_turn(read, turn, talk)
    training = fresh_training(read, turn, prepared, talk)
    config = training.config
    warn_of_start(training, talk)
    device, parameters = training.learner.device, count_parameters(training.learner.network)
    kept = sum(p.numel() for p in training.learner.network.parameters()) - parameters
    frozen = f" to train ({kept:,} frozen)" if kept else ""
    ranks = turn.distribution.world_size
    resolved = to_yaml(_settled(read.resolved(), config))
    check_alike(turn.distribution, config=resolved, data=prepared.fingerprint)
    facts: dict[str, JSON] = {
        "command": shlex.join(["dlcli", *sys.argv[1:]]),
        "config_folder": str(read.folder.resolve()),
        "device": str(device),
        "ranks": ranks,
        "threads": torch.get_num_threads(),
        "fingerprint": prepared.fingerprint,
        "files": condensed(prepared.files),
        "fold": turn.fold,
        "overfit_batches": turn.overfit_batches,
        "parameters": parameters,
        **({"product_error": product_error(device)} if config.train.precision == "medium" else {}),
    }
    name = "-".join(filter(None, (config.name, turn.label)))
    with led(lambda: create(name, resolved, facts), turn.distribution) as run:
        with failures_noted(run, talk):
            run.write_splits(prepared.rows, listed)
        with talk.logging_to(run.log):
            talk.say(
                f"model: {config.model.name}, {parameters:,} parameters{frozen}, on {device}, "
                + (f"processes: {ranks}, " if ranks > 1 else "")
                + f"threads: {torch.get_num_threads()}, run: {relative(run.path)}"
            )
            return complete(run, training, talk)


def prepare_turn(read: ReadConfig, turn: Turn, talk: Talk) -> Prepared:
    """Prepare the data, and say what there is to say about them.

    Raises:
        ConfigError: The task that the data show contradicts the rest of the config.
    """
    config = turn.config
    with in_turns(turn.distribution):
        sources = open_sources(config, read.folder)
    prepared = prepare(
        sources,
        config.data,
        task=config.task,
        scale_targets=scales_targets(config),
        fold=turn.fold,
    )
    rows = ", ".join(f"{len(part):,} {name}" for name, part in prepared.examples.items())
    what = "windows" if prepared.preprocessor.window else "rows"
    talk.say(f"data: {config.data.name}, {what}: {rows}")
    tell_storage(prepared.examples, talk)
    if config.task is None:
        talk.say(f"task: {prepared.task} ({prepared.task_reason})")
    for warning in prepared.warnings:
        talk.warn(warning)
    if faults := cross_check(config.model_copy(update={"task": prepared.task})):
        raise ConfigError(faults)
    return prepared


def tell_storage(parts: Mapping[str, Examples], talk: Talk) -> None:
    """Say where the rows are, always if that is not in memory."""
    tell = talk.say if any(map(is_mapped, parts.values())) else talk.detail
    tell(f"the data are {storage(parts)}")


def fresh_training(read: ReadConfig, turn: Turn, prepared: Prepared, talk: Talk) -> Training:
    """Make the training of a config at its beginning."""
    config = turn.config
    learner = build_learner(
        config,
        task_name=prepared.task,
        preprocessor=prepared.preprocessor,
        class_counts=prepared.class_counts,
        device=choose_device(own_device(config.train.device, turn.distribution)),
    )
    build_monitor(config, learner)  # a fault in the config is told before a run is made
    for note in _begun(read, learner):
        talk.say(note)
    _check_targets(learner, prepared)
    examples = {part: placed(rows, learner.device) for part, rows in prepared.examples.items()}
    config = with_batch_size(config, learner, examples["train"], talk, turn.distribution)
    examples = examples_to_train(config, turn.overfit_batches, examples, learner, talk)
    check_rows(len(examples["train"]), config.data.rows_per_step, turn.distribution)
    torch.set_num_threads(choose_threads(config, learner))
    portable = _settled(read.portable(), config)
    description = describe(portable, learner, class_counts=prepared.class_counts) | {
        "fingerprint": prepared.fingerprint,
        "fold": turn.fold,
        "threads": torch.get_num_threads(),
        **({"code": stored_code(own_codes(config))} if any(own_codes(config)) else {}),
        **({"overfit_batches": turn.overfit_batches} if turn.overfit_batches else {}),
    }
    state = State(parts=config.train.accumulate)
    trainer = build_trainer(
        config, learner, examples["train"], state=state, distribution=turn.distribution
    )
    return Training(config, learner, examples, description, trainer)


def with_batch_size(
    config: Config,
    learner: Learner,
    train: Examples,
    talk: Talk,
    distribution: Distribution = ALONE,
) -> Config:
    """Return the config with a number for `data.batch_size: auto`, and say which.

    Raises:
        MachineError: Not even one row fits.
    """
    if config.data.batch_size != "auto":
        return config
    rows, why = distribution.first(fitting_batch_size(config, learner, train, free=free_memory()))
    talk.say(f"batch size: {rows:,} ({why})")
    return config.model_copy(update={"data": config.data.model_copy(update={"batch_size": rows})})


def examples_to_train(
    config: Config,
    overfit_batches: int | None,
    parts: Mapping[str, Examples],
    learner: Learner,
    talk: Talk,
) -> dict[str, Examples]:
    """Return the parts as they are trained on: varied, or the first batches alone, said aloud."""
    if overfit_batches is None:
        return augmented(parts, config.data, learner.preprocessor.spec)
    size = config.data.rows_per_step
    few = first_batches(parts, overfit_batches, batch_size=size, seed=config.seed)
    talk.say(
        f"overfitting: {len(few['train']):,} rows alone ({overfit_batches:,} x {size:,}, without "
        "augmentation) are trained on and are the val part too; scores tell nothing of new rows"
    )
    return few


def _settled(data: Mapping[str, Any], config: Config) -> dict[str, Any]:
    """Return a config as plain data with what was settled after it was read."""
    rows = config.data.batch_size
    return {**data, "seed": config.seed, "data": {**data["data"], "batch_size": rows}}


def _begun(read: ReadConfig, learner: Learner) -> list[str]:
    """Give a learner the weights that its config names; return what there is to say of them."""
    notes = begin(learner, read.folder)
    if read.config.train.init_from is not None:
        place = (read.folder / read.config.train.init_from).resolve()
        notes += init_from(learner, find_checkpoint(str(place)))
    return notes


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
