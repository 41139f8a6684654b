"""Numbers to as many digits as a network's float32 has; knows no model and no format."""

from __future__ import annotations

import numpy as np
from torch import Tensor

_DIGITS = 7
_EXACT = 22  # powers of ten up to this one are exact in float64


def rounded(values: Tensor) -> list[float]:
    """Return numbers (N,) to 7 significant digits; those that are not finite as they are."""
    given = values.double().cpu().numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        magnitude = np.floor(np.log10(np.abs(given)))
        places = np.where(np.isfinite(magnitude), _DIGITS - 1 - magnitude, 0).astype(np.int64)
        # Multiplying or dividing by an exact power of ten gives the float64 nearest to the decimal.
        up, down = 10.0 ** places.clip(0, _EXACT), 10.0 ** (-places).clip(0, _EXACT)
        near = np.round(given * up / down) / up * down
    is_exact = np.isfinite(near) & (np.abs(places) <= _EXACT)
    numbers: list[float] = np.where(is_exact, near, given).tolist()
    return numbers
