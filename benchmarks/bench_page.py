"""Time the page: how long it takes to write, how large it is, how soon it is painted and its list can be searched.

`python benchmarks/bench_page.py` writes 10,000 leads with 500 panels of 60 interactions; arguments are other sizes.
"""

from __future__ import annotations

import resource
import shutil
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from contents import AS_OF, made_up
from leadscore.delivery.content import Content, Touch
from leadscore.delivery.page import write_page
from leadscore.timeline import HOUR

PANELS, TOUCHES, TIMES = 500, 60, 5
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]


def main(sizes: list[int]) -> None:
    """Write and open a page of each size."""
    print("| leads | written (s) | peak (MB) | size (MB) | first paint (ms) | list ready (ms) | panel (ms) |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        for leads in sizes:
            path, content = Path(folder) / f"{leads}.html", long_content(leads)
            before = time.perf_counter()
            write_page(content, path)
            took = time.perf_counter() - before
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            opened = [times(browser, path) for _ in range(TIMES)]
            paint, ready, panel = (statistics.median(column) for column in zip(*opened, strict=True))
            size = path.stat().st_size / 1e6
            print(f"| {leads:,} | {took:.1f} | {peak:.0f} | {size:.2f} | {paint:.0f} | {ready:.0f} | {panel:.0f} |")


def long_content(leads: int) -> Content:
    """Make up a list whose panels have as many interactions as busy leads do."""
    content = made_up(leads, capacity=100, panels=PANELS)
    kinds = ("page read", "mail sent", "mail opened", "call", "webinar", "form")
    panels = {
        lead: replace(
            panel,
            touches=[
                Touch(
                    AS_OF - (TOUCHES - k) * (11 + number % 37) * HOUR,
                    kinds[(k * k + number) % 6],
                    ("inbound", "outbound")[k % 2],
                )
                for k in range(TOUCHES)
            ],
        )
        for number, (lead, panel) in enumerate(content.panels.items())
    }
    return replace(content, panels=panels)


def times(browser: Browser, path: Path) -> tuple[float, float, float]:
    """Open a page in a fresh context: milliseconds to the first paint, until its list is there, and for a panel."""
    page = browser.new_context(viewport={"width": 1366, "height": 900}).new_page()
    page.goto(path.as_uri())
    page.wait_for_selector("body[data-ready=yes]")
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    ready = page.evaluate("performance.getEntriesByName('ready')[0].startTime")
    before = time.perf_counter()
    page.click("#leads button.lead >> nth=3")
    page.wait_for_selector("#panel[data-drawn=yes]")
    panel = 1000 * (time.perf_counter() - before)
    page.context.close()
    return paint, ready, panel


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]] or [10_000])
