"""Score the leads at risk with the model there is, and deliver the slot.

Once, without a server:  python pipelines/score.py --config leadscore.yaml --as-of 2026-01-31
"""

from __future__ import annotations

import sys

if __name__ == "__main__":  # Prefect reads its settings while it is imported, so the project's come first
    from leadscore.runtime import settle

    given = settle(sys.argv[1:])

from prefect import flow

from command import command
from reporting import tell
from stages import Result, look_from, open_project, rank


@flow(name="leadscore-score")
def score(config: str, as_of: str | None = None) -> Result:
    """Deliver a list without bringing anything in and without training.

    Args:
        config: Path of the configuration file.
        as_of: Moment to look from, ISO 8601; the last midnight before the scheduled start if absent.
    """
    project = open_project(config)
    moment = look_from(project, as_of)
    results = {"score": rank(config, moment)}
    tell(project.project, moment, results)
    return results


if __name__ == "__main__":
    command(score, given)
