"""What every test lives by: no warning passes unseen, and nobody touches the global random generator."""

from __future__ import annotations

import os
import random

import numpy as np
import pytest


# As the command line sets it: test processes share two cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@pytest.fixture(autouse=True)
def _nobody_uses_global_chance():
    before = (random.getstate(), np.random.get_state()[1].tobytes())  # noqa: NPY002 - the state is what is watched
    yield
    after = (random.getstate(), np.random.get_state()[1].tobytes())  # noqa: NPY002
    assert before == after, "a test or the code under it used the global random generator"
