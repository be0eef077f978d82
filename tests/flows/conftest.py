"""A small company, an empty home, and one Prefect server for the session; nothing is written outside tmp."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import urllib.error

import pytest

from flows.processes import CHECKOUT, PREFECT, Server, processes_with

SMALL = "model: {trees: 5}\ntraining: {origins: 2, min_conversions: 5}\ningest: {buckets: 2}\n"


@pytest.fixture(scope="session")
def company(tmp_path_factory):
    """The configuration file of a project of 400 leads over 12 months."""
    from leadscore.simulate import export, simulate

    config = export(simulate(leads=400, months=12, seed=3), tmp_path_factory.mktemp("company"), "en")
    config.write_text(config.read_text().replace("spacing: 7d", "spacing: 28d") + SMALL)
    return config


@pytest.fixture(scope="session")
def nothing_set(tmp_path_factory):
    """The environment of someone who has set nothing, and whose home is empty."""
    theirs = ("PREFECT_", "MLFLOW_", "DO_NOT_TRACK", "MPLCONFIGDIR")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(theirs)}
    return {**kept, "HOME": str(tmp_path_factory.mktemp("home"))}


@pytest.fixture(scope="session")
def server(nothing_set, tmp_path_factory):
    """A server as the how-to starts it, of which no process may stay."""
    home = tmp_path_factory.mktemp("prefect")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    api = f"http://127.0.0.1:{port}/api"
    environment = {**nothing_set, "DO_NOT_TRACK": "true", "PREFECT_HOME": str(home), "PREFECT_API_URL": api}
    command = [PREFECT, "server", "start", "--host", "127.0.0.1", "--port", port, "--no-ui"]
    with (home / "server.log").open("w") as log:
        process = subprocess.Popen(command, cwd=CHECKOUT, env=environment, stdout=log, stderr=log)
    try:
        wait_for(Server(api, environment), process)
        yield Server(api, environment)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)
        assert processes_with(f"PREFECT_HOME={home}") == []


def wait_for(server, process):
    deadline = time.monotonic() + 180  # the 20 s Prefect allows are missed on a loaded machine
    while process.poll() is None and time.monotonic() < deadline:
        try:
            return server.ask("/health")
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.2)
    raise AssertionError(f"no server: {server.environment['PREFECT_HOME']}/server.log")
