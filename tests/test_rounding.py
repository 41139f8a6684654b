from __future__ import annotations

import math

import torch
from hypothesis import given
from hypothesis import strategies as st

from dlcli.rounding import rounded


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False)))
def test_rounding_keeps_seven_digits(values):
    for value, found in zip(values, rounded(torch.tensor(values).double()), strict=True):
        assert math.isclose(found, value, rel_tol=5.1e-7, abs_tol=1e-45)
        if 1e-15 < abs(value) < 1e22:
            assert float(f"{found:.7g}") == found


def test_what_is_not_finite_stays():
    found = rounded(torch.tensor([float("inf"), float("nan"), 0.0, -0.0, 6.000000097]))
    assert found[0] == math.inf
    assert math.isnan(found[1])
    assert found[2:] == [0.0, 0.0, 6.0]
