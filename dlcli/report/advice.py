"""What a finished training says about itself in words, told from its history and scores alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dlcli.progress import number
from dlcli.training.state import EpochReport, Scores

_TENTH = 10
_GAIN = 0.05  # over the last tenth of the epochs: of the loss, or half the pace of a straight line
_NOTICED = 1e-3  # of the first loss: a slow fall by less may be noise
_SOLVED = 1e-6  # of the first loss: errors a thousand times smaller than at the beginning


def is_still_improving(history: Sequence[EpochReport]) -> bool:
    """Say whether the loss was still falling when training ended.

    The loss is that of the val part where there is one. It counts as falling if the last tenth of
    the epochs holds the lowest, and its mean is below that over the tenth before by 5 % of that, or
    by 5 % of all that was gained until then: a loss that falls slowly from beginning to end. It
    counts as solved, whatever it does, below a millionth of the first epoch's.
    """
    losses = [
        loss for report in history if (loss := (report.val or report.train)["loss"]) is not None
    ]
    tenth = max(len(losses) // _TENTH, 1)
    if len(losses) < 2 * tenth + 1:
        return False
    first, last = abs(losses[0]), sum(losses[-tenth:]) / tenth
    before = sum(losses[-2 * tenth : -tenth]) / tenth
    slow = max(_GAIN * (losses[0] - before), _NOTICED * first)
    is_lowest = min(losses[-tenth:]) <= min(losses)
    is_falling = before - last > min(_GAIN * abs(before), slow)
    return is_lowest and is_falling and abs(last) > _SOLVED * first


def worse_than_a_baseline(
    scores: Scores,
    baselines: Sequence[Mapping[str, Any]],
    metric: str,
    *,
    higher_is_better: bool,
) -> str:
    """Return a warning that names the best of the baselines that beat a model; empty if none does.

    Args:
        scores: The model's, on the part on which the baselines were measured.
        baselines: `name`, `part` and scores of each.
        metric: The score that decides.
        higher_is_better: Which way it does.
    """
    own, sign = scores[metric], 1 if higher_is_better else -1
    measured = [baseline for baseline in baselines if baseline[metric] is not None]
    if own is None or not measured:
        return ""
    best = max(measured, key=lambda baseline: sign * baseline[metric])
    if sign * best[metric] <= sign * own:
        return ""
    return (
        f"worse than `{best['name']}` on the {best['part']} part: {metric} {number(own)} against "
        f"{number(best[metric])} of an answer that needs no model"
    )
