"""The demonstration: what it tells a person to type can be typed."""

from __future__ import annotations

import shlex

from leadscore.demonstration import mlflow_command
from world import config


def test_the_command_that_opens_the_experiments_survives_a_folder_with_spaces(tmp_path):
    folder = tmp_path / "my démo"
    typed = shlex.split(mlflow_command(config().model_copy(update={"root": folder})))
    assert typed[-1] == f"sqlite:///{folder}/.leadscore/mlflow.db"
