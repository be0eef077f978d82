"""Bring what is new in the sources into the store, through the contract.

Once, without a server:  python pipelines/ingest.py --config leadscore.yaml
"""

from __future__ import annotations

import sys

if __name__ == "__main__":  # Prefect reads its settings while it is imported, so the project's come first
    from leadscore.runtime import settle

    given = settle(sys.argv[1:], as_of=False)

from prefect import flow

from command import command
from reporting import tell
from stages import Result, bring_in, open_project


@flow(name="leadscore-ingest")
def ingest(config: str) -> Result:
    """Bring in what is new.

    Args:
        config: Path of the configuration file.
    """
    project = open_project(config)
    results = {"ingest": bring_in(config)}
    tell(project.project, None, results)
    return results


if __name__ == "__main__":
    command(ingest, given)
