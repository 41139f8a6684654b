"""A training on trial: the config's own, on a copy of the weights."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

from dlcli.build import Learner, build_trainer
from dlcli.config.config import Config
from dlcli.config.scheduler import ConstantOptions
from dlcli.data.examples import Examples
from dlcli.training.state import State
from dlcli.training.trainer import Trainer


def trial(
    config: Config,
    learner: Learner,
    train: Examples,
    *,
    batch_size: int | None = None,
    factor: float | None = 1.0,
) -> Trainer:
    """Build a trainer at its beginning whose steps leave the learner as it is.

    Args:
        config: Of the training; neither compiled nor sharded on trial.
        learner: Its network is copied, frozen layers and all.
        train: What will be trained on.
        batch_size: Rows of a step; the config's unless given.
        factor: Of the config's learning rate, the same in every step; None follows the schedule.
    """
    alone = {"compile": False, "sharded": False}
    changes: dict[str, object] = {"train": config.train.model_copy(update=alone)}
    if batch_size is not None:
        changes["data"] = config.data.model_copy(update={"batch_size": batch_size})
    if factor is not None:
        changes["scheduler"] = ConstantOptions()
    own = replace(learner, network=deepcopy(learner.network))
    state = State(parts=config.train.accumulate)
    trainer = build_trainer(config.model_copy(update=changes), own, train, state=state)
    trainer.optimizer.lr *= 1.0 if factor is None else factor
    return trainer
