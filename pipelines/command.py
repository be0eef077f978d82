"""A pipeline as a command: the exit codes of `leadscore`, and one JSON object as the result."""

from __future__ import annotations

import json
import logging
import signal
import sys
from collections.abc import Mapping
from typing import Any

from prefect import Flow

from leadscore.runtime import explain


def command(flow: Flow[..., Any], given: Mapping[str, Any]) -> None:
    """Run a flow once, print what it returns, and end the process with its exit code."""
    # Without a handler SIGTERM ends the process at once, and the temporary server would go on alone.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    _say_errors_once()
    try:
        result = flow(**given)
    except Exception as error:
        code = explain(error)
        if code is None:
            raise
        sys.exit(code)
    print(json.dumps(result, ensure_ascii=False))


def _say_errors_once() -> None:
    """Keep from the terminal what the engine says of a failure: the error itself has the last word there."""
    engine = ("prefect.flow_runs", "prefect.task_runs")
    for handler in logging.getLogger().handlers:
        handler.addFilter(lambda record: not record.name.startswith(engine))
