"""Tiny projects on disk: fresh ones, and ingested or trained ones, which are made once and copied."""

from __future__ import annotations

import importlib

import pytest

from cli.commands import SETTINGS, TRAINED_AS_OF, Project, as_for_a_person, company
from leadscore.registry import store


@pytest.fixture(scope="session", autouse=True)
def _imported_mlflow():
    """MLflow draws from the global random generator while it is imported."""
    with as_for_a_person():
        store.configure()
        importlib.import_module("mlflow")


def _made(folder, **files):
    folder.mkdir(parents=True)
    return Project(folder).write(**{"settings": SETTINGS} | company() | files)


@pytest.fixture
def make(tmp_path):
    """Make projects, with some files changed."""

    def project(name="project", **files):
        return _made(tmp_path / name, **files)

    return project


@pytest.fixture(scope="session")
def made_ingested(tmp_path_factory):
    """Make, for copying, a project whose files are in the store."""
    project = _made(tmp_path_factory.mktemp("made") / "ingested")
    assert project("ingest").code == 0
    return project


@pytest.fixture(scope="session")
def made_trained(made_ingested, tmp_path_factory):
    """Make, for copying, a project that has a model as of TRAINED_AS_OF."""
    project = made_ingested.copy(tmp_path_factory.mktemp("made") / "trained")
    assert project("train", "--as-of", TRAINED_AS_OF).code == 0
    return project


@pytest.fixture
def trained(made_trained, tmp_path):
    """Give a project that has a model as of TRAINED_AS_OF."""
    return made_trained.copy(tmp_path / "trained")
