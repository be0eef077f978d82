"""Say on standard error what long work is doing: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

log = logging.getLogger("leadscore")
T = TypeVar("T")


def track(items: Iterable[T], what: str, total: int | None = None) -> Iterator[T]:
    """Yield the items while showing how far it has come; `what` is a phrase such as "Scoring buckets"."""
    count = total if total is not None else (len(items) if isinstance(items, Sized) else None)
    with _bar() as bar:
        if bar is None:
            started = time.monotonic()
            log.info("%s …", what)
            yield from items
            log.info("%s: done in %.1f s", what, time.monotonic() - started)
            return
        task = bar.add_task(what, total=count)
        for item in items:
            yield item
            bar.advance(task)


@contextmanager
def stage(what: str) -> Iterator[None]:
    """Show that one piece of work goes on, and how long it took."""
    for _ in track((None,), what):
        yield


@contextmanager
def _bar() -> Iterator[Progress | None]:
    if not sys.stderr.isatty() or not log.isEnabledFor(logging.INFO):
        yield None
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        yield bar
