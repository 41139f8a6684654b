"""Whatever is left out of a checkpoint, or of a safe write, a test notices."""

from __future__ import annotations

import pytest

from tests.faults.mutations import MUTATIONS, changed_files, failing_test


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_mutation_still_fits_the_program(name: str) -> None:
    assert changed_files(MUTATIONS[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", MUTATIONS)
def test_what_is_left_out_is_noticed(name: str) -> None:
    assert failing_test(MUTATIONS[name])
