"""The shelf: one folder per bundle under `models/`, named by its content, and the name of the champion."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leadscore.errors import ConfigError, StateError
from leadscore.model.bundle import Bundle, read_bundle, trees_file

log = logging.getLogger(__name__)

_CHAMPION = "champion.json"
_OTHERS = "flat"  # models of flat exports, which score nothing here


@dataclass(frozen=True)
class Kept:
    """A bundle on the shelf, as its label says: version, moment, configuration and project it was trained for."""

    version: str
    as_of: int
    training_fingerprint: str
    project: str


def keep(models: Path, bundle: Bundle) -> Path:
    """Put a bundle on the shelf, whole or not at all, and return its folder; a bundle already there stays as it is.

    Raises:
        ConfigError: the folder cannot be written.
    """
    folder = models / bundle.version
    if _whole(folder):
        return folder
    with _writing(models), tempfile.TemporaryDirectory(dir=models, prefix=".keep-") as beside:
        written = Path(beside) / bundle.version
        written.mkdir()  # a folder of its own, because the temporary one is closed to everyone else
        bundle.write(written)
        for path in (*written.iterdir(), written):
            _to_disk(path)
        _put(written, folder)
        _to_disk(models)
    return folder


def read(models: Path, version: str) -> Bundle:
    """Take a bundle from the shelf.

    Raises:
        StateError: it is not there, its content is not what its name says, or this version of leadscore cannot use it.
    """
    folder = models / version
    bundle = read_bundle(folder)
    if not _whole(folder):
        raise StateError(
            f"{folder}: its files were changed after training.", "Restore the folder, or remove it and train again."
        )
    return bundle


def kept(models: Path) -> list[Kept]:
    """List the shelf, sorted by (as_of, version); a folder that holds no bundle is passed over and logged."""
    folders = [path for path in models.glob("*/") if path.name != _OTHERS and not path.name.startswith(".")]
    labels = [_label(path) for path in folders]
    return sorted((label for label in labels if label), key=lambda label: (label.as_of, label.version))


def crown(models: Path, version: str, details: Mapping[str, Any]) -> None:
    """Name a bundle of the shelf the champion, with details for people.

    Raises:
        StateError: it is not on the shelf.
        ConfigError: the folder cannot be written.
    """
    if not _whole(models / version):
        raise StateError(f"{models / version}: no whole bundle to make the champion.", "Run `leadscore train`.")
    text = json.dumps({**details, "version": version}, sort_keys=True, indent=1, ensure_ascii=False)
    with _writing(models), tempfile.TemporaryDirectory(dir=models, prefix=".crown-") as beside:
        written = Path(beside) / _CHAMPION
        written.write_text(text + "\n", encoding="utf-8")
        _to_disk(written)
        written.replace(models / _CHAMPION)
        _to_disk(models)


def champion(models: Path) -> str | None:
    """Return the version of the champion; None before the first.

    Raises:
        ConfigError: the file that names it cannot be opened.
        StateError: it does not name one.
    """
    place = models / _CHAMPION
    try:
        return str(json.loads(place.read_text(encoding="utf-8"))["version"])
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(
            f"{place}: cannot be read ({error.strerror or type(error).__name__}).", "Check its permissions."
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise StateError(
            f"{place}: does not name a champion ({type(error).__name__}).",
            "Remove this file, and run `leadscore train`.",
        ) from error


def _label(folder: Path) -> Kept | None:
    try:
        saved = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
        return Kept(folder.name, saved["as_of"], saved["training_fingerprint"], saved["project"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.info("%s: passed over, no readable bundle (%s)", folder, type(error).__name__)
        return None


def _whole(folder: Path) -> bool:
    """Say whether the files are those the name was made of; see `Bundle.version`."""
    try:
        text = (folder / "bundle.json").read_bytes().removesuffix(b"\n")
        trees = [(folder / trees_file(number)).read_bytes() for number in range(1 + len(json.loads(text)["members"]))]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    digest = hashlib.sha256(b"".join(trees) + text)
    return digest.hexdigest()[:12] == folder.name


def _put(written: Path, folder: Path) -> None:
    """Rename into place; of two that bring the same bundle at once, the first wins and the second does not mind."""
    if folder.exists() and not _whole(folder):
        shutil.rmtree(folder)
    try:
        written.rename(folder)
    except OSError:
        if not _whole(folder):
            raise


@contextmanager
def _writing(models: Path) -> Iterator[None]:
    try:
        models.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise ConfigError(
            f"{models}: cannot be written ({error.strerror or type(error).__name__}).",
            "Check its permissions and the free space.",
        ) from error


def _to_disk(path: Path) -> None:
    """Wait until a file, or the list of names in a folder, would survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
