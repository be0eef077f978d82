"""A configuration as MLflow's parameters: one name per setting, so that the compare page shows what differs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from leadscore.config import Config
from leadscore.config.flat import FlatConfig

# Where things lie says nothing of a model, and where MLflow lies may carry a password.
_PLACES = {"project", "data", "models", "out", "tracking"}
_LONGEST = 120  # signs; a longer one is named by its content: the whole stands in configuration.yaml


def flatten(config: Config) -> dict[str, str]:
    """Name every setting by its path, as in `model.trees`; lists with spaces, what is nested deeper as JSON.

    A family of the project's own is named with the digest of its file.
    """
    settings = config.model_dump(mode="json", exclude=_PLACES)
    settings["features"]["own"] = [f"{file.name}@{file.digest}" for file in config.own_files]
    for sources in settings["sources"].values():
        for source in sources:
            source.pop("files")
    return dict(_named(settings))


def flatten_flat(config: FlatConfig) -> dict[str, str]:
    """Name every setting of a flat export likewise."""
    settings = config.model_dump(mode="json", exclude=_PLACES)
    for files in ("files", "score_files"):
        settings["flat"].pop(files)
    return dict(_named(settings))


def data_version(versions: Mapping[str, int]) -> str:
    """Name what was read: each table of the store with its version.

    >>> data_version({"leads": 3, "interactions": 7})
    'interactions@7 leads@3'
    """
    return " ".join(f"{name}@{version}" for name, version in sorted(versions.items()))


def _named(settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in settings.items():
        if isinstance(value, dict) and name != "kinds":
            yield from ((f"{name}.{key}", _told(inner)) for key, inner in value.items())
        else:
            yield name, _told(value)


def _told(value: Any) -> str:
    if value is None or value in ([], {}):
        return "none"
    if isinstance(value, list) and not any(isinstance(item, (dict, list)) for item in value):
        text = " ".join(map(str, value))
    else:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text if len(text) <= _LONGEST else f"sha256 {hashlib.sha256(text.encode()).hexdigest()[:12]}"
