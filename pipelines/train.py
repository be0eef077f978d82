"""Train a model, judge it in time order, and let the gate decide whether it goes live.

Once, without a server:  python pipelines/train.py --config leadscore.yaml --as-of 2026-01-31
"""

from __future__ import annotations

import sys

if __name__ == "__main__":  # Prefect reads its settings while it is imported, so the project's come first
    from leadscore.runtime import settle

    given = settle(sys.argv[1:])

from prefect import flow

from command import command
from reporting import tell
from stages import Result, learn, look_from, open_project


@flow(name="leadscore-train")
def train(config: str, as_of: str | None = None) -> Result:
    """Train, whatever the age of the model there is.

    Args:
        config: Path of the configuration file.
        as_of: Moment to look from, ISO 8601; the last midnight before the scheduled start if absent.
    """
    project = open_project(config)
    moment = look_from(project, as_of)
    results = {"train": learn(config, moment)}
    tell(project.project, moment, results)
    return results


if __name__ == "__main__":
    command(train, given)
