"""Hold what was promised against what happened, for every slot whose horizon has closed.

Once, without a server:  python pipelines/monitor.py --config leadscore.yaml --as-of 2026-01-31
"""

from __future__ import annotations

import sys

if __name__ == "__main__":  # Prefect reads its settings while it is imported, so the project's come first
    from leadscore.runtime import settle

    given = settle(sys.argv[1:])

from prefect import flow

from command import command
from reporting import tell
from stages import Result, look_back, look_from, open_project


@flow(name="leadscore-monitor")
def monitor(config: str, as_of: str | None = None) -> Result:
    """Say what became of delivered leads, grade by grade.

    Args:
        config: Path of the configuration file.
        as_of: Moment to look from, ISO 8601; the last midnight before the scheduled start if absent.
    """
    project = open_project(config)
    moment = look_from(project, as_of)
    results = {"monitor": look_back(config, moment)}
    tell(project.project, moment, results)
    return results


if __name__ == "__main__":
    command(monitor, given)
