"""Whatever is left out of a checkpoint, or of a safe write, a test notices."""

from __future__ import annotations

import pytest

from tests.faults.mutations import MUTATIONS, failing_test, mutated


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_mutation_still_fits_the_program(name: str, tmp_path_factory) -> None:
    mutated(MUTATIONS[name], tmp_path_factory.mktemp("mutated"))


@pytest.mark.slow
@pytest.mark.parametrize("name", MUTATIONS)
def test_what_is_left_out_is_noticed(name: str) -> None:
    assert failing_test(MUTATIONS[name])
