"""A schedule of the user's: a pure function of step and history."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from numbers import Real
from typing import Any

from dlcli.config.own import OwnSchedulerOptions, keywords
from dlcli.schedulers.schedule import Plan, Schedule
from dlcli.training.state import EpochReport


def build_own_schedule(options: OwnSchedulerOptions, plan: Plan, *, own: Any) -> Schedule:
    """Return the factor of the learning rate that the user's function gives.

    Args:
        options: What it is given by name.
        plan: Gives `steps` and `steps_per_epoch` where they are parameters.
        own: The function.
    """
    code = options.code
    assert code is not None
    known = {"steps": plan.steps, "steps_per_epoch": plan.steps_per_epoch}
    given = keywords(options) | {name: known[name] for name in code.given}

    def factor(step: int, history: Sequence[EpochReport] = ()) -> float:
        found = own(step, tuple(history), **given)
        if not isinstance(found, Real) or not isfinite(found) or found < 0:
            raise code.error(f"gives {found!r} at step {step}, expected a number from 0")
        return float(found)

    return factor
