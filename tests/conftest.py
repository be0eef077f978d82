"""What every test lives by: no warning passes unseen, and nobody touches the global random generator."""

from __future__ import annotations

import os
import random
from pathlib import Path

import numpy as np
import pytest

# As the command line sets it: test processes share two cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Matplotlib would make a folder in the user's home.
os.environ.setdefault("MPLCONFIGDIR", str(Path(__file__).resolve().parents[1] / ".pytest_cache" / "matplotlib"))


@pytest.fixture(autouse=True)
def _nobody_uses_global_chance():
    before = (random.getstate(), np.random.get_state()[1].tobytes())  # noqa: NPY002 - the state is what is watched
    yield
    after = (random.getstate(), np.random.get_state()[1].tobytes())  # noqa: NPY002
    assert before == after, "a test or the code under it used the global random generator"


ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data():
    """The folder of the public data sets; a test that needs it skips where it is absent."""
    folder = Path(os.environ.get("LEADSCORE_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("the shared data are not here; set LEADSCORE_DATA to their folder")
    return folder
