"""The morning: bring in what is new, train when the model has aged, deliver the list, report.

Once, without a server:  python pipelines/daily.py --config leadscore.yaml --as-of 2026-01-31
"""

from __future__ import annotations

import sys

if __name__ == "__main__":  # Prefect reads its settings while it is imported, so the project's come first
    from leadscore.runtime import settle

    given = settle(sys.argv[1:])

from prefect import flow

from command import command
from reporting import tell
from stages import Result, bring_in, learn_when_due, look_from, open_project, rank


@flow(name="leadscore-daily")
def daily(config: str, as_of: str | None = None) -> Result:
    """Deliver the list of a morning.

    Args:
        config: Path of the configuration file.
        as_of: Moment to look from, ISO 8601; the last midnight before the scheduled start if absent.
    """
    project = open_project(config)
    moment = look_from(project, as_of)
    results = {
        "ingest": bring_in(config),
        "train": learn_when_due(config, moment),
        "score": rank(config, moment),
    }
    tell(project.project, moment, results)
    return results


if __name__ == "__main__":
    command(daily, given)
