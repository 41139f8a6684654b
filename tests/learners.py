"""A learner over prepared data, on the CPU."""

from __future__ import annotations

import torch

from dlcli.build import Learner, build_learner
from dlcli.config.config import Config
from dlcli.data.prepare import Prepared


def learner_of(prepared: Prepared, config: Config) -> Learner:
    """Build the learner of a config; no class is weighed."""
    return build_learner(
        config,
        task_name=prepared.task,
        preprocessor=prepared.preprocessor,
        class_counts=None,
        device=torch.device("cpu"),
    )
