"""Every kind of rows is the same from the cache as from memory."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dlcli.build import open_sources
from dlcli.config.config import Config
from dlcli.config.read import read_config
from dlcli.data.encoding import is_mapped
from dlcli.data.prepare import Prepared, prepare
from tests.kinds import KINDS


def prepared(config: Config, folder, *, use: str) -> Prepared:
    data = config.data.model_copy(update={"cache": use})
    sources = open_sources(config.model_copy(update={"data": data}), folder)
    return prepare(sources, data, task=config.task)


@pytest.mark.parametrize("name", KINDS)
def test_rows_of_a_kind_are_the_same_from_the_cache(name, tmp_path, monkeypatch):
    monkeypatch.setenv("DLCLI_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "data"
    read = read_config(folder / KINDS[name].write_config(folder))
    if not hasattr(read.config.data, "cache"):
        pytest.skip("it is not cut into rows")
    held, first, second = (
        prepared(read.config, read.folder, use=use) for use in ("never", "always", "always")
    )
    for other in (first, second):
        assert other.preprocessor.state() == held.preprocessor.state()
        assert other.warnings == held.warnings
        assert list(other.examples) == list(held.examples)
        for part, examples in held.examples.items():
            mapped = other.examples[part]
            assert is_mapped(mapped)
            assert np.array_equal(other.rows[part], held.rows[part])
            found, expected = mapped.slice(0, len(mapped)), examples.slice(0, len(examples))
            assert torch.equal(found.targets, expected.targets)
            assert found.inputs.keys() == expected.inputs.keys()
            for block, values in expected.inputs.items():
                assert found.inputs[block].dtype == values.dtype
                assert torch.equal(found.inputs[block], values)
