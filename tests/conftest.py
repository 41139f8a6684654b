"""Fixtures for every test."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import pytest

# Before torch is imported: with a test process per core, more threads only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# No test reads or writes the user's own cache; commands in other processes inherit this.
os.environ["DLCLI_CACHE"] = tempfile.mkdtemp(prefix="dlcli-cache-")
atexit.register(shutil.rmtree, os.environ["DLCLI_CACHE"], ignore_errors=True)

_BESIDE_THE_PROJECT = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data sets; the test is skipped where there is none."""
    folder = Path(os.environ.get("DLCLI_TEST_DATA", _BESIDE_THE_PROJECT))
    if not (folder / "csv").is_dir():
        pytest.skip(f"no real data sets in {folder}: set DLCLI_TEST_DATA")
    return folder
