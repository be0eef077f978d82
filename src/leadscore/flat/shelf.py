"""The shelf of bundles of flat exports: one folder each under `models/flat`, and which of them a configuration uses.

The dated shelf takes no notice of them: they lie a folder deeper.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from leadscore.config.flat import FlatConfig
from leadscore.errors import StateError
from leadscore.flat.bundle import FlatBundle, read_bundle
from leadscore.store.lake import explained_disk_trouble, replace_text


def keep(config: FlatConfig, bundle: FlatBundle) -> Path:
    """Put a bundle on the shelf, whole or not at all, and make it the one its configuration uses; return its folder.

    Raises:
        ConfigError: the folder cannot be written.
    """
    shelf = config.models_path
    folder, beside = shelf / bundle.version, shelf / f".keep-{bundle.version}.{os.getpid()}"
    with explained_disk_trouble(shelf):
        shelf.mkdir(parents=True, exist_ok=True)
        if not _whole(folder):
            shutil.rmtree(folder, ignore_errors=True)
            try:
                beside.mkdir()
                bundle.write(beside)
                beside.rename(folder)
            finally:
                shutil.rmtree(beside, ignore_errors=True)
        replace_text(_pointer(config), json.dumps({"version": bundle.version}) + "\n")
    return folder


def in_use(config: FlatConfig) -> FlatBundle:
    """Take the bundle that was trained last with this configuration.

    Raises:
        StateError: none was, or its folder is damaged.
    """
    try:
        version = str(json.loads(_pointer(config).read_text(encoding="utf-8"))["version"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        others = any(config.models_path.glob("live-*.json"))
        told = "; those there are were trained with other settings" if others else ""
        raise StateError(
            f"{config.models_path}: no model of a flat export with this configuration{told}.",
            "Run `leadscore train --flat`.",
        ) from error
    return read_bundle(config.models_path / version)


def _pointer(config: FlatConfig) -> Path:
    return config.models_path / f"live-{config.project}-{config.training_fingerprint()}.json"


def _whole(folder: Path) -> bool:
    try:
        read_bundle(folder)
    except StateError:
        return False
    return True
