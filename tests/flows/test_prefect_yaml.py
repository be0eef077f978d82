"""prefect.yaml, prefect.toml and the flows fit each other; no server is asked."""

from __future__ import annotations

import logging
import sys
import tomllib
from importlib import import_module

import pytest
import yaml

from flows.processes import CHECKOUT

PLANS = yaml.safe_load((CHECKOUT / "prefect.yaml").read_text())["deployments"]


@pytest.fixture(scope="module")
def prefect(tmp_path_factory):
    """Prefect in this process, with its state in tmp; it takes the logs over while it is imported, so they go back."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_HOME", str(tmp_path_factory.mktemp("prefect")))
        patch.setenv("PREFECT_LOGGING_EXTRA_LOGGERS", "")
        patch.setenv("DO_NOT_TRACK", "true")
        patch.setattr(sys, "path", list(sys.path))  # loading a flow adds its folder
        patch.chdir(CHECKOUT)
        yield import_module("prefect")
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan["entrypoint"])
def test_a_deployment_fits_its_flow(plan, prefect):
    from prefect.client.schemas.schedules import construct_schedule

    flow = prefect.flows.load_flow_from_entrypoint(plan["entrypoint"])
    assert flow.validate_parameters(plan["parameters"]).items() >= plan["parameters"].items()
    for schedule in plan.get("schedules", ()):
        construct_schedule(**schedule)


def test_every_pipeline_is_deployed():
    flows = {path.name for path in (CHECKOUT / "pipelines").glob("*.py") if "@flow" in path.read_text()}
    assert {f"pipelines/{name}" for name in flows} == {plan["entrypoint"].partition(":")[0] for plan in PLANS}


def test_the_prefect_command_says_nothing_outside_and_writes_only_where_git_does_not_look():
    settings = tomllib.loads((CHECKOUT / "prefect.toml").read_text())
    assert settings["server"]["analytics_enabled"] is False
    assert f"{settings['home']}/" in (CHECKOUT / ".gitignore").read_text().splitlines()
