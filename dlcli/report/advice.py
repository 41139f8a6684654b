"""What a finished training says about itself in words, told from its history alone."""

from __future__ import annotations

from collections.abc import Sequence

from dlcli.training.state import EpochReport

_TENTH = 10
_GAIN = 0.05  # of the loss, over the last tenth of the epochs
_SOLVED = 1e-6  # of the first loss: errors a thousand times smaller than at the beginning


def is_still_improving(history: Sequence[EpochReport]) -> bool:
    """Say whether the loss was still falling when training ended.

    The loss is that of the val part where there is one. It counts as falling if the mean over the
    last tenth of the epochs is 5 % below that over the tenth before, and as solved, whatever it
    does, below a millionth of the first epoch's.
    """
    losses = [
        loss for report in history if (loss := (report.val or report.train)["loss"]) is not None
    ]
    tenth = max(len(losses) // _TENTH, 1)
    if len(losses) < 2 * tenth + 1:
        return False
    last = sum(losses[-tenth:]) / tenth
    before = sum(losses[-2 * tenth : -tenth]) / tenth
    return last < before - _GAIN * abs(before) and abs(last) > _SOLVED * abs(losses[0])
